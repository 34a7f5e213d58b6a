// dy where x lies on a side of its range.

#define GRADIENT(lane, grid) straightThrough(dy.lane, x.lane, grids.grid, SIDE)

void main() {
  Grids grids = GRIDS_HERE;
  vec4 x = lanesHere(X_LAYOUT, X, xAt);
  vec4 dy = lanesHere(DY_LAYOUT, DY, dyAt);
  setLanes(EACH_LANE(GRADIENT));
}
