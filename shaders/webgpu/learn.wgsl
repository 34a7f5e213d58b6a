// A learned range: kernels/learn.ts function for function; the reasons stand there.

struct LearnedEnds {
  scale: f32,
  low: f32,
}

// LIMIT by its bits: NaN lies beyond it, whatever a compiler takes comparisons of floats to see.
const LIMIT_BITS = 0x428a0000u;

// 0, as no compiler knows: see quantize.wgsl.
var<private> opaqueZero: u32;

fn rounded(v: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(v) ^ opaqueZero);
}

fn isRange(logarithm: f32) -> bool {
  return (bitcast<u32>(logarithm) & 0x7fffffffu) < LIMIT_BITS;
}

fn endOf(trained: f32, last: f32, speed: f32) -> f32 {
  let logarithm = trained * speed;
  return select(last, exp(logarithm), isRange(logarithm));
}

fn above(ends: LearnedEnds, steps: f32) -> f32 {
  return abs(ends.low + rounded(ends.scale * steps));
}

fn learn(first: f32, second: f32, last: LearnedEnds, speed: f32, steps: f32) -> LearnedEnds {
  if (steps == 0.0) {
    return LearnedEnds(endOf(first, last.scale, speed), 0.0);
  }
  let below = endOf(first, abs(last.low), speed);
  let over = endOf(second, above(last, steps), speed);
  return LearnedEnds((below + over) / steps, -below);
}

fn learnGradient(gradient: LearnedEnds, grid: LearnedEnds, steps: f32) -> vec2<f32> {
  if (steps == 0.0) {
    return vec2<f32>(gradient.scale * grid.scale, 0.0);
  }
  let share = gradient.scale / steps;
  return vec2<f32>((share - gradient.low) * abs(grid.low), share * above(grid, steps));
}
