/** Who holds an operator's output inside its interval and its grid: the operator itself, the type, or further operators. */
import {EVERYTHING, type Interval, type ValueGrid} from '../../inference/grids';
import {roundAway, type Storage, storageOf} from '../../inference/storage';
import {type FusedActivation, hasOption, type OperatorName} from './schema';
import type {Bounds} from './storage';

export const FUSED: Readonly<Record<Exclude<FusedActivation, 'NONE'>, Interval>> = {
  RELU: [0, Infinity],
  RELU6: [0, 6],
  RELU_N1_TO_1: [-1, 1],
};

/** What a runtime clamps by itself, and what is left. */
interface ClampPlan extends Bounds {
  readonly fused: FusedActivation;
}

/** The stored numbers between which an interval lies. */
function storedInterval([low, high]: Interval, {scale}: ValueGrid, storage: Storage): Interval {
  const stored = (x: number) => storage.zeroPoint + roundAway(Math.fround(x / scale));
  return [Math.max(storage.low, stored(low)), Math.min(storage.high, stored(high))];
}

/** The fused activation of an operator that has an interval's; kernels of transposed convolutions leave it out. */
export function fusedFor(operator: OperatorName, clamp: Interval): keyof typeof FUSED | undefined {
  if (!hasOption(operator, 'fusedActivationFunction') || operator === 'TRANSPOSE_CONV') return undefined;
  const names = Object.keys(FUSED) as (keyof typeof FUSED)[];
  return names.find(name => FUSED[name][0] === clamp[0] && FUSED[name][1] === clamp[1]);
}

export function clampPlan(operator: OperatorName, clamp: Interval, grid: ValueGrid): ClampPlan {
  const storage = storageOf(grid);
  const [low, high] = storedInterval(clamp, grid, storage);
  const [least, largest] = [grid.lowest + storage.zeroPoint, grid.highest + storage.zeroPoint];
  const wanted = [Math.max(low, least), Math.min(high, largest)] as const;
  const fused = fusedFor(operator, clamp);
  const done = storedInterval(operator === 'RELU' ? FUSED.RELU : fused ? FUSED[fused] : EVERYTHING, grid, storage);
  return {
    fused: fused ?? 'NONE',
    least: wanted[0] > done[0] ? wanted[0] : undefined,
    largest: wanted[1] < done[1] ? wanted[1] : undefined,
  };
}
