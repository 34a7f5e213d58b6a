// The smallest and the largest x that each thread visits: all smallest first, then all largest. NaN fails both tests.

fn main(index: i32) {
  let thread = u32(index);
  let strided = stridedLoop(thread);
  var low = Lanes(uniforms.INFINITY);
  var high = Lanes(-uniforms.INFINITY);
  for (var i = strided.first; i < strided.end; i += uniforms.step) {
    let v = Lanes(x[i]);
    low = select(low, v, v < low);
    high = select(high, v, v > high);
  }
  if (thread < uniforms.threads) {
    result[thread] = laneMin(low);
    result[uniforms.threads + thread] = laneMax(high);
  }
}
