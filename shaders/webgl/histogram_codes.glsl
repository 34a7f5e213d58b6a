// The bin of each value, as kernels/histogram.ts has it. Two bins make one number, of 24 bits, and eight values one texel. Lanes
// without a value stand for 0.

const float BINS = 4096.0;

// How many to 1, and how many below 0: from the vertex shader.
flat in vec2 bins;

vec4 binOf(const vec4 v) {
  return clamp(floor(v * bins.x) + bins.y, 0.0, BINS - 1.0);
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
  int first = 2 * indexOfFragment();
  vec4 one = binOf(fourOf(first));
  vec4 two = binOf(fourOf(first + 1));
  setOutput(vec4(one.xz, two.xz) * BINS + vec4(one.yw, two.yw));
}
