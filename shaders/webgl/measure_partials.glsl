// The extremes of two neighbouring channels' partial extremes, as a texel of the packed matrix [2, channels]; or of the row [2].

// What stands for a channel that is not there is 0, as tfjs's packed products need it.
vec4 paired(const vec4 extremes, const bool isPair) {
  return isPair ? extremes : vec4(extremes.x, 0, extremes.z, 0);
}

void main() {
  int pair = indexOfFragment();
#if defined(LANES_SAME)
  bool isPair = 2 * pair + 1 < view.x;
  vec4 one = extremesOf(2 * pair);
  vec4 two = isPair ? extremesOf(2 * pair + 1) : one;
  one = widen(one, one.zwzw);
  two = widen(two, two.zwzw);
#if defined(PER_TENSOR)
  setOutput(vec4(one.xy, 0, 0));
#else
  setOutput(paired(vec4(one.x, two.x, one.y, two.y), isPair));
#endif
#else
#if defined(LANES_COLUMNS)
  int channels = matrix.y;
#else
  int channels = matrix.x;
#endif
  setOutput(paired(extremesOf(pair).xzyw, 2 * pair + 1 < channels));
#endif
}
