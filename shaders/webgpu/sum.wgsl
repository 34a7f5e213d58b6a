// One partial sum of `straightThrough` per thread, of the FIRST side, then, unless there is NONE, of the SECOND. Summed by
// blocks, lest a long sum lose digits.

const BLOCK = 16u;

fn main(index: i32) {
  opaqueZero = bitcast<u32>(uniforms.INFINITY) ^ INFINITY_BITS;
  let thread = u32(index);
  let strided = stridedLoop(thread);
  let grid = gridAt(strided.channel);
  var total = Lanes(0.0);
  var others = Lanes(0.0);
  var i = strided.first;
  while (i < strided.end) {
    let stop = min(strided.end, i + BLOCK * uniforms.step);
    var block = Lanes(0.0);
    var blockOthers = Lanes(0.0);
    for (; i < stop; i += uniforms.step) {
      block += straightThrough(Lanes(dy[i]), Lanes(x[i]), grid, FIRST);
      if (SECOND != NONE) {
        blockOthers += straightThrough(Lanes(dy[i]), Lanes(x[i]), grid, SECOND);
      }
    }
    total += block;
    others += blockOthers;
  }
  if (thread < uniforms.threads) {
    result[thread] = laneSum(total);
    if (SECOND != NONE) {
      result[uniforms.threads + thread] = laneSum(others);
    }
  }
}
