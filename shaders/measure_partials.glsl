// The extremes of two neighbouring channels' partial extremes, as a texel of the packed matrix [2, channels]; or of the row [2].

vec4 widen(vec4 extremes, vec4 partial) {
  return vec4(
    partial.x < extremes.x ? partial.x : extremes.x,
    partial.y > extremes.y ? partial.y : extremes.y,
    partial.z < extremes.z ? partial.z : extremes.z,
    partial.w > extremes.w ? partial.w : extremes.w
  );
}

vec4 extremesOf(int channel) {
  vec4 extremes = vec4(infinity, -infinity, infinity, -infinity);
  for (int chunk = 0; chunk < 65536; ++chunk) {
    if (chunk >= plan.x) break;
    extremes = widen(extremes, partialOf(channel, chunk));
  }
  return extremes;
}

void main() {
  int pair = indexOfFragment();
#if defined(LANES_SAME)
  vec4 one = extremesOf(2 * pair);
  vec4 two = extremesOf(2 * pair + 1 < view.x ? 2 * pair + 1 : 2 * pair);
  one = widen(one, one.zwzw);
  two = widen(two, two.zwzw);
#if defined(PER_TENSOR)
  setOutput(one);
#else
  setOutput(vec4(one.x, two.x, one.y, two.y));
#endif
#else
  vec4 both = extremesOf(pair);
  setOutput(both.xzyw);
#endif
}
