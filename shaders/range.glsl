// The grids of a texel's even and odd lanes. `channel` counts as texels do.

struct Grids {
  Grid even;
  Grid odd;
};

Grids gridsOf(const int channel) {
#if defined(SHARED) && defined(AT_CORNERS)
  Grid grid = Grid(gridHere.x, inverseHere, gridHere.y, gridHere.z, gridHere.w, emptyHere == 1, true);
  return Grids(grid, grid);
#elif defined(SHARED)
  Grid grid = sharedGrid();
  return Grids(grid, grid);
#else
  vec4 bounds = boundsOf(channel);
  Grid even = gridBetween(bounds.r, bounds.b);
#if defined(LANES_SAME)
  return Grids(even, even);
#else
  return Grids(even, gridBetween(bounds.g, bounds.a));
#endif
#endif
}

#if defined(LANES_ROWS)
#define GRID_G even
#define GRID_B odd
#else
#define GRID_G odd
#define GRID_B even
#endif

// What `of(lane, grid)` makes of the lanes, each with its grid. A matrix of one row has two to a texel.
#if !defined(PACKED)
#define EACH_LANE(of) vec4(of(r, even), 0, 0, 0)
#elif defined(ONE_ROW)
#define EACH_LANE(of) vec4(of(r, even), of(g, GRID_G), 0, 0)
#else
#define EACH_LANE(of) vec4(of(r, even), of(g, GRID_G), of(b, GRID_B), of(a, odd))
#endif
