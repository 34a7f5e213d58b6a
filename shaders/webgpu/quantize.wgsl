// TensorFlow's quantization arithmetic: kernels/grid.ts function for function; the reasons stand there.
//
// A thread takes `Lanes` of a tensor at a time. Where every lane has a channel of its own, `Channels` is as wide;
// where the lanes share one, it is a single value. kernels/webgpu says how wide LANE and CHANNEL are; nothing else depends
// on a width. No min, max or clamp of WGSL: they lose NaN, comparisons keep it. What is read becomes Lanes by a conversion:
// tfjs's cast of integers to float32 leaves them integers in the buffer.

alias Lanes = LANE<f32>;
alias LaneMask = LANE<bool>;
alias Channels = CHANNEL<f32>;
alias ChannelMask = CHANNEL<bool>;
alias LaneBits = LANE<u32>;
alias ChannelBits = CHANNEL<u32>;

struct Levels {
  qmin: f32,
  qmax: f32,
}

struct Grid {
  scale: Channels,
  inverse: Channels,
  zero: Channels,
  low: Channels,
  high: Channels,
  empty: ChannelMask,
}

// Fit
const NUDGE = 0u;
const ADJUST = 1u;
const RAW = 2u;
const SCALED = 3u;
const ANCHORED = 4u;

// Rounding
const MULTIPLY = 0u;
const DIVIDE = 1u;
const EVEN = 2u;
const UP = 3u;

// Side
const INSIDE = 0u;
const BELOW = 1u;
const ABOVE = 2u;
const OUTSIDE = 3u;
const SCALE = 4u;
const NONE = 5u;

const SMALLEST_NORMAL = 0x1p-126f;
const SIGN = 0x80000000u;
const INFINITY_BITS = 0x7f800000u;
const LARGEST_FLOAT = 0x1.fffffep+127f;

// 0, as no compiler knows: main gets it from a uniform.
var<private> opaqueZero: u32;

// v, rounded before it goes on: compilers may fuse a product with a sum, or take a sum in another order.
fn rounded(v: Lanes) -> Lanes {
  return bitcast<Lanes>(bitcast<LaneBits>(v) ^ LaneBits(opaqueZero));
}

// The same for what belongs to a channel.
fn settled(v: Channels) -> Channels {
  return bitcast<Channels>(bitcast<ChannelBits>(v) ^ ChannelBits(opaqueZero));
}

// Zeros of either sign by their bits, since compilers take x * 0.0 for 0.0.
fn flush(x: Lanes) -> Lanes {
  let zero = bitcast<Lanes>(bitcast<LaneBits>(x) & LaneBits(SIGN));
  return select(x, zero, abs(x) < Lanes(SMALLEST_NORMAL));
}

// The same for what belongs to a channel.
fn flushed(v: Channels) -> Channels {
  let zero = bitcast<Channels>(bitcast<ChannelBits>(v) & ChannelBits(SIGN));
  return select(v, zero, abs(v) < Channels(SMALLEST_NORMAL));
}

// By its bits: a compiler may take comparisons of floats to never see NaN.
fn isNaN(x: Lanes) -> LaneMask {
  return (bitcast<LaneBits>(x) & LaneBits(~SIGN)) > LaneBits(INFINITY_BITS);
}

fn roundHalfAway(z: Channels) -> Channels {
  let whole = floor(z);
  return select(whole, whole + 1.0, z - whole >= Channels(0.5));
}

fn roundHalfEven(v: Lanes) -> Lanes {
  let whole = floor(v);
  let rest = v - whole;
  let half = whole * 0.5;
  let down = (rest < Lanes(0.5)) | ((rest == Lanes(0.5)) & (half == floor(half)));
  return select(ceil(v), whole, down);
}

fn nudge(low: Channels, high: Channels, levels: Levels) -> Grid {
  let lowest = flushed(low);
  let highest = flushed(high);
  let qmin = Channels(levels.qmin);
  let qmax = Channels(levels.qmax);
  let extent = flushed(highest - lowest);
  let scale = flushed(extent / (qmax - qmin));
  let inverse = flushed((qmax - qmin) / extent);
  let z = qmin - lowest / scale;
  let inside = select(Channels(0.0), roundHalfAway(z), z >= qmin);
  let zeroPoint = select(select(inside, qmax, z > qmax), qmin, z < qmin);
  let nudgedLow = settled((qmin - zeroPoint) * scale);
  let nudgedHigh = settled((qmax - zeroPoint) * scale);
  let zero = floor(settled(-nudgedLow * inverse) + 0.5);
  return Grid(
    scale, inverse, zero, nudgedLow, nudgedHigh, (lowest == Channels(0.0)) & (highest == Channels(0.0)));
}

fn adjust(low: Channels, high: Channels, levels: Levels) -> Grid {
  let lowest = flushed(low);
  let highest = flushed(high);
  let qmin = Channels(levels.qmin);
  let qmax = Channels(levels.qmax);
  let zero = Channels(0.0);
  let largest = Channels(LARGEST_FLOAT);
  let fromLow = select(largest, qmin / lowest, qmin * lowest > zero);
  let fromHigh = select(largest, qmax / highest, qmax * highest > zero);
  let byLow = fromLow < fromHigh;
  let scale = flushed(select(highest / qmax, lowest / qmin, byLow));
  return Grid(
    scale,
    select(fromHigh, fromLow, byLow),
    zero,
    select(flushed(qmin * scale), lowest, byLow),
    select(highest, flushed(qmax * scale), byLow),
    ChannelMask(false));
}

fn raw(low: Channels, high: Channels) -> Grid {
  let one = Channels(1.0);
  return Grid(one, one, Channels(0.0), flushed(low), flushed(high), ChannelMask(false));
}

fn scaled(given: Channels, lowest: Channels, highest: Channels) -> Grid {
  let step = flushed(given);
  let scale = select(Channels(0.0), step, (step > Channels(0.0)) & (step <= Channels(LARGEST_FLOAT)));
  let inverse = flushed(1.0 / scale);
  return Grid(
    scale, inverse, Channels(0.0), settled(lowest * scale), settled(highest * scale), ChannelMask(false));
}

fn anchored(scale: Channels, offset: Channels, extent: Channels) -> Grid {
  let zero = settled(flushed(offset) * scaled(scale, -extent, extent).inverse);
  let nearest = floor(zero + 0.5);
  let held = select(Channels(0.0), nearest, nearest < Channels(0.0));
  let lowest = select(held, -extent, nearest < -extent);
  let isUnknown = (bitcast<ChannelBits>(zero) & ChannelBits(~SIGN)) > ChannelBits(INFINITY_BITS);
  var grid = scaled(select(scale, Channels(0.0), isUnknown), lowest, lowest + extent);
  grid.zero = zero;
  return grid;
}

// WGSL has no literal for infinity.
fn unbounded(grid: Grid, infinity: f32) -> Grid {
  return Grid(grid.scale, grid.inverse, grid.zero, Channels(-infinity), Channels(infinity), grid.empty);
}

fn gridOf(fit: u32, low: Channels, high: Channels, levels: Levels) -> Grid {
  if (fit == NUDGE) {
    return nudge(low, high, levels);
  }
  if (fit == ADJUST) {
    return adjust(low, high, levels);
  }
  if (fit == SCALED) {
    return scaled(low, Channels(levels.qmin), Channels(levels.qmax));
  }
  if (fit == ANCHORED) {
    return anchored(low, high, Channels(levels.qmax - levels.qmin));
  }
  return raw(low, high);
}

fn clampTo(x: Lanes, grid: Grid) -> Lanes {
  let c = select(x, Lanes(grid.high), x > Lanes(grid.high));
  return select(select(c, Lanes(grid.low), c < Lanes(grid.low)), x, isNaN(x));
}

fn relu(x: Lanes, highest: f32) -> Lanes {
  let c = select(x, Lanes(highest), x > Lanes(highest));
  return select(select(Lanes(0.0), c, c > Lanes(0.0)), x, isNaN(x));
}

fn fakeQuantize(x: Lanes, grid: Grid, rounding: u32) -> Lanes {
  let s = clampTo(x, grid) - Lanes(grid.low);
  var steps: Lanes;
  if (rounding == DIVIDE) {
    steps = s / Lanes(grid.scale);
  } else {
    steps = rounded(s * Lanes(grid.inverse));
  }
  let y = floor(rounded(steps - Lanes(grid.zero)) + 0.5) * Lanes(grid.scale);
  return select(y, Lanes(0.0), LaneMask(grid.empty));
}

fn quantizeDequantize(x: Lanes, grid: Grid, rounding: u32) -> Lanes {
  let steps = rounded(clampTo(flush(x), grid) * Lanes(grid.inverse));
  if (rounding == EVEN) {
    return roundHalfEven(steps) * Lanes(grid.scale);
  }
  return floor(steps + 0.5) * Lanes(grid.scale);
}

fn isOn(side: u32, x: Lanes, grid: Grid) -> LaneMask {
  let low = Lanes(grid.low);
  let high = Lanes(grid.high);
  if (side == INSIDE) {
    return (x >= low) & (x <= high) & !isNaN(x);
  }
  if (side == OUTSIDE) {
    return ((x < low) | (x > high)) & !isNaN(x);
  }
  if (side == BELOW) {
    return (x < low) & !isNaN(x);
  }
  return (x > high) & !isNaN(x);
}

fn slope(x: Lanes, grid: Grid) -> Lanes {
  let steps = rounded(clampTo(x, grid) * Lanes(grid.inverse));
  return roundHalfEven(steps) - select(Lanes(grid.zero), steps, isOn(INSIDE, x, grid));
}

fn straightThrough(dy: Lanes, x: Lanes, grid: Grid, side: u32) -> Lanes {
  let v = flush(x);
  if (side == SCALE) {
    return dy * rounded(slope(v, grid));
  }
  let masked = dy * select(Lanes(0.0), Lanes(1.0), isOn(side, v, grid));
  var ofEmpty = Lanes(0.0);
  if (side == INSIDE) {
    ofEmpty = dy;
  }
  return select(masked, ofEmpty, LaneMask(grid.empty));
}
