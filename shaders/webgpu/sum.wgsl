// One partial sum of routed gradients per thread, or, of BOTH sides, first those below, then those above. Summed by
// blocks, lest a long sum lose digits.

const BOTH = 5u;
const FIRST = select(SIDE, BELOW, SIDE == BOTH);
const BLOCK = 16u;

fn main(index: i32) {
  nothing = bitcast<u32>(uniforms.INFINITY) ^ INFINITY_BITS;
  let thread = u32(index);
  let walk = walkOf(thread);
  let grid = gridAt(walk.channel);
  var total = Lanes(0.0);
  var above = Lanes(0.0);
  var i = walk.first;
  while (i < walk.end) {
    let stop = min(walk.end, i + BLOCK * uniforms.step);
    var block = Lanes(0.0);
    var blockAbove = Lanes(0.0);
    for (; i < stop; i += uniforms.step) {
      block += route(Lanes(dy[i]), Lanes(x[i]), grid, FIRST);
      if (SIDE == BOTH) {
        blockAbove += route(Lanes(dy[i]), Lanes(x[i]), grid, ABOVE);
      }
    }
    total += block;
    above += blockAbove;
  }
  if (thread < uniforms.threads) {
    result[thread] = foldSum(total);
    if (SIDE == BOTH) {
      result[uniforms.threads + thread] = foldSum(above);
    }
  }
}
