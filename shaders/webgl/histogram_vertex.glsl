// Draws what tfjs's vertex shader draws, and finds the bins that all values share: kernels/histogram.ts, function for function.

in vec3 clipSpacePos;
in vec2 uv;
out vec2 resultUV;
flat out vec2 bins;

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

void main() {
  gl_Position = vec4(clipSpacePos, 1);
  resultUV = uv;
  vec2 extremes = vec2(0);
  for (int i = 0; i < partCount; ++i) {
    vec4 part = texelOf(PARTS, partsAt, i);
    float low = part.x < part.z ? part.x : part.z;
    float high = part.y > part.w ? part.y : part.w;
    extremes = vec2(low < extremes.x ? low : extremes.x, high > extremes.y ? high : extremes.y);
  }
  Bins found = binsOf(extremes.x, extremes.y);
  bins = vec2(found.perUnit, found.below);
}
