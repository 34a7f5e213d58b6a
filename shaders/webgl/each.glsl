// One texel of the output per fragment: which texel, of which channel.

ivec2 placeOfFragment() {
  return ivec2(gl_FragCoord.xy);
}

int indexOfFragment() {
#if defined(PACKED_OUTPUT)
  int width = outTexShape[1] / 2;
#else
  int width = outTexShape[1];
#endif
  ivec2 place = placeOfFragment();
  return place.y * width + place.x;
}

// The lanes of an input at the fragment's texel.
vec4 lanesHere(int lie, sampler2D texture0, Source source) {
  if (lie == OVERLAID) return sampleAt(texture0, resultUV);
  return lanesOf(lie, texture0, source, indexOfFragment(), placeOfFragment(), matrix);
}

// tfjs's packed products multiply what lies outside of the matrices too: it has to be 0.
void setLanes(const vec4 lanes) {
#if defined(PACKED_OUTPUT) && defined(RAGGED)
  bvec4 inside = insideOf(indexOfFragment(), matrix);
  setOutput(vec4(lanes.r, inside.g ? lanes.g : 0.0, inside.b ? lanes.b : 0.0, inside.a ? lanes.a : 0.0));
#elif defined(PACKED_OUTPUT)
  setOutput(lanes);
#else
  setOutput(lanes.r);
#endif
}
