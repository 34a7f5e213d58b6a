// Partial sums of `straightThrough`: of the even channel and the odd one, first those of the FIRST side, then, unless there is
// NONE, those of the SECOND. Blocks of 64 keep float32 accurate.

#define GRADIENT(lane, grid) straightThrough(dy.lane, x.lane, grids.grid, side)

vec4 gradients(const vec4 dy, const vec4 x, const StridedLoop strided, const Grids grids, const int side) {
  vec4 parts = EACH_LANE(GRADIENT);
#if defined(RAGGED)
  return keepInside(parts, insideOf(strided.t, matrix));
#else
  return parts;
#endif
}

vec2 reduceLanes(const vec4 sums) {
#if defined(LANES_COLUMNS)
  return sums.rg + sums.ba;
#elif defined(LANES_ROWS)
  return sums.rb + sums.ga;
#else
  return vec2((sums.r + sums.g) + (sums.b + sums.a), 0.0);
#endif
}

void main() {
  StridedLoop strided = stridedLoop(indexOfFragment());
  Grids grids = gridsOf(strided.channel);
  vec4 total = vec4(0.0);
  vec4 others = vec4(0.0);
  for (int block = 0; block < 1024; ++block) {
    int left = strided.steps - 64 * block;
    if (left <= 0) break;
    vec4 part = vec4(0.0);
    vec4 partOthers = vec4(0.0);
    for (int i = 0; i < TIMES(left < 64 ? left : 64, 64); ++i) {
      if (PAST(i, left)) break;
      vec4 x = lanesOf(X_LAYOUT, X, xAt, strided.t, strided.place, matrix);
      vec4 dy = lanesOf(DY_LAYOUT, DY, dyAt, strided.t, strided.place, matrix);
      part += gradients(dy, x, strided, grids, FIRST);
      if (SECOND != NONE) partOthers += gradients(dy, x, strided, grids, SECOND);
      advance(strided);
    }
    total += part;
    others += partOthers;
  }
  setOutput(vec4(reduceLanes(total), reduceLanes(others)));
}
