// The bin of each value, as kernels/histogram.ts has it. Two bins make one number, of 24 bits, and eight values one texel: those of
// texels that are side by side in x's texture. Lanes without a value stand for 0.

const float BINS = 4096.0;

// How many to 1, and how many below 0: from the vertex shader.
flat in vec2 bins;

vec4 binOf(const vec4 v) {
  return clamp(floor(v * bins.x) + bins.y, 0.0, BINS - 1.0);
}

// The texel at a place in x's texture, if the tensor has it.
vec4 hereOf(const ivec2 place) {
  int t = place.y * xAt.x + place.x - xAt.z;
  if (place.x >= xAt.x || t < 0 || t >= count) return vec4(0);
  vec4 lanes = texelAt(X, xAt.xy, place);
#if defined(RAGGED)
  return keepInside(lanes, insideOf(t, matrix));
#else
  return lanes;
#endif
}

// The four values that come after so many fours, from a place on.
vec4 fourOf(const ivec2 place, const int fours) {
#if defined(PACKED)
  return hereOf(place + ivec2(fours, 0));
#else
  vec4 lanes = vec4(0);
  for (int lane = 0; lane < 4; ++lane) lanes[lane] = hereOf(place + ivec2(4 * fours + lane, 0)).r;
  return lanes;
#endif
}

void main() {
  ivec2 place = placeOfFragment() * ivec2(EACH, 1);
  vec4 one = binOf(fourOf(place, 0));
  vec4 two = binOf(fourOf(place, 1));
  setOutput(vec4(one.xz, two.xz) * BINS + vec4(one.yw, two.yw));
}
