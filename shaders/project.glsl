// x on its grid.

float valueOf(const float x, const Grid grid) {
  if (ROUNDING == MULTIPLY || ROUNDING == DIVIDE) return project(x, grid, ROUNDING);
  if (CLAMPED) return snap(x, grid, ROUNDING);
  return snap(x, unbounded(grid), ROUNDING);
}

void main() {
  Grids grids = gridsOf(channelOfFragment());
  vec4 x = lanesHere(X_LIE, X, Source(xAt.xy, xAt.z));
#if defined(PACKED)
  setOutput(
    vec4(
      valueOf(x.r, grids.even),
      valueOf(x.g, grids.GRID_G),
      valueOf(x.b, grids.GRID_B),
      valueOf(x.a, grids.odd)
    )
  );
#else
  setOutput(valueOf(x.r, grids.even));
#endif
}
