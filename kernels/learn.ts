/**
 * The specification of a learned range: how what gradient descent trains, a logarithm for each free end, becomes a grid. One
 * float32 rounding per step; the twins are learn.glsl and learn.wgsl in shaders/.
 */

/** How a range is learned. */
export interface LearnRule {
  /** How many times as fast as what is trained the logarithm of an end moves. */
  readonly speed: number;
  /** How many steps lie between two free ends, each with a logarithm of its own; 0 where the scale alone is learned. */
  readonly steps: number;
}

/** A grid as it is learned: its scale and, of two free ends, the low one. */
export interface LearnedEnds {
  readonly scale: number;
  readonly low: number;
}

/** Logarithms beyond this are no range any more: it has collapsed, or grown without end. */
export const LIMIT = 69;

const f32 = Math.fround;

/** Whether what is trained is the logarithm of a range. */
export function isRange(trained: number, speed: number): boolean {
  return Math.abs(f32(trained * f32(speed))) < LIMIT;
}

/** What a logarithm is of, or the last that was good. */
function endOf(trained: number, last: number, speed: number): number {
  return isRange(trained, speed) ? f32(Math.exp(f32(trained * f32(speed)))) : last;
}

/** How far the high end is from 0. */
function above({scale, low}: LearnedEnds, steps: number): number {
  return Math.abs(f32(low + f32(scale * steps)));
}

/** The grid of what is trained: of one logarithm or of two, below 0 and above. What is no logarithm leaves the last end. */
export function learn(trained: readonly number[], last: LearnedEnds, {speed, steps}: LearnRule): LearnedEnds {
  if (steps === 0) return {scale: endOf(trained[0]!, last.scale, speed), low: 0};
  const below = endOf(trained[0]!, Math.abs(last.low), speed);
  const over = endOf(trained[1]!, above(last, steps), speed);
  return {scale: f32(f32(below + over) / steps), low: -below};
}

/** The gradient of each logarithm, for those of the scale and of the low end. */
export function learnGradient(
  gradient: LearnedEnds,
  grid: LearnedEnds,
  {steps}: LearnRule,
): [first: number, second: number] {
  if (steps === 0) return [f32(gradient.scale * grid.scale), 0];
  const share = f32(gradient.scale / steps);
  return [f32(f32(share - gradient.low) * Math.abs(grid.low)), f32(share * above(grid, steps))];
}

/** How many channels a learned grid of this shape has, and how far from its scale the low end of each is: 0 if it has none. */
export function learnedLayout(shape: readonly number[], {steps}: LearnRule): {channels: number; second: number} {
  const size = shape.reduce((product, dim) => product * dim, 1);
  return steps === 0 ? {channels: size, second: 0} : {channels: size / 2, second: size / 2};
}
