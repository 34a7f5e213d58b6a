// The smallest and the largest x that each thread visits. NaN fails both tests. If IN_PARTS, what is no finite number makes the
// largest infinite. `leave` is in measure_channels.wgsl or measure_parts.wgsl.

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
  leave(thread, laneMin(low), laneMax(high));
}
