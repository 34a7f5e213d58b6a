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

struct Bins {
  // To 1, which is exact, as the width is a power of two.
  float perUnit;
  float below;
};

Bins binsOf(const float low, const float high) {
  float start = min(low, 0.0);
  float extent = max(high, 0.0) - start;
  float perUnit = powerOfTwo(-max(exponentOf(extent) - 11, -126));
  return Bins(perUnit, -floor(start * perUnit));
}

vec4 binOf(const vec4 v, const Bins bins) {
  return clamp(floor(v * bins.perUnit) + bins.below, 0.0, BINS - 1.0);
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
  Bins bins = binsOf(extremes.r, high);
  int first = 2 * indexOfFragment();
  vec4 one = binOf(fourOf(first), bins);
  vec4 two = binOf(fourOf(first + 1), bins);
  setOutput(vec4(one.xz, two.xz) * BINS + vec4(one.yw, two.yw));
}
