// The smallest and the largest x that each thread visits: all smallest first, then all largest. NaN fails both tests. If
// IN_PARTS, a workgroup leaves one pair, of the only channel, and what is no finite number makes the largest infinite.

const THREADS = 64u;

var<workgroup> lows: array<Channels, select(1u, THREADS, IN_PARTS)>;
var<workgroup> highs: array<Channels, select(1u, THREADS, IN_PARTS)>;

fn main(index: i32) {
  let thread = u32(index);
  let strided = stridedLoop(thread);
  var low = Lanes(uniforms.INFINITY);
  var high = Lanes(-uniforms.INFINITY);
  for (var i = strided.first; i < strided.end; i += uniforms.step) {
    let v = Lanes(x[i]);
    low = select(low, v, v < low);
    high = select(high, v, v > high);
    if (IN_PARTS) {
      high = select(Lanes(uniforms.INFINITY), high, abs(v) <= Lanes(LARGEST_FLOAT));
    }
  }
  let lowest = laneMin(low);
  let highest = laneMax(high);
  if (!IN_PARTS) {
    if (thread < uniforms.threads) {
      result[thread] = lowest;
      result[uniforms.threads + thread] = highest;
    }
    return;
  }
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
