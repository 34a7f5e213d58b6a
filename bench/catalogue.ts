/** What is measured: the rows, each on its shapes. Data only, shared by the command and by the code that runs. */

/** A tensor's shape, and the axis that has a range for each of its slices. */
export interface Case {
  readonly shape: readonly number[];
  readonly axis?: number;
}

export interface Row {
  readonly name: RowName;
  readonly title: string;
  /** What "the cost of one memory pass" is for this row, on the same backend and tensor. */
  readonly yardstick: string;
  readonly cases: readonly Case[];
  /** Where it is measured, if not everywhere. */
  readonly backends?: readonly string[];
}

export type RowName =
  | 'forward'
  | 'forward-lean'
  | 'per-channel'
  | 'dx'
  | 'gradient'
  | 'gradient-per-channel'
  | 'training'
  | 'v4-measured'
  | 'v4-given'
  | 'sums'
  | 'min-max'
  | 'moving-range'
  | 'learned'
  | 'learned-scale'
  | ModelRowName;

/** What is done with a whole model. */
export type ModelRowName = StepName | CallName;

/** Steps of training a quantized model. */
type StepName = 'step-block' | 'step-digits' | 'step-learned' | 'step-distil';

/** Calls that look at samples. */
export type CallName = 'calibrate' | 'calibrate-statistics' | 'analyze' | 'choose-bits';

export const GPU: readonly string[] = ['webgpu', 'webgl'];
/** Those that have gradients. */
const TRAINING = [...GPU, 'cpu'];

export const K = 2 ** 10;
export const M = 2 ** 20;

const flat: readonly Case[] = [K, 16 * K, 256 * K, M, 4 * M, 16 * M, 4_000_037].map(size => ({shape: [size]}));

const activations: readonly Case[] = [
  {shape: [8, 112, 112, 32]},
  {shape: [32, 56, 56, 64]},
  {shape: [1, 224, 224, 3]},
  {shape: [64, 1024]},
];

/** 4M elements, as many of them as of the TensorFlow figures. */
const columns32: Case = {shape: [(4 * M) / 32, 32], axis: 1};

function onEachAxis(shape: readonly number[]): Case[] {
  return shape.map((_, axis) => ({shape, axis}));
}

const channels: readonly Case[] = [
  columns32,
  ...onEachAxis([16, 64, 64, 64]),
  ...activations.map(({shape}) => ({shape, axis: shape.length - 1})),
  ...onEachAxis([3, 3, 256, 256]),
  ...onEachAxis([3, 3, 512, 1]),
];

const sums: readonly Case[] = [
  ...[1, 4, 16, 64, 256, 1024, 4096].map(count => ({shape: [(4 * M) / count, count], axis: 1})),
  ...onEachAxis([16, 64, 64, 64]).slice(0, 3),
];

const learnedScales: readonly Case[] = [columns32, ...onEachAxis([16, 64, 64, 64]).slice(1, 2)];

export const ROWS: readonly Row[] = [
  {name: 'forward', title: 'forward, per tensor', yardstick: 'relu', cases: [...flat, ...activations]},
  {
    name: 'forward-lean',
    title: 'forward, per tensor, against the shortest composition',
    yardstick: 'relu',
    cases: [{shape: [4 * M]}],
  },
  {name: 'per-channel', title: 'forward, per channel', yardstick: 'relu', cases: channels},
  {name: 'dx', title: 'dx', yardstick: 'gradient of relu', cases: [...flat, ...activations]},
  {
    name: 'gradient',
    title: 'dx + dmin + dmax',
    yardstick: 'gradient of relu',
    cases: flat,
  },
  {
    name: 'gradient-per-channel',
    title: 'dx + dmin + dmax, per channel',
    yardstick: 'gradient of relu',
    cases: [columns32, ...onEachAxis([16, 64, 64, 64])],
  },
  {
    name: 'training',
    title: 'forward, then dx + dmin + dmax, through tf.grads',
    yardstick: 'relu and its gradient',
    cases: [{shape: [4 * M]}, ...activations],
  },
  {
    name: 'v4-measured',
    title: 'QuantizeAndDequantizeV4, range measured',
    yardstick: 'relu',
    cases: [...flat, ...activations],
  },
  {name: 'v4-given', title: 'QuantizeAndDequantizeV4, range given', yardstick: 'relu', cases: flat},
  {name: 'sums', title: 'dmin alone, per channel', yardstick: 'relu', cases: sums},
  {
    name: 'min-max',
    title: 'smallest and largest x',
    yardstick: 'max',
    cases: [...flat, columns32, ...onEachAxis([16, 64, 64, 64])],
  },
  {
    name: 'moving-range',
    title: 'a step of an activation quantizer: measure, move the range, quantize',
    yardstick: 'relu',
    cases: [{shape: [4 * M]}, ...activations],
  },
  {name: 'learned', title: 'a learned scale: forward', yardstick: 'relu', cases: [{shape: [4 * M]}, ...learnedScales]},
  {
    name: 'learned-scale',
    title: 'a learned scale: the gradient of the scale',
    yardstick: 'relu',
    cases: [{shape: [4 * M]}, ...learnedScales],
  },
  {
    name: 'step-block',
    title: 'a step of training a quantized MobileNetV2 block, batch 8',
    yardstick: 'a step of the float model',
    // Few channels, as a step takes seconds where a GPU's work is drawn on a CPU.
    cases: [{shape: [8, 56, 56, 4]}],
    backends: GPU,
  },
  {
    name: 'step-digits',
    title: 'a step of training a quantized digit classifier, batch 64',
    yardstick: 'a step of the float model',
    cases: [{shape: [64, 8, 8, 1]}],
    backends: GPU,
  },
  {
    name: 'step-learned',
    title: 'the same at 4 bits, its ranges learned',
    yardstick: 'a step of the float model',
    cases: [{shape: [64, 8, 8, 1]}],
    backends: TRAINING,
  },
  {
    name: 'step-distil',
    title: 'a step of distil, of the same at 4 bits',
    yardstick: 'a step of training it with labels',
    cases: [{shape: [64, 8, 8, 1]}],
    backends: TRAINING,
  },
  callRow('calibrate', 'quantizeModel and calibrate', 512),
  callRow('calibrate-statistics', 'the same with reestimateBatchNorm', 512),
  callRow('analyze', 'analyzeQuantization', 128),
  callRow('choose-bits', 'chooseBits, 4 bits a weight', 256),
];

/** A call for the digit classifier at 4 bits. */
function callRow(name: CallName, title: string, images: number): Row {
  return {
    name,
    title: `${title}, of the digit classifier`,
    yardstick: 'the float model predicts the same images',
    cases: [{shape: [images, 8, 8, 1]}],
  };
}

/** The cases that `sizes` asks for (element counts like 4M, or shapes like 8x112x112x32), or all. */
export function casesOf(row: Row, sizes: readonly string[] | undefined): readonly Case[] {
  if (sizes === undefined) return row.cases;
  const wanted = sizes.map(shapeOf);
  const known = row.cases.filter(({shape}) => wanted.some(each => String(each) === String(shape)));
  const added = wanted
    .filter(shape => shape.length === 1 && row.cases.some(isFlat))
    .filter(shape => !known.some(each => String(each.shape) === String(shape)));
  return [...known, ...added.map(shape => ({shape}))];
}

/** '4M' as [4194304], '3x3x512x1' as [3, 3, 512, 1]; throws on anything else. */
export function shapeOf(text: string): number[] {
  return text.split('x').map(part => {
    const [, digits, unit] = /^(\d+)([kKM]?)$/.exec(part) ?? [];
    const dim = Number(digits) * (unit === 'M' ? M : unit ? K : 1);
    if (!(dim > 0))
      throw new Error(`a size is a number like 1000, 4k or 16M, or a shape like 64x1024, but not '${text}'`);
    return dim;
  });
}

/** Whether a case is of one of the sizes that rows without an axis share. */
export function isFlat({shape, axis}: Case): boolean {
  return shape.length === 1 && axis === undefined;
}

/** A case in words: '4M', '4000037', '8x112x112x32 axis 3'. */
export function nameOf({shape, axis}: Case): string {
  return shape.map(sizeName).join('x') + (axis === undefined ? '' : ` axis ${axis}`);
}

export function sizeName(dim: number): string {
  return dim >= M && dim % M === 0 ? `${dim / M}M` : dim >= K && dim % K === 0 ? `${dim / K}k` : String(dim);
}

export function elementsOf({shape}: Case): number {
  return shape.reduce((product, dim) => product * dim, 1);
}
