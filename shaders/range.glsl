// The grids of a texel's even and odd lanes. `channel` counts as texels do.

struct Grids {
  Grid even;
  Grid odd;
};

#if defined(AT_CORNERS)
flat in vec3 sharedSteps;
flat in vec3 sharedBounds;
#endif

Grids gridsOf(const int channel) {
#if defined(AT_CORNERS)
  Grid grid =
    Grid(sharedSteps.x, sharedSteps.y, sharedSteps.z, sharedBounds.x, sharedBounds.y, sharedBounds.z == 1.0, true);
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
