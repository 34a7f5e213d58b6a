// A reduction's first pass: each fragment walks over some texels of one channel and leaves a partial result. A
// channel's texels are counted outer by outer; `chunks` walks share them. Within a group of walks, steps interleave,
// so that neighbouring fragments read neighbouring texels. No step divides.

// A loop of `count` turns, at most `most` of them: the first GLSL has it count to a constant, and leave where it is past.
#if __VERSION__ >= 300
#define TIMES(count, most) (count)
#define PAST(i, count) false
#else
#define TIMES(count, most) (most)
#define PAST(i, count) (i >= (count))
#endif

struct Walk {
  int channel;
  int steps;
  // The texel's number within its run of `inner`, among all, and its place in the texture.
  int inRun;
  int t;
  ivec2 place;
};

Walk walkOf(int index) {
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
  int end = (group + 1) * span < domain.x ? (group + 1) * span : domain.x;
  int steps = used && at < end ? quotient(end - at + plan.z - 1, plan.z) : 0;
  int run = quotient(at, view.y);
  int inRun = at - run * view.y;
  int t = (run * view.x + channel) * view.y + inRun;
  return Walk(channel, steps, inRun, t, placeOf(t, domain.y));
}

void advance(inout Walk walk) {
#if defined(PER_CHANNEL)
  walk.inRun += strides.x;
  bool wraps = walk.inRun >= view.y;
  walk.inRun -= wraps ? view.y : 0;
  walk.t += wraps ? strides.z : strides.y;
  walk.place += wraps ? stridePlaces.zw : stridePlaces.xy;
#else
  walk.t += strides.y;
  walk.place += stridePlaces.xy;
#endif
  if (walk.place.x >= domain.y) walk.place += ivec2(-domain.y, 1);
}
