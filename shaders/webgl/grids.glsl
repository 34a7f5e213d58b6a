// The grids of a texel's even and odd lanes. `channel` counts as texels do.

struct Grids {
  Grid even;
  Grid odd;
};

#if defined(VERTEX_GRID)

flat in vec4 vertexGrid;
flat in float vertexInverse;
flat in int vertexEmpty;

#elif defined(DERIVED)

// From a row of grids. Only of an empty range both factors are 0.
Grid gridAt(const float u) {
  vec4 grid = sampleAt(GRIDS, vec2(u, 0.5));
  float zero = floor(rounded(-grid.x * grid.w) + 0.5);
  return Grid(grid.z, grid.w, FIT == NUDGE ? zero : 0.0, grid.x, grid.y, grid.z == 0.0 && grid.w == 0.0, true);
}

// u: the middle of a texel's channel, or of its two, as a part of the row.
Grids gridsAround(const float u) {
#if defined(LANES_SAME)
  Grid grid = gridAt(u);
  return Grids(grid, grid);
#else
  return Grids(gridAt(u - 0.25 * lookup.w), gridAt(u + 0.25 * lookup.w));
#endif
}

// For texels in place. Counted in steps that divide both a row of the texture and a run of a channel: there are lookup.x of
// them to a texel, lookup.y to a row beyond whole cycles of channels, 1 / lookup.z to a run. All so few that floats serve.
Grids gridsHere() {
#if defined(INNER_ONE)
  float middle = gl_FragCoord.x + (gl_FragCoord.y - 0.5) * lookup.y;
#else
  float steps = floor(gl_FragCoord.x * lookup.x) + (gl_FragCoord.y - 0.5) * lookup.y;
  float middle = floor((steps + 0.5) * lookup.z) + 0.5;
#endif
  return gridsAround(fract(middle * lookup.w));
}

#endif

Grids gridsOf(const int channel) {
#if defined(VERTEX_GRID)
  Grid grid = Grid(vertexGrid.x, vertexInverse, vertexGrid.y, vertexGrid.z, vertexGrid.w, vertexEmpty == 1, true);
  return Grids(grid, grid);
#elif defined(SHARED)
  Grid grid = sharedGrid();
  return Grids(grid, grid);
#elif defined(DERIVED)
  return gridsAround((float(channel) + 0.5) * lookup.w);
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

// The grids of the fragment's texel.
#if defined(SHARED)
#define GRIDS_HERE gridsOf(0)
#elif defined(DERIVED)
#define GRIDS_HERE gridsHere()
#else
#define GRIDS_HERE gridsOf(channelOf(placeOfFragment(), view))
#endif

#if defined(LANES_ROWS)
#define GRID_G even
#define GRID_B odd
#else
#define GRID_G odd
#define GRID_B even
#endif

// What `of(lane, grid)` makes of the lanes, each with its grid. A matrix of one row or of one column has two to a texel.
#if !defined(PACKED)
#define EACH_LANE(of) vec4(of(r, even), 0, 0, 0)
#elif defined(ONE_ROW)
#define EACH_LANE(of) vec4(of(r, even), of(g, GRID_G), 0, 0)
#elif defined(ONE_COLUMN)
#define EACH_LANE(of) vec4(of(r, even), 0, of(b, GRID_B), 0)
#else
#define EACH_LANE(of) vec4(of(r, even), of(g, GRID_G), of(b, GRID_B), of(a, odd))
#endif
