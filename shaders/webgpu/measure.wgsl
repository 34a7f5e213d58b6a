// The smallest and the largest x that each thread visits: all smallest first, then all largest. NaN fails both tests. If
// STRICT, what is no finite number makes the largest infinite.

fn main(index: i32) {
  let thread = u32(index);
  let strided = stridedLoop(thread);
  var low = Lanes(uniforms.INFINITY);
  var high = Lanes(-uniforms.INFINITY);
  for (var i = strided.first; i < strided.end; i += uniforms.step) {
    let v = Lanes(x[i]);
    low = select(low, v, v < low);
    high = select(high, v, v > high);
    if (STRICT) {
      high = select(Lanes(uniforms.INFINITY), high, abs(v) <= Lanes(LARGEST_FLOAT));
    }
  }
  if (thread < uniforms.threads) {
    result[thread] = laneMin(low);
    result[uniforms.threads + thread] = laneMax(high);
  }
}
