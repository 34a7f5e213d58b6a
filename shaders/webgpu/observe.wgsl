// A moving range: kernels/observe.ts function for function; the reasons stand there.

// Observer
const MOVING_AVERAGE = 0u;
const LAST_VALUE = 1u;
const ALL_VALUES = 2u;

const LARGEST_FLOAT = 0x1.fffffep+127f;

struct MovingRange {
  low: f32,
  high: f32,
  weight: f32,
}

struct ObserveRule {
  observer: u32,
  rate: f32,
  debias: bool,
  ratio: f32,
}

// 0, as no compiler knows: see quantize.wgsl.
var<private> opaqueZero: u32;

fn rounded(v: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(v) ^ opaqueZero);
}

fn approach(start: f32, goal: f32, rate: f32) -> f32 {
  return start - rounded((start - goal) * rate);
}

fn observe(range: MovingRange, low: f32, high: f32, rule: ObserveRule) -> MovingRange {
  if (!(low <= high && abs(low) <= LARGEST_FLOAT && abs(high) <= LARGEST_FLOAT)) {
    return range;
  }
  var batchLow = min(low, 0.0);
  var batchHigh = max(high, 0.0);
  if (rule.ratio != 0.0) {
    batchLow = min(low, rounded(high / rule.ratio));
    let lowest = select(low, batchLow, rule.observer == ALL_VALUES);
    batchHigh = max(high, lowest * rule.ratio);
  }
  let weight = range.weight + rounded((1.0 - range.weight) * rule.rate);
  if (rule.observer == LAST_VALUE) {
    return MovingRange(batchLow, batchHigh, weight);
  }
  if (rule.observer == ALL_VALUES) {
    return MovingRange(min(range.low, batchLow), max(range.high, batchHigh), weight);
  }
  let step = select(rule.rate, rule.rate / weight, rule.debias);
  return MovingRange(approach(range.low, batchLow, step), approach(range.high, batchHigh, step), weight);
}

fn main(index: i32) {
  opaqueZero = bitcast<u32>(uniforms.INFINITY) ^ 0x7f800000u;
  let channel = u32(index);
  let channels = uniforms.channels;
  if (channel < channels) {
    let rule = ObserveRule(uniforms.observer, uniforms.rate, uniforms.debias == 1u, uniforms.ratio);
    let before = MovingRange(moving[channel], moving[channels + channel], moving[2u * channels + channel]);
    let after = observe(before, measured[channel], measured[channels + channel], rule);
    result[channel] = after.low;
    result[channels + channel] = after.high;
    result[2u * channels + channel] = after.weight;
  }
}
