/** What is measured: the rows, each on its shapes. Data only, shared by the command and by the code that runs. */

/** A tensor's shape, and the axis that has a range for each of its slices. */
export interface Case {
  readonly shape: readonly number[];
  readonly axis?: number;
}

export interface Row {
  readonly name: RowName;
  readonly title: string;
  /** What "the cost of one memory pass" is for this row, or of the same without quantization, on the same backend and tensor. */
  readonly yardstick: string;
  readonly cases: readonly Case[];
  /** Where it is measured, if not everywhere. */
  readonly backends?: readonly string[];
  /** Cases of a backend in place of those above. */
  readonly casesOn?: Readonly<Record<string, readonly Case[]>>;
  /** Whether it is measured only where it is asked for by its name. */
  readonly onRequest?: boolean;
  /** Rows that name the same one share a page or a process, as what they have in common takes long to make and to compile. */
  readonly place?: string;
}

type OpRowName =
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
  | 'learned-scale';

export type RowName = OpRowName | ModelRowName;

/** What is done with a whole model. */
export type ModelRowName = StepName | CallName | NetworkCallName;

/** Steps of training a quantized model. */
type StepName = 'step-block' | 'step-digits' | 'step-learned' | 'step-distil';

/** Calls for the digit classifier that look at samples. */
export type CallName = 'calibrate' | 'calibrate-statistics' | 'analyze' | 'choose-bits';

/** Calls for a network like MobileNet. */
export type NetworkCallName =
  | 'mobile-min-max'
  | 'mobile-mse'
  | 'mobile-percentile'
  | 'mobile-predict'
  | 'mobile-first'
  | 'mobile-tflite'
  | 'mobile-import';

export const GPU: readonly string[] = ['webgpu', 'webgl'];
/** Those that have gradients. */
const TRAINING = [...GPU, 'cpu'];

export const K = 2 ** 10;
export const M = 2 ** 20;

/** One that fills no texel, vector or row. */
const ODD = 4_000_037;

function flat(...sizes: number[]): Case[] {
  return sizes.map(size => ({shape: [size]}));
}

const activations: readonly Case[] = [{shape: [8, 112, 112, 32]}, {shape: [1, 224, 224, 3]}, {shape: [64, 1024]}];

/** Of many rows. */
const columns32: Case = {shape: [M / 32, 32], axis: 1};

const SQUARES = [4, 64, 64, 64];

function onAxes(shape: readonly number[], axes: readonly number[]): Case[] {
  return axes.map(axis => ({shape, axis}));
}

const channels: readonly Case[] = [
  columns32,
  ...onAxes(SQUARES, [0, 1, 3]),
  ...activations.map(({shape}) => ({shape, axis: shape.length - 1})),
  // Weights of a convolution, and of a depthwise one.
  ...onAxes([3, 3, 256, 256], [3]),
  ...onAxes([3, 3, 512, 1], [2]),
];

const sums: readonly Case[] = [
  ...[1, 32, 4096].map(count => ({shape: [M / count, count], axis: 1})),
  ...onAxes(SQUARES, [1]),
];

const learnedScales: readonly Case[] = [...flat(4 * M), columns32, ...onAxes(SQUARES, [1])];

const OP_ROWS: readonly Row[] = [
  {
    name: 'forward',
    title: 'forward, per tensor',
    yardstick: 'relu',
    cases: [...flat(K, 256 * K, 4 * M, ODD), ...activations],
  },
  {
    name: 'forward-lean',
    title: 'forward, per tensor, against the shortest composition',
    yardstick: 'relu',
    cases: flat(4 * M),
  },
  {name: 'per-channel', title: 'forward, per channel', yardstick: 'relu', cases: channels},
  {
    name: 'dx',
    title: 'dx',
    yardstick: 'gradient of relu',
    cases: [...flat(K, 256 * K, 4 * M), ...activations.slice(1)],
  },
  {
    name: 'gradient',
    title: 'dx + dmin + dmax',
    yardstick: 'gradient of relu',
    cases: flat(K, 4 * M),
  },
  {
    name: 'gradient-per-channel',
    title: 'dx + dmin + dmax, per channel',
    yardstick: 'gradient of relu',
    cases: [columns32, ...onAxes(SQUARES, [1, 3])],
  },
  {
    name: 'training',
    title: 'forward, then dx + dmin + dmax, through tf.grads',
    yardstick: 'relu and its gradient',
    cases: [...flat(4 * M), ...activations.slice(1)],
  },
  {
    name: 'v4-measured',
    title: 'QuantizeAndDequantizeV4, range measured',
    yardstick: 'relu',
    cases: [...flat(K, 4 * M), ...activations.slice(2)],
  },
  {
    name: 'v4-given',
    title: 'QuantizeAndDequantizeV4, range given',
    yardstick: 'relu',
    cases: flat(K, 4 * M),
  },
  {name: 'sums', title: 'dmin alone, per channel', yardstick: 'relu', cases: sums},
  {
    name: 'min-max',
    title: 'smallest and largest x',
    yardstick: 'max',
    cases: [...flat(K, 4 * M), columns32, ...onAxes(SQUARES, [1])],
  },
  {
    name: 'moving-range',
    title: 'a step of an activation quantizer: measure, move the range, quantize',
    yardstick: 'relu',
    cases: [...flat(4 * M), ...activations.slice(1)],
  },
  {name: 'learned', title: 'a learned scale: forward', yardstick: 'relu', cases: learnedScales},
  {
    name: 'learned-scale',
    title: 'a learned scale: the gradient of the scale',
    yardstick: 'relu',
    cases: learnedScales,
  },
];

const MODEL_ROWS: readonly Row[] = [
  {
    name: 'step-block',
    title: 'a step of training a quantized MobileNetV2 block, batch 8',
    yardstick: 'a step of the float model',
    // Few pixels and channels, as a step takes seconds where a GPU's work is drawn on a CPU.
    cases: [{shape: [8, 28, 28, 4]}],
    backends: GPU,
  },
  stepRow('step-digits', 'a step of training a quantized digit classifier, batch 64'),
  stepRow('step-learned', 'the same at 4 bits, its ranges learned'),
  {
    ...stepRow('step-distil', 'a step of distil, of the same at 4 bits'),
    yardstick: 'a step of training it with labels',
  },
  callRow('calibrate', 'quantizeModel and calibrate', 512),
  callRow('calibrate-statistics', 'the same with reestimateBatchNorm', 512),
  callRow('analyze', 'analyzeQuantization', 128),
  callRow('choose-bits', 'chooseBits, 4 bits a weight', 256),
  networkRow('mobile-min-max', "calibrate by 'minMax'"),
  networkRow('mobile-mse', "calibrate by 'mse'"),
  networkRow('mobile-percentile', "calibrate by 'percentile'"),
  networkRow('mobile-predict', 'quantized predict'),
  networkRow('mobile-first', 'quantized predict, its weights just set'),
  networkRow('mobile-tflite', 'toTFLite'),
  networkRow('mobile-import', 'importModel of its graph'),
];

export const ROWS: readonly Row[] = [...OP_ROWS, ...MODEL_ROWS];

/** A step of the digit classifier. */
function stepRow(name: StepName, title: string): Row {
  return {
    name,
    title,
    yardstick: 'a step of the float model',
    cases: [{shape: [64, 8, 8, 1]}],
    backends: TRAINING,
    ...(name === 'step-distil' && {onRequest: true}),
  };
}

/** A call for the digit classifier at 4 bits. */
function callRow(name: CallName, title: string, images: number): Row {
  return {
    name,
    title: `${title}, of the digit classifier`,
    yardstick: 'the float model predicts the same images',
    cases: [{shape: [images, 8, 8, 1]}],
    onRequest: true,
  };
}

/** A call for a network like MobileNet at 8 bits, which passes images by eights. */
function networkRow(name: NetworkCallName, title: string): Row {
  return {
    name,
    title: `${title}, of a small MobileNetV2`,
    yardstick: 'the float model predicts the images',
    cases: [{shape: [24, 48, 48, 3]}],
    // Where it is drawn on a CPU, WebGPU takes fifteen times as long as WebGL.
    casesOn: {wasm: [{shape: [24, 96, 96, 3]}], webgpu: [{shape: [8, 48, 48, 3]}]},
    place: 'mobile',
  };
}

export function isModelRow(name: RowName): name is ModelRowName {
  return MODEL_ROWS.some(row => row.name === name);
}

/** A row's cases on a backend that `sizes` asks for (element counts like 4M, or shapes like 8x112x112x32), or all. */
export function casesOf(row: Row, backend: string, sizes: readonly string[] | undefined): readonly Case[] {
  const cases = row.casesOn?.[backend] ?? row.cases;
  if (sizes === undefined) return cases;
  const wanted = sizes.map(shapeOf);
  const known = cases.filter(({shape}) => wanted.some(each => String(each) === String(shape)));
  const added = wanted
    .filter(shape => shape.length === 1 && cases.some(isFlat))
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
