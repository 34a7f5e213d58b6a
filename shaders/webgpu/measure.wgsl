// The smallest and the largest x that each thread visits: all smallest first, then all largest. NaN fails both tests.

fn main(index: i32) {
  let thread = u32(index);
  let walk = walkOf(thread);
  var low = Lanes(uniforms.INFINITY);
  var high = Lanes(-uniforms.INFINITY);
  for (var i = walk.first; i < walk.end; i += uniforms.step) {
    let v = Lanes(x[i]);
    low = select(low, v, v < low);
    high = select(high, v, v > high);
  }
  if (thread < uniforms.threads) {
    result[thread] = foldLow(low);
    result[uniforms.threads + thread] = foldHigh(high);
  }
}
