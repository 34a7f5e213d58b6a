// dy where x lies on a side of its range.

void main() {
  int t = indexOfFragment();
#if defined(PER_CHANNEL)
  Grids grids = gridsOf(channelOf(t, View(view.x, view.y)));
#else
  Grids grids = gridsOf(0);
#endif
  vec4 x = lanesOf(X_LIE, X, Source(xAt.xy, xAt.z), t, placeOfFragment(), matrix);
  vec4 dy = lanesOf(DY_LIE, DY, Source(dyAt.xy, dyAt.z), t, placeOfFragment(), matrix);
#if defined(PACKED)
  setOutput(
    vec4(
      route(dy.r, x.r, grids.r, SIDE),
      route(dy.g, x.g, grids.g, SIDE),
      route(dy.b, x.b, grids.b, SIDE),
      route(dy.a, x.a, grids.a, SIDE)
    )
  );
#else
  setOutput(route(dy.r, x.r, grids.r, SIDE));
#endif
}
