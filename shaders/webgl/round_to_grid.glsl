// x on its grid.

float valueOf(const float given, const Grid grid) {
#if defined(RELU)
  float x = relu(given, highest);
#else
  float x = given;
#endif
  if (ROUNDING == MULTIPLY || ROUNDING == DIVIDE) return fakeQuantize(x, grid, ROUNDING);
  if (CLAMPED) return quantizeDequantize(x, grid, ROUNDING);
  return quantizeDequantize(x, unbounded(grid), ROUNDING);
}

#define VALUE(lane, grid) valueOf(x.lane, grids.grid)

void main() {
  Grids grids = GRIDS_HERE;
  vec4 x = lanesHere(X_LAYOUT, X, xAt);
  setLanes(EACH_LANE(VALUE));
}
