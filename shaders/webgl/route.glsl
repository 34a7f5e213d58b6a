// dy where x lies on a side of its range.

#define ROUTED(lane, grid) route(dy.lane, x.lane, grids.grid, SIDE)

void main() {
  Grids grids = GRIDS_HERE;
  vec4 x = lanesHere(X_LIE, X, Source(xAt.xy, xAt.z));
  vec4 dy = lanesHere(DY_LIE, DY, Source(dyAt.xy, dyAt.z));
  setLanes(EACH_LANE(ROUTED));
}
