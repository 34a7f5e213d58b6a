// Counts values in bins about their extremes: kernels/histogram.ts, function for function. A workgroup counts for itself first.

const BINS = 4096u;
const WORKGROUP = 64u;

var<workgroup> counts: array<atomic<u32>, BINS>;
var<workgroup> lows: array<f32, WORKGROUP>;
var<workgroup> highs: array<f32, WORKGROUP>;

// Of a number that is not negative.
fn exponentOf(v: f32) -> i32 {
  return i32(bitcast<u32>(v) >> 23u) - 127;
}

fn powerOfTwo(exponent: i32) -> f32 {
  return bitcast<f32>(u32(exponent + 127) << 23u);
}

struct Bins {
  // To 1, which is exact, as the width is a power of two.
  perUnit: f32,
  below: f32,
}

fn binsOf(low: f32, high: f32) -> Bins {
  let start = min(low, 0.0);
  let extent = max(high, 0.0) - start;
  let perUnit = powerOfTwo(-max(exponentOf(extent) - 11, -126));
  return Bins(perUnit, -floor(start * perUnit));
}

fn binOf(v: f32, bins: Bins) -> u32 {
  return u32(clamp(floor(v * bins.perUnit) + bins.below, 0.0, f32(BINS - 1u)));
}

// The bins about the extremes of all parts, which the workgroup goes through together.
fn binsOfParts(thread: u32) -> Bins {
  var low = 0.0;
  var high = 0.0;
  for (var i = thread; i < uniforms.partCount; i += WORKGROUP) {
    low = min(low, f32(parts[2 * i]));
    high = max(high, f32(parts[2 * i + 1]));
  }
  lows[thread] = low;
  highs[thread] = high;
  workgroupBarrier();
  for (var i = 0u; i < WORKGROUP; i++) {
    low = min(low, lows[i]);
    high = max(high, highs[i]);
  }
  return binsOf(low, high);
}

fn main(index: i32) {
  let bins = binsOfParts(u32(index) % WORKGROUP);
  for (var i = u32(index); i < uniforms.count; i += uniforms.threads) {
    atomicAdd(&counts[binOf(f32(x[i]), bins)], 1u);
  }
  workgroupBarrier();
  for (var bin = u32(index) % WORKGROUP; bin < BINS; bin += WORKGROUP) {
    let count = atomicLoad(&counts[bin]);
    if (count > 0u) {
      atomicAdd(&result[bin], i32(count));
    }
  }
}
