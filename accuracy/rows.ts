/** Who is compared, on what, and at which widths. */
import {DIGITS, MNIST} from '../lab/formats';
import type {CalibrateOptions, QuantizeOptions} from '../src/entries/qat';

/** Examples in a batch. */
export const BATCH = 64;

/** Bits of weights and of activations. */
export interface Width {
  readonly weights: number;
  readonly activations: number;
}

/** A way to a network of few bits. All start from the same float network. */
export interface Row {
  readonly name: string;
  readonly title: string;
  /** What gets the epochs that everybody gets: the float network, which is quantized afterwards, or the quantized one. */
  readonly trains: 'float' | 'quantized';
  /** How activations' ranges are found before quantized training or after float training. Undefined: in training. */
  readonly calibration?: CalibrateOptions;
  /** Whether BatchNormalization's statistics are measured anew at the end; before a calibration that follows it. */
  readonly reestimates: boolean;
  /** The steps in which, quantized afterwards, it learns without labels from the float network. Then `distil` does the rest. */
  readonly distils?: number;
  readonly options: Pick<QuantizeOptions, 'recipe' | 'keepEnds8bit' | 'weights'>;
  /** Whether chooseBits gives layers' weights widths of their own, which take on average what the width says. */
  readonly choosesBits?: boolean;
  /** The only widths that it is for, if not for all. */
  readonly widths?: readonly string[];
  /** How much larger its learning rate is than the float network's where weights or activations have 3 bits or fewer. */
  readonly rateOfFew?: number;
}

const MIN_MAX = {recipe: 'minMax'} as const;
/** Learned ranges as they were before weights of 2 bits left out the 0. */
const LEARNED = {recipe: 'learned', weights: {zeroFree: false}} as const;

/** What calibrate did by default before it looked for the least squared error. */
const BY_MIN_MAX: CalibrateOptions = {method: 'minMax', batchSize: BATCH};
const BY_DEFAULT: CalibrateOptions = {reestimateBatchNorm: true};

export const ROWS: readonly Row[] = [
  {
    name: 'ptq',
    title: "after float training: method 'minMax'",
    trains: 'float',
    calibration: BY_MIN_MAX,
    reestimates: false,
    options: MIN_MAX,
  },
  {
    name: 'ptq-bn',
    title: 'the same, BN re-estimated',
    trains: 'float',
    calibration: BY_MIN_MAX,
    reestimates: true,
    options: MIN_MAX,
  },
  {
    name: 'calibrate',
    title: '`calibrate`, defaults',
    trains: 'float',
    calibration: BY_DEFAULT,
    reestimates: false,
    options: {},
  },
  {
    name: 'distil',
    title: '`distil`, 512 images, no labels',
    trains: 'float',
    reestimates: false,
    distils: 240,
    options: {},
  },
  {
    name: 'chosen',
    title: '`chooseBits` for as many bytes, `calibrate`',
    trains: 'float',
    calibration: BY_DEFAULT,
    reestimates: false,
    choosesBits: true,
    widths: ['w4a8', 'w3a8'],
    options: {},
  },
  {
    name: 'chosen-distil',
    title: '`chooseBits` for as many bytes, `distil`',
    trains: 'float',
    reestimates: false,
    distils: 240,
    choosesBits: true,
    widths: ['w4a8', 'w3a8'],
    options: {},
  },
  {name: 'A', title: "A: recipe 'minMax'", trains: 'quantized', reestimates: true, options: MIN_MAX},
  {
    name: 'B',
    title: "B: recipe 'learned'",
    trains: 'quantized',
    calibration: BY_MIN_MAX,
    reestimates: true,
    options: LEARNED,
  },
  {
    name: 'B-ends',
    title: 'B, ends at 8 bits',
    trains: 'quantized',
    calibration: BY_MIN_MAX,
    reestimates: true,
    options: {...LEARNED, keepEnds8bit: true},
  },
  {
    name: 'qat',
    title: 'training with labels, defaults',
    trains: 'quantized',
    calibration: BY_DEFAULT,
    reestimates: true,
    options: {},
    rateOfFew: 2,
  },
  {
    name: 'qat-ends',
    title: 'the same, ends at 8 bits',
    trains: 'quantized',
    calibration: BY_DEFAULT,
    reestimates: true,
    options: {keepEnds8bit: true},
    rateOfFew: 2,
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
