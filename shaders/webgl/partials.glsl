// A reduction's second pass reads what the loops of the first one left.

vec4 partialOf(int channel, int chunk) {
  bool channelsAdjoin = plan.w == 1;
  int index = channelsAdjoin ? chunk * view.x + channel : channel * plan.x + chunk;
  return texelOf(PARTIALS, ivec3(partialsAt, 0), index);
}
