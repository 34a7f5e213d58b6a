// The partial results of a pass, [outer, channels, inner] once or twice (the smallest and the largest, or two sums),
// become one value per channel each: those from uniforms.start to uniforms.end. WIDTH threads make one: a single one,
// or a whole workgroup.

const SUM = 0u;
const EXTREMES = 1u;
const BLOCK = 16u;

var<workgroup> shares: array<f32, WIDTH>;

fn neutral(half: u32) -> f32 {
  if (OF == SUM) {
    return 0.0;
  }
  return select(uniforms.INFINITY, -uniforms.INFINITY, half == 1u);
}

fn combine(a: f32, b: f32, half: u32) -> f32 {
  if (OF == SUM) {
    return a + b;
  }
  return select(min(a, b), max(a, b), half == 1u);
}

fn main(index: i32) {
  let output = uniforms.start + u32(index) / WIDTH;
  let share = u32(index) % WIDTH;
  let half = output / uniforms.channels;
  let channel = output % uniforms.channels;
  let each = uniforms.outer * uniforms.inner;
  let base = half * each * uniforms.channels;
  let end = select(0u, each, output < uniforms.end);
  var total = neutral(half);
  var i = share;
  while (i < end) {
    let stop = min(end, i + BLOCK * WIDTH);
    var block = neutral(half);
    for (; i < stop; i += WIDTH) {
      let at = (i / uniforms.inner * uniforms.channels + channel) * uniforms.inner + i % uniforms.inner;
      block = combine(block, partials[base + at], half);
    }
    total = combine(total, block, half);
  }
  // One barrier and a short loop: a tree has many barriers, each dear on a software renderer.
  if (WIDTH > 1u) {
    shares[share] = total;
    workgroupBarrier();
  }
  if (share > 0u || output >= uniforms.end) {
    return;
  }
  for (var other = 1u; other < WIDTH; other++) {
    total = combine(total, shares[other], half);
  }
  result[output - uniforms.start] = total;
}
