// Partial sums of `route`: (even channel, odd channel). Blocks of 64 keep float32 accurate.

vec4 routed(Walk walk, Grids grids) {
  vec4 x = lanesOf(X_LIE, X, Source(xAt.xy, xAt.z), walk.t, walk.place, matrix);
  vec4 dy = lanesOf(DY_LIE, DY, Source(dyAt.xy, dyAt.z), walk.t, walk.place, matrix);
#if defined(PACKED)
  vec4 parts = vec4(
    route(dy.r, x.r, grids.even, SIDE),
    route(dy.g, x.g, grids.GRID_G, SIDE),
    route(dy.b, x.b, grids.GRID_B, SIDE),
    route(dy.a, x.a, grids.odd, SIDE)
  );
#if defined(RAGGED)
  bvec4 inside = insideOf(walk.t, matrix);
  return vec4(parts.r, inside.g ? parts.g : 0.0, inside.b ? parts.b : 0.0, inside.a ? parts.a : 0.0);
#else
  return parts;
#endif
#else
  return vec4(route(dy.r, x.r, grids.even, SIDE), 0.0, 0.0, 0.0);
#endif
}

void main() {
  Walk walk = walkOf(indexOfFragment());
  Grids grids = gridsOf(walk.channel);
  vec4 total = vec4(0.0);
  for (int block = 0; block < 1024; ++block) {
    if (walk.at >= walk.end) break;
    vec4 part = vec4(0.0);
    for (int i = 0; i < 64; ++i) {
      if (walk.at >= walk.end) break;
      part += routed(walk, grids);
      advance(walk);
    }
    total += part;
  }
#if defined(LANES_COLUMNS)
  setOutput(vec4(total.rg + total.ba, 0.0, 0.0));
#elif defined(LANES_ROWS)
  setOutput(vec4(total.rb + total.ga, 0.0, 0.0));
#else
  setOutput(vec4((total.r + total.g) + (total.b + total.a), 0.0, 0.0, 0.0));
#endif
}
