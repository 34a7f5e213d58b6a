// Partial sums of `route`: of the even channel and the odd one, and for BOTH sides first those below, then those above.
// Blocks of 64 keep float32 accurate.

const int BOTH = 5;
const int FIRST = SIDE == BOTH ? BELOW : SIDE;

#define ROUTED(lane, grid) route(dy.lane, x.lane, grids.grid, side)

vec4 routed(const vec4 dy, const vec4 x, const Walk walk, const Grids grids, const int side) {
  vec4 parts = EACH_LANE(ROUTED);
#if defined(RAGGED)
  bvec4 inside = insideOf(walk.t, matrix);
  return vec4(parts.r, inside.g ? parts.g : 0.0, inside.b ? parts.b : 0.0, inside.a ? parts.a : 0.0);
#else
  return parts;
#endif
}

vec2 folded(const vec4 sums) {
#if defined(LANES_COLUMNS)
  return sums.rg + sums.ba;
#elif defined(LANES_ROWS)
  return sums.rb + sums.ga;
#else
  return vec2((sums.r + sums.g) + (sums.b + sums.a), 0.0);
#endif
}

void main() {
  Walk walk = walkOf(indexOfFragment());
  Grids grids = gridsOf(walk.channel);
  vec4 total = vec4(0.0);
  vec4 above = vec4(0.0);
  for (int block = 0; block < 1024; ++block) {
    int left = walk.steps - 64 * block;
    if (left <= 0) break;
    vec4 part = vec4(0.0);
    vec4 partAbove = vec4(0.0);
    for (int i = 0; i < TIMES(left < 64 ? left : 64, 64); ++i) {
      if (PAST(i, left)) break;
      vec4 x = lanesOf(X_LIE, X, Source(xAt.xy, xAt.z), walk.t, walk.place, matrix);
      vec4 dy = lanesOf(DY_LIE, DY, Source(dyAt.xy, dyAt.z), walk.t, walk.place, matrix);
      part += routed(dy, x, walk, grids, FIRST);
      if (SIDE == BOTH) partAbove += routed(dy, x, walk, grids, ABOVE);
      advance(walk);
    }
    total += part;
    above += partAbove;
  }
  setOutput(vec4(folded(total), folded(above)));
}
