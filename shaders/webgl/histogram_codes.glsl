// The bin of each value, about the extremes: kernels/histogram.ts, function for function. Two bins make one number, of 24 bits,
// and eight values one texel. Lanes without a value stand for 0.

const float BINS = 4096.0;

// Of a number that is not negative.
int exponentOf(const float v) {
  return (floatBitsToInt(v) >> 23) - 127;
}

float powerOfTwo(const int exponent) {
  return intBitsToFloat((exponent + 127) << 23);
}

// Values, by fours: texels of a packed texture, else four neighbours.
vec4 fourOf(const int i) {
#if defined(PACKED)
  if (i >= count) return vec4(0);
  vec4 lanes = texelOf(X, xAt, i);
  return keepInside(lanes, insideOf(i, matrix));
#else
  vec4 lanes = vec4(0);
  for (int lane = 0; lane < 4; ++lane) {
    if (4 * i + lane < count) lanes[lane] = texelOf(X, xAt, 4 * i + lane).r;
  }
  return lanes;
#endif
}

void main() {
  vec4 extremes = texelOf(EXTREMES, extremesAt, 0);
  float high = EXTREMES_PACKED ? extremes.g : texelOf(EXTREMES, extremesAt, 1).r;
  float low = min(extremes.r, 0.0);
  float perUnit = powerOfTwo(-max(exponentOf(max(high, 0.0) - low) - 11, -126));
  float below = -floor(low * perUnit);
  int first = 2 * indexOfFragment();
  vec4 one = clamp(floor(fourOf(first) * perUnit) + below, 0.0, BINS - 1.0);
  vec4 two = clamp(floor(fourOf(first + 1) * perUnit) + below, 0.0, BINS - 1.0);
  setOutput(vec4(one.xz, two.xz) * BINS + vec4(one.yw, two.yw));
}
