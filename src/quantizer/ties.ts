/**
 * Ranges that keep evenly spaced data off ties. Pixels in [-1, 1], pixel / 127.5 - 1, lie half-way between two levels each,
 * if that is the range: the last bit of a division then decides where each goes, and integer runtimes differ from each
 * other. On a range a little wider no value lies half-way.
 */
import {abs, div, less, mod, mul, slice, sub, type Tensor, where} from '@tensorflow/tfjs-core';

/** A grid: how many steps lie between the ends of its range, and whether that is symmetric about 0. */
export interface Steps {
  readonly steps: number;
  readonly symmetric: boolean;
}

/** How near to a tie the roundings of float32 may decide, in steps: a few units in the last place of the highest level. */
export function doubtOf(steps: number): number {
  return steps * 2 ** -21;
}

/** How many narrower steps are tried, and how much a try moves the outermost level, in steps. */
const TRIES = 2 ** 14;
const MOVE = 1 / 64;

/**
 * A range on whose grid none of the values lies half-way between two levels: the one given if it is such, else one that is
 * wider, by at most 2 %: the first that is good or, if none is, the best.
 */
export function offTies(
  range: readonly [low: number, high: number],
  values: Iterable<number>,
  grid: Steps,
): readonly [number, number] {
  const [low, high] = range;
  const {steps} = grid;
  const step = (high - low) / steps;
  const inside = Array.from(values).filter(value => value >= low && value <= high);
  const positions = inside.map(value => Math.abs(value / step));
  const doubt = doubtOf(steps);
  // What is far from a tie is good, what is not in doubt is good enough.
  const good = Math.max(8 * doubt, 1 / 256);
  let [best, distance] = [1, distanceFromTies(positions, 1, 0)];
  if (!(step > 0) || distance > doubt) return range;
  for (let i = 1; i <= TRIES && distance < good; ++i) {
    const share = 1 - (i * MOVE) / steps;
    if (share < 0.98) break;
    const reached = distanceFromTies(positions, share, distance);
    if (reached > distance) [best, distance] = [share, reached];
  }
  return best < 1 ? placed(range, step / best, grid) : range;
}

/**
 * How far the nearest of the positions, all times `share`, is from the middle between two whole numbers; what is no more than
 * `known` is not looked into.
 */
function distanceFromTies(positions: readonly number[], share: number, known: number): number {
  let least = 0.5;
  for (const position of positions) {
    const at = position * share;
    least = Math.min(least, Math.abs(at - Math.floor(at) - 0.5));
    if (least <= known) break;
  }
  return least;
}

/** A range of wider steps, with 0 on a level, that holds the one given to less than half a step. */
function placed([low, high]: readonly [number, number], step: number, {steps, symmetric}: Steps): [number, number] {
  const wider = (step * steps) / (high - low);
  if (symmetric) return [low * wider, high * wider];
  const [below, above] = [-low / step, high / step].map(levels => Math.ceil(levels - 1e-6)) as [number, number];
  const zero = below + above <= steps ? below : Math.round(-low / step);
  return [-zero * step, (steps - zero) * step];
}

/** Whether a range on the device is to be kept off ties. A symmetric one is. */
export function keepsOffTies({
  offTies,
  symmetric,
  axis,
}: {
  readonly offTies: boolean;
  readonly symmetric: boolean;
  readonly axis?: number;
}): boolean {
  return offTies && !symmetric && axis === undefined;
}

/** How near to half-way between two levels 0 has to lie: a range that moves there by an average passes close by. */
const HALF_WAY = 1 / 64;

/**
 * How many of `steps` lie between the ends of what was measured, once a range is off ties: where there are several for each
 * of 256 pixels, as many for each.
 */
function stepsUsed(steps: number): number {
  return steps < 510 ? steps - 1 : steps - (steps % 510);
}

/**
 * A range on the device, low and high and what follows; where 0 lies half-way between two levels, and so every other of
 * evenly spaced values about 0 does, wider by a level and moved by half of one. Nothing is read back.
 */
export function offHalfWay(range: Tensor, steps: number): Tensor {
  const low = slice(range, 0, 1);
  const extent = sub(slice(range, 1, 1), low);
  const zero = mul(div(low, extent), -steps);
  const isHalfWay = less(abs(sub(mod(zero, 1), 0.5)), HALF_WAY);
  const wider = steps / stepsUsed(steps);
  return where(isHalfWay, sub(mul(range, wider), mul(extent, wider / (2 * steps))), range);
}
