// The sum of a channel's partial sums, of the first side or, in row 1, of the second. `rowAt` has the first of the output's rows,
// and how long they are.

void main() {
  ivec2 place = placeOf(indexOfFragment(), rowAt.y);
  int channel = place.x;
  int row = rowAt.x + place.y;
#if defined(LANES_SAME)
  int texelChannel = channel;
  bool odd = false;
#else
  int texelChannel = channel / 2;
  bool odd = channel == 2 * texelChannel + 1;
#endif
  float total = 0.0;
  for (int block = 0; block < 1024; ++block) {
    if (64 * block >= plan.x) break;
    float part = 0.0;
    for (int i = 0; i < 64; ++i) {
      int chunk = 64 * block + i;
      if (chunk >= plan.x) break;
      vec4 partial = partialOf(texelChannel, chunk);
      vec2 sums = row == 1 ? partial.ba : partial.rg;
      part += odd ? sums.g : sums.r;
    }
    total += part;
  }
  setOutput(total);
}
