// A reduction's first pass: each fragment walks over some texels of one channel and leaves a partial result. A
// channel's texels are counted outer by outer; `chunks` walks share them. Within a group of walks, steps interleave,
// so that neighbouring fragments read neighbouring texels. No step divides.

struct Walk {
  int channel;
  // The texel's number among its channel's, and where the walk ends.
  int at;
  int end;
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
  int run = quotient(at, view.y);
  int inRun = at - run * view.y;
  int t = (run * view.x + channel) * view.y + inRun;
  return Walk(channel, at, used ? end : 0, inRun, t, placeOf(t, domain.y));
}

void advance(inout Walk walk) {
  walk.at += plan.z;
  walk.inRun += strides.x;
  bool wraps = walk.inRun >= view.y;
  walk.inRun -= wraps ? view.y : 0;
  walk.t += wraps ? strides.z : strides.y;
  walk.place += wraps ? stridePlaces.zw : stridePlaces.xy;
  if (walk.place.x >= domain.y) walk.place += ivec2(-domain.y, 1);
}
