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
vec4 lanesHere(int sourceLayout, sampler2D texture0, const ivec3 source) {
  if (sourceLayout == OVERLAID) return sampleAt(texture0, resultUV);
  return lanesOf(sourceLayout, texture0, source, indexOfFragment(), placeOfFragment(), matrix);
}

// tfjs's packed products multiply what lies outside of the matrices too: it has to be 0.
void setLanes(const vec4 lanes) {
#if defined(PACKED_OUTPUT) && defined(RAGGED)
  setOutput(keepInside(lanes, insideOf(indexOfFragment(), matrix)));
#elif defined(PACKED_OUTPUT)
  setOutput(lanes);
#else
  setOutput(lanes.r);
#endif
}
