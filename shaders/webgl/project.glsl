// x on its grid.

float valueOf(const float x, const Grid grid) {
  if (ROUNDING == MULTIPLY || ROUNDING == DIVIDE) return project(x, grid, ROUNDING);
  if (CLAMPED) return snap(x, grid, ROUNDING);
  return snap(x, unbounded(grid), ROUNDING);
}

#define VALUE(lane, grid) valueOf(x.lane, grids.grid)

void main() {
  Grids grids = GRIDS_HERE;
  vec4 x = lanesHere(X_LIE, X, Source(xAt.xy, xAt.z));
  setLanes(EACH_LANE(VALUE));
}
