// dy where x lies on a side of its range.

void main() {
  Grids grids = gridsOf(channelOfFragment());
  vec4 x = lanesHere(X_LIE, X, Source(xAt.xy, xAt.z));
  vec4 dy = lanesHere(DY_LIE, DY, Source(dyAt.xy, dyAt.z));
#if defined(PACKED)
  setOutput(
    vec4(
      route(dy.r, x.r, grids.even, SIDE),
      route(dy.g, x.g, grids.GRID_G, SIDE),
      route(dy.b, x.b, grids.GRID_B, SIDE),
      route(dy.a, x.a, grids.odd, SIDE)
    )
  );
#else
  setOutput(route(dy.r, x.r, grids.even, SIDE));
#endif
}
