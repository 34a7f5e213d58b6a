// Partial extremes: (lowest, highest) of the even channel, then of the odd one. NaN compares false, so it is skipped; if IN_PARTS,
// what is no finite number makes the highest infinite.

vec2 widen(vec2 extremes, float x) {
  if (IN_PARTS && !(abs(x) <= LARGEST_FLOAT)) return vec2(extremes.x, infinity);
  return vec2(x < extremes.x ? x : extremes.x, x > extremes.y ? x : extremes.y);
}

void main() {
  StridedLoop strided = stridedLoop(indexOfFragment());
  vec2 even = vec2(infinity, -infinity);
  vec2 odd = even;
  for (int i = 0; i < TIMES(strided.steps, 65536); ++i) {
    if (PAST(i, strided.steps)) break;
    vec4 x = lanesOf(X_LAYOUT, X, xAt, strided.t, strided.place, matrix);
#if defined(RAGGED)
    bvec4 inside = insideOf(strided.t, matrix);
    x.gb = vec2(inside.g ? x.g : x.r, inside.b ? x.b : x.r);
#if defined(LANES_ROWS)
    x.a = inside.a ? x.a : x.b;
#else
    x.a = inside.a ? x.a : x.g;
#endif
#endif
    even = widen(even, x.r);
#if defined(PACKED)
#if defined(ONE_ROW)
    odd = widen(odd, x.g);
#elif defined(ONE_COLUMN)
    odd = widen(odd, x.b);
#elif defined(LANES_COLUMNS)
    even = widen(even, x.b);
    odd = widen(widen(odd, x.g), x.a);
#elif defined(LANES_ROWS)
    even = widen(even, x.g);
    odd = widen(widen(odd, x.b), x.a);
#else
    even = widen(widen(even, x.g), x.b);
    odd = widen(odd, x.a);
#endif
#endif
    advance(strided);
  }
  setOutput(vec4(even, odd));
}
