// Counts values in bins about their extremes: kernels/histogram.ts, function for function. A workgroup counts for itself first.

const BINS = 4096u;
const WORKGROUP = 64u;

var<workgroup> counts: array<atomic<u32>, BINS>;

// Of a number that is not negative.
fn exponentOf(v: f32) -> i32 {
  return i32(bitcast<u32>(v) >> 23u) - 127;
}

fn powerOfTwo(exponent: i32) -> f32 {
  return bitcast<f32>(u32(exponent + 127) << 23u);
}

fn main(index: i32) {
  let low = min(extremes[0], 0.0);
  let perUnit = powerOfTwo(-max(exponentOf(max(extremes[1], 0.0) - low) - 11, -126));
  let below = -floor(low * perUnit);
  for (var i = u32(index); i < uniforms.count; i += uniforms.threads) {
    let bin = clamp(floor(f32(x[i]) * perUnit) + below, 0.0, f32(BINS - 1u));
    atomicAdd(&counts[u32(bin)], 1u);
  }
  workgroupBarrier();
  for (var bin = u32(index) % WORKGROUP; bin < BINS; bin += WORKGROUP) {
    let count = atomicLoad(&counts[bin]);
    if (count > 0u) {
      atomicAdd(&result[bin], i32(count));
    }
  }
}
