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
