// A range's bounds, from wherever they are, and a grid between them. Two sources, or one packed matrix whose rows they are.
#if defined(RANGE_NUMBERS)

Grid sharedGrid() {
  return Grid(gridSteps.x, gridSteps.y, gridSteps.z, gridBounds.x, gridBounds.y, gridBounds.z == 1.0, true);
}

#elif !defined(DERIVED)

Grid gridBetween(const float low, const float high) {
  return gridOf(FIT, low, high, Levels(levels.x, levels.y));
}

#if !defined(PER_CHANNEL)

// One range for all: z and w of a source are its place.
Grid sharedGrid() {
  vec4 low = texelAt(LOW, lowAt.xy, lowAt.zw);
#if defined(HIGH_LANE)
  return gridBetween(low.r, low.HIGH_LANE);
#else
  return gridBetween(low.r, texelAt(HIGH, highAt.xy, highAt.zw).r);
#endif
}

#else

// z of a source is where it starts.
vec4 boundTexel(sampler2D bound, const ivec4 at, const int t) {
  if (IN_ROW) return texelAt(bound, at.xy, ivec2(t + at.z, 0));
  return texelOf(bound, at.xyz, t);
}

// A texel of 2x2 holds a bound, or both, of two neighbouring channels.
vec4 packedBounds(sampler2D bound, const ivec4 at, const int channel) {
#if defined(LANES_SAME)
  int pair = quotient(channel, 2);
  vec4 texel = boundTexel(bound, at, pair);
  return channel == 2 * pair ? texel.rrbb : texel.ggaa;
#else
  return boundTexel(bound, at, channel);
#endif
}

vec2 boundAt(sampler2D bound, const ivec4 at, const bool inPairs, const int channel) {
  if (inPairs) return packedBounds(bound, at, channel).rg;
#if defined(LANES_SAME)
  return boundTexel(bound, at, channel).rr;
#else
  return vec2(boundTexel(bound, at, 2 * channel).r, boundTexel(bound, at, 2 * channel + 1).r);
#endif
}

// The lows of a texel's even and odd lanes, then their highs.
vec4 boundsOf(const int channel) {
#if defined(HIGH_LANE)
  return packedBounds(LOW, lowAt, channel);
#else
  return vec4(boundAt(LOW, lowAt, LOW_PACKED, channel), boundAt(HIGH, highAt, HIGH_PACKED, channel));
#endif
}

#endif
#endif
