// One partial sum of routed gradients per thread. Summed by blocks, lest a long sum lose digits.

const BLOCK = 16u;

fn main(index: i32) {
  nothing = bitcast<u32>(uniforms.INFINITY) ^ INFINITY_BITS;
  let thread = u32(index);
  let walk = walkOf(thread);
  let grid = gridAt(walk.channel);
  var total = Lanes(0.0);
  var i = walk.first;
  while (i < walk.end) {
    let stop = min(walk.end, i + BLOCK * uniforms.step);
    var block = Lanes(0.0);
    for (; i < stop; i += uniforms.step) {
      block += route(dy[i], x[i], grid, SIDE);
    }
    total += block;
  }
  if (thread < uniforms.threads) {
    result[thread] = foldSum(total);
  }
}
