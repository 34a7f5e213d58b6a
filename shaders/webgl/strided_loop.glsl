// A reduction's first pass: each fragment loops over some texels of one channel and leaves a partial result. A channel's
// texels are counted outer by outer; `chunks` loops share them. Within a group of loops, steps interleave, so that
// neighbouring fragments read neighbouring texels. No step divides. kernels/webgl/reductions.ts plans it.

// A loop of `count` turns, at most `most` of them: the first GLSL has it count to a constant, and leave where it is past.
#if __VERSION__ >= 300
#define TIMES(count, most) (count)
#define PAST(i, count) false
#else
#define TIMES(count, most) (most)
#define PAST(i, count) (i >= (count))
#endif

struct StridedLoop {
  int channel;
  int steps;
  // The texel's number within its run of `inner`, among all, and its place in the texture.
  int inRun;
  int t;
  ivec2 place;
};

StridedLoop stridedLoop(int index) {
  bool channelsAdjoin = plan.w == 1;
  int minor = channelsAdjoin ? view.x : plan.x;
  int major = quotient(index, minor);
  int rest = index - major * minor;
  int channel = channelsAdjoin ? rest : major;
  int chunk = channelsAdjoin ? major : rest;
  bool used = channel < view.x && chunk < plan.x;
  int group = quotient(chunk, plan.z);
  int span = plan.y * plan.z;
  int at = group * span + (chunk - group * plan.z);
  int end = (group + 1) * span < ends.x ? (group + 1) * span : ends.x;
  int steps = used && at < end ? quotient(end - at + plan.z - 1, plan.z) : 0;
  int run = quotient(at, view.y);
  int inRun = at - run * view.y;
  int t = (run * view.x + channel) * view.y + inRun;
  return StridedLoop(channel, steps, inRun, t, placeOf(t, ends.y));
}

void advance(inout StridedLoop strided) {
#if defined(PER_CHANNEL)
  strided.inRun += strides.x;
  bool wraps = strided.inRun >= view.y;
  strided.inRun -= wraps ? view.y : 0;
  strided.t += wraps ? strides.z : strides.y;
  strided.place += wraps ? stridePlaces.zw : stridePlaces.xy;
#else
  strided.t += strides.y;
  strided.place += stridePlaces.xy;
#endif
  if (strided.place.x >= ends.y) strided.place += ivec2(-ends.y, 1);
}
