// x on its grid.

float valueOf(float x, Grid grid) {
  if (ROUNDING == MULTIPLY || ROUNDING == DIVIDE) return project(x, grid, ROUNDING);
  if (CLAMPED) return snap(x, grid, ROUNDING);
  return snap(x, unbounded(grid), ROUNDING);
}

void main() {
  int t = indexOfFragment();
#if defined(PER_CHANNEL)
  Grids grids = gridsOf(channelOf(t, View(view.x, view.y)));
#else
  Grids grids = gridsOf(0);
#endif
  vec4 x = lanesOf(X_LIE, X, Source(xAt.xy, xAt.z), t, placeOfFragment(), matrix);
#if defined(PACKED)
  setOutput(vec4(valueOf(x.r, grids.r), valueOf(x.g, grids.g), valueOf(x.b, grids.b), valueOf(x.a, grids.a)));
#else
  setOutput(valueOf(x.r, grids.r));
#endif
}
