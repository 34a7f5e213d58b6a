// The grids of a texel's four lanes, from wherever the range is. `channel` counts as texels do.

struct Grids {
  Grid r;
  Grid g;
  Grid b;
  Grid a;
};

Grids lanesOfGrids(Grid even, Grid odd) {
#if defined(LANES_COLUMNS)
  return Grids(even, odd, even, odd);
#elif defined(LANES_ROWS)
  return Grids(even, even, odd, odd);
#else
  return Grids(even, even, even, even);
#endif
}

#if defined(RANGE_NUMBERS)

Grids gridsOf(int channel) {
  Grid grid = Grid(gridSteps.x, gridSteps.y, gridSteps.z, gridBounds.x, gridBounds.y, gridBounds.z == 1.0, true);
  return lanesOfGrids(grid, grid);
}

#else

Grid gridBetween(float low, float high) {
  return gridOf(FIT, low, high, Levels(levels.x, levels.y));
}

#if !defined(PER_CHANNEL)

// One range for all: z and w of a source are its place.
Grids gridsOf(int channel) {
#if defined(RANGE_MEASURED)
  vec4 both = texelAt(BOTH, bothAt.xy, ivec2(0, 0));
  Grid grid = gridBetween(both.r, both.b);
#else
  Grid grid = gridBetween(texelAt(LOW, lowAt.xy, lowAt.zw).r, texelAt(HIGH, highAt.xy, highAt.zw).r);
#endif
  return lanesOfGrids(grid, grid);
}

#elif defined(RANGE_MEASURED)

// A packed matrix [2, channels]: a texel holds two channels' lows, then their highs.
Grids gridsOf(int channel) {
#if defined(LANES_SAME)
  vec4 both = texelOf(BOTH, Source(bothAt.xy, 0), channel / 2);
  bool odd = channel - 2 * (channel / 2) == 1;
  Grid grid = gridBetween(odd ? both.g : both.r, odd ? both.a : both.b);
  return lanesOfGrids(grid, grid);
#else
  vec4 both = texelOf(BOTH, Source(bothAt.xy, 0), channel);
  return lanesOfGrids(gridBetween(both.r, both.b), gridBetween(both.g, both.a));
#endif
}

#else

// A bound at `channel` and the next. z of a source is where the tensor starts, w whether it is packed.
vec2 boundsAt(sampler2D bound, ivec4 at, int channel) {
  Source source = Source(at.xy, at.z);
  if (at.w == 1) {
    vec4 pair = texelOf(bound, source, channel / 2);
    return channel - 2 * (channel / 2) == 1 ? pair.gr : pair.rg;
  }
#if defined(LANES_SAME)
  return texelOf(bound, source, channel).rr;
#else
  return vec2(texelOf(bound, source, channel).r, texelOf(bound, source, channel + 1).r);
#endif
}

Grids gridsOf(int channel) {
#if defined(LANES_SAME)
  Grid grid = gridBetween(boundsAt(LOW, lowAt, channel).x, boundsAt(HIGH, highAt, channel).x);
  return lanesOfGrids(grid, grid);
#else
  vec2 low = boundsAt(LOW, lowAt, 2 * channel);
  vec2 high = boundsAt(HIGH, highAt, 2 * channel);
  return lanesOfGrids(gridBetween(low.x, high.x), gridBetween(low.y, high.y));
#endif
}

#endif
#endif
