// Each workgroup leaves a pair, of the only channel.

const THREADS = 64u;

var<workgroup> lows: array<Channels, THREADS>;
var<workgroup> highs: array<Channels, THREADS>;

fn leave(thread: u32, lowest: Channels, highest: Channels) {
  let own = thread % THREADS;
  lows[own] = lowest;
  highs[own] = highest;
  workgroupBarrier();
  if (own > 0u) {
    return;
  }
  var extremes = array(lowest, highest);
  for (var other = 1u; other < THREADS; other++) {
    extremes[0] = min(extremes[0], lows[other]);
    extremes[1] = max(extremes[1], highs[other]);
  }
  let part = 2u * (thread / THREADS);
  result[part] = extremes[0];
  result[part + 1u] = extremes[1];
}
