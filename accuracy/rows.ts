/** Who is compared, on what, and at which widths. */
import {DIGITS, MNIST} from '../lab/formats';
import type {QuantizeOptions} from '../src/entries/qat';

/** Bits of weights and of activations. */
export interface Width {
  readonly weights: number;
  readonly activations: number;
}

/** A way to a network of few bits. All start from the same float network and get the same steps on the same batches. */
export interface Row {
  readonly name: string;
  readonly title: string;
  /** Whether rounding is there in training, or comes after it. */
  readonly trains: 'float' | 'quantized';
  /** Whether activations' ranges are calibrated: before quantized training, after float training. */
  readonly calibrates: boolean;
  /** Whether BatchNormalization's statistics are measured anew after training; before a calibration that follows it. */
  readonly reestimates: boolean;
  readonly options: Pick<QuantizeOptions, 'recipe' | 'keepEnds8bit'>;
}

const MIN_MAX = {recipe: 'minMax'} as const;
const LEARNED = {recipe: 'learned'} as const;

export const ROWS: readonly Row[] = [
  {
    name: 'ptq',
    title: 'PTQ after equal training',
    trains: 'float',
    calibrates: true,
    reestimates: false,
    options: MIN_MAX,
  },
  {
    name: 'ptq-bn',
    title: 'the same, BN re-estimated',
    trains: 'float',
    calibrates: true,
    reestimates: true,
    options: MIN_MAX,
  },
  {
    name: 'A',
    title: "A: recipe 'minMax'",
    trains: 'quantized',
    calibrates: false,
    reestimates: true,
    options: MIN_MAX,
  },
  {name: 'B', title: "B: recipe 'learned'", trains: 'quantized', calibrates: true, reestimates: true, options: LEARNED},
  {
    name: 'B-ends',
    title: 'B, ends at 8 bits',
    trains: 'quantized',
    calibrates: true,
    reestimates: true,
    options: {...LEARNED, keepEnds8bit: true},
  },
];

/** How much of a task there is. */
export interface Size {
  /** Epochs of the float network, and those that every contestant gets after them. */
  readonly epochs: {readonly float: number; readonly more: number};
  readonly trainCount: number;
}

export const SIZES: Readonly<Record<string, Size>> = {
  digits: {epochs: {float: 10, more: 3}, trainCount: DIGITS.trainCount},
  mnist: {epochs: {float: 12, more: 3}, trainCount: MNIST.trainCount},
};

export const TASK_NAMES = Object.keys(SIZES);

export const WIDTHS: readonly string[] = ['w8a8', 'w4a8', 'w4a4', 'w3a8', 'w2a8', 'w3a3'];

/** A width by its name, like w4a8; undefined if it is none. */
export function widthOf(name: string): Width | undefined {
  const [, weights, activations] = /^w(\d+)a(\d+)$/.exec(name) ?? [];
  const width = {weights: Number(weights), activations: Number(activations)};
  return Object.values(width).every(bits => bits >= 2 && bits <= 16) ? width : undefined;
}
