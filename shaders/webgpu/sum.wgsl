// One partial sum of `straightThrough` per thread, or, of BOTH sides, first those below, then those above. Summed by
// blocks, lest a long sum lose digits.

const BOTH = 5u;
const FIRST = select(SIDE, BELOW, SIDE == BOTH);
const BLOCK = 16u;

fn main(index: i32) {
  opaqueZero = bitcast<u32>(uniforms.INFINITY) ^ INFINITY_BITS;
  let thread = u32(index);
  let strided = stridedLoop(thread);
  let grid = gridAt(strided.channel);
  var total = Lanes(0.0);
  var above = Lanes(0.0);
  var i = strided.first;
  while (i < strided.end) {
    let stop = min(strided.end, i + BLOCK * uniforms.step);
    var block = Lanes(0.0);
    var blockAbove = Lanes(0.0);
    for (; i < stop; i += uniforms.step) {
      block += straightThrough(Lanes(dy[i]), Lanes(x[i]), grid, FIRST);
      if (SIDE == BOTH) {
        blockAbove += straightThrough(Lanes(dy[i]), Lanes(x[i]), grid, ABOVE);
      }
    }
    total += block;
    above += blockAbove;
  }
  if (thread < uniforms.threads) {
    result[thread] = laneSum(total);
    if (SIDE == BOTH) {
      result[uniforms.threads + thread] = laneSum(above);
    }
  }
}
