/**
 * What TensorFlow Lite Micro has operators for, and what memory each call takes: read from its sources at commit 90b983c
 * (2026-08-20), micro/micro_mutable_op_resolver.h and micro/kernels/*.cc (the reference kernels), built
 * as the Python package tflite-micro is: pointers of 8 bytes, TF_LITE_STATIC_MEMORY, USE_TFLM_COMPRESSION.
 */
import {
  bytesOf,
  type FileOperator,
  type FileOperatorKind,
  type FileSubgraph,
  type FileTensor,
  type ModelFile,
  sizeOf,
  tensorsOf,
} from './model_file';

/** A call of an operator, with its tensors. */
export interface Call {
  readonly operator: FileOperator;
  readonly inputs: readonly (FileTensor | undefined)[];
  readonly outputs: readonly FileTensor[];
}

/** What a kernel asks for while it prepares, in bytes: to keep, and to have while it computes. */
interface Demand {
  readonly kept?: readonly number[];
  readonly scratch?: readonly number[];
}

/** What calls of an operator take: their options unpacked, the kernel's own structure, and what hangs on the tensors. */
interface Memory {
  readonly options?: readonly [bytes: number, alignment: number];
  readonly state?: number;
  /** What it looks at while it prepares, and does not forget in between, where that is not each tensor once. */
  readonly looksAt?: (call: Call) => readonly (FileTensor | undefined)[];
  readonly demand?: (call: Call) => Demand;
}

const isInteger = (tensor: FileTensor | undefined) => tensor?.type === 'INT8' || tensor?.type === 'INT16';

/** A TfLiteIntArray of a shape. */
const bytesOfShape = ({shape}: FileTensor) => 4 + 4 * shape.length;

/** A multiplier and a shift for each channel. */
const perChannel = (channels: number) => [4 * channels, 4 * channels];

/** Weights of 4 bits, unpacked. */
const unpacked = (filter: FileTensor | undefined) => (filter?.type === 'INT4' ? [sizeOf(filter)] : []);

/** A convolution whose filter has its channels along an axis. */
function convolution(axis: number): (call: Call) => Demand {
  return ({inputs: [, filter]}) => ({kept: perChannel(filter?.shape[axis] ?? 0), scratch: unpacked(filter)});
}

function fullyConnected({inputs: [x, filter]}: Call): Demand {
  const channels = filter?.scale.length ?? 0;
  return {kept: x?.type !== 'FLOAT32' && channels > 1 ? perChannel(channels) : [], scratch: unpacked(filter)};
}

function transposeConvolution({inputs: [, filter, x, bias], outputs: [y]}: Call): Demand {
  const width = x?.type === 'INT16' ? 8 : 4;
  const accumulators = isInteger(x) && y ? [width * sizeOf(y)] : [];
  const biases = x?.type === 'INT16' && bias?.type === 'INT16' ? [8 * sizeOf(bias)] : [];
  return {kept: perChannel(filter?.shape[0] ?? 0), scratch: [...accumulators, ...biases]};
}

/** Convolutions look at all but the bias, then at all. */
const productsOf = (
  x: FileTensor | undefined,
  filter: FileTensor | undefined,
  bias: FileTensor | undefined,
  [y]: Call['outputs'],
) => [y, x, filter, x, filter, bias, y];
const partsOfProduct = ({inputs: [x, filter, bias], outputs}: Call) => productsOf(x, filter, bias, outputs);
const partsOfTransposed = ({inputs: [, filter, x, bias], outputs}: Call) => productsOf(x, filter, bias, outputs);
const firstTwice = ({inputs, outputs}: Call) => [inputs[0], ...inputs, ...outputs];
const allTwice = ({inputs, outputs}: Call) => [...inputs, ...outputs, ...inputs, ...outputs];

/** An operand is kept transposed where it is not given so. */
function batchProduct({operator, inputs: [a, b], outputs}: Call): Demand {
  const options = operator.table.table('builtinOptions', 'BatchMatMulOptions');
  const transposed = [...(options?.number('adjX') ? [a] : []), ...(options?.number('adjY') ? [] : [b])];
  const copies = transposed.flatMap(each => (each ? [24, bytesOfShape(each), bytesOf(each)!] : []));
  return {kept: [...(isInteger(a) ? [28] : []), ...copies, ...outputs.map(bytesOfShape)]};
}

/** A shape that the kernel writes. */
const ownShape = ({outputs}: Call): Demand => ({kept: outputs.map(bytesOfShape)});

/** A mean or a sum adds up in 32 bits. */
function sum({inputs: [x, axes], outputs: [y]}: Call): Demand {
  return {scratch: [...(isInteger(x) && y ? [4 * sizeOf(y)] : []), ...indices(x, axes)]};
}

/** Where in a tensor a kernel is. */
const positions = (x: FileTensor | undefined) => [4 * (x?.shape.length ?? 0)];
const indices = (x: FileTensor | undefined, axes: FileTensor | undefined) => [
  ...positions(x),
  4 * (axes ? sizeOf(axes) : 0),
];

/** Two tables of 513 numbers of 16 bits. */
const softmax = ({inputs: [x]}: Call): Demand => ({kept: x?.type === 'INT16' ? [1026, 1026] : []});

function svdf({inputs: [x, features], outputs: [y]}: Call): Demand {
  const activations = 4 * (x?.shape[0] ?? 0) * (features?.shape[0] ?? 0);
  return {scratch: [activations, ...(x?.type === 'INT8' && y ? [4 * sizeOf(y)] : [])]};
}

/** Four gates, each as the cell is. */
function lstm({inputs}: Call): Demand {
  const cell = inputs[19];
  return {scratch: cell ? Array.from({length: 4}, () => bytesOf(cell) ?? 0) : []};
}

const reduction: Memory = {
  options: [1, 1],
  state: 44,
  demand: ({inputs: [x, axes]}) => ({scratch: indices(x, axes)}),
  looksAt: allTwice,
};
const comparison: Memory = {state: 32};
const pool: Memory = {options: [40, 4], state: 32};
const plain: Memory = {};
/** Of variables, and of what else is computed in other subgraphs. */
const untold = undefined;

/** Of the builtin operators what they take. What these two lists do not have, TensorFlow Lite Micro has not. */
const BUILTIN: Readonly<Record<string, Memory | undefined>> = {
  ABS: {state: 28},
  ADD: {options: [8, 4], state: 60},
  ADD_N: {
    demand: ({inputs, outputs: [y]}) => ({kept: y?.type === 'INT8' ? [40] : [], scratch: [8 * inputs.length]}),
  },
  ARG_MAX: {options: [4, 4]},
  ARG_MIN: {options: [4, 4]},
  ASSIGN_VARIABLE: untold,
  AVERAGE_POOL_2D: pool,
  BATCH_MATMUL: {options: [3, 1], state: 32, demand: batchProduct},
  BATCH_TO_SPACE_ND: plain,
  BROADCAST_ARGS: plain,
  BROADCAST_TO: plain,
  CALL_ONCE: untold,
  CAST: {options: [8, 4]},
  CEIL: plain,
  CONCATENATION: {options: [8, 4], state: 80, looksAt: firstTwice},
  CONV_2D: {options: [28, 4], state: 80, demand: convolution(0), looksAt: partsOfProduct},
  COS: plain,
  CUMSUM: {options: [2, 1], demand: ({outputs: [y]}) => ({kept: y?.type === 'INT8' ? [36] : []})},
  DEPTHWISE_CONV_2D: {options: [28, 4], state: 80, demand: convolution(3), looksAt: partsOfProduct},
  DEPTH_TO_SPACE: {options: [4, 4], demand: ownShape},
  DEQUANTIZE: {state: 32},
  DIV: {options: [4, 4], state: 28},
  DYNAMIC_UPDATE_SLICE: plain,
  ELU: {state: 256},
  EMBEDDING_LOOKUP: {demand: ({outputs}) => ({kept: [16, ...outputs.map(bytesOfShape)]})},
  EQUAL: comparison,
  EXP: plain,
  EXPAND_DIMS: plain,
  FILL: plain,
  FLOOR: plain,
  FLOOR_DIV: plain,
  FLOOR_MOD: plain,
  FULLY_CONNECTED: {options: [32, 8], state: 72, demand: fullyConnected},
  GATHER: {options: [8, 4], demand: ownShape},
  GATHER_ND: {demand: ownShape},
  GREATER: comparison,
  GREATER_EQUAL: comparison,
  HARD_SWISH: {state: 20},
  IF: untold,
  L2_NORMALIZATION: {options: [4, 4], state: 4},
  L2_POOL_2D: {options: [40, 4], demand: ownShape},
  LEAKY_RELU: {options: [4, 4], state: 24},
  LESS: comparison,
  LESS_EQUAL: comparison,
  LOG: plain,
  LOGICAL_AND: plain,
  LOGICAL_NOT: plain,
  LOGICAL_OR: plain,
  LOGISTIC: {state: 16},
  LOG_SOFTMAX: {demand: ({inputs: [x]}) => ({kept: x?.type === 'INT8' ? [40] : []})},
  MAXIMUM: plain,
  MAX_POOL_2D: pool,
  MEAN: {options: [1, 1], state: 44, demand: sum, looksAt: allTwice},
  MINIMUM: plain,
  MIRROR_PAD: {options: [4, 4], state: 20, demand: ({inputs: [x]}) => ({scratch: [...positions(x), ...positions(x)]})},
  MUL: {options: [4, 4], state: 36},
  NEG: plain,
  NOT_EQUAL: comparison,
  PACK: {options: [8, 4]},
  PAD: {state: 56},
  PADV2: {state: 56},
  PRELU: {state: 28},
  QUANTIZE: {state: 32},
  READ_VARIABLE: untold,
  REDUCE_ALL: reduction,
  REDUCE_MAX: reduction,
  REDUCE_MIN: reduction,
  RELU: {state: 28},
  RELU6: {state: 8},
  RESHAPE: {
    options: [36, 4],
    demand: call => (call.outputs.some(({shape}) => shape.includes(-1)) ? ownShape(call) : {}),
  },
  RESIZE_BILINEAR: {options: [2, 1]},
  RESIZE_NEAREST_NEIGHBOR: {options: [2, 1]},
  REVERSE_V2: plain,
  ROUND: plain,
  RSQRT: {state: 28},
  SELECT_V2: {state: 1},
  SHAPE: {options: [4, 4]},
  SIN: plain,
  SLICE: plain,
  SOFTMAX: {options: [4, 4], state: 80, demand: softmax},
  SPACE_TO_BATCH_ND: {state: 4},
  SPACE_TO_DEPTH: {options: [4, 4], demand: ownShape},
  SPLIT: {options: [4, 4]},
  SPLIT_V: {options: [4, 4]},
  SQRT: plain,
  SQUARE: plain,
  SQUARED_DIFFERENCE: {state: 112},
  SQUEEZE: {options: [36, 4]},
  STRIDED_SLICE: {options: [24, 4], state: 84},
  SUB: {options: [8, 4], state: 52},
  SUM: {options: [1, 1], state: 44, demand: sum, looksAt: allTwice},
  SVDF: {options: [12, 4], state: 36, demand: svdf},
  TANH: {state: 16, looksAt: firstTwice},
  TRANSPOSE: plain,
  TRANSPOSE_CONV: {options: [20, 4], state: 88, demand: transposeConvolution, looksAt: partsOfTransposed},
  UNIDIRECTIONAL_SEQUENCE_LSTM: {options: [16, 4], state: 688, demand: lstm},
  UNPACK: {options: [8, 4]},
  VAR_HANDLE: untold,
  WHILE: untold,
  ZEROS_LIKE: plain,
};

/** The custom operators by the names that files have for them. */
const CUSTOM: Readonly<Record<string, string>> = {
  CIRCULAR_BUFFER: 'CircularBuffer',
  'ethos-u': 'EthosU',
  SignalDelay: 'Delay',
  SignalEnergy: 'Energy',
  SignalFftAutoScale: 'FftAutoScale',
  SignalFilterBank: 'FilterBank',
  SignalFilterBankLog: 'FilterBankLog',
  SignalFilterBankSpectralSubtraction: 'FilterBankSpectralSubtraction',
  SignalFilterBankSquareRoot: 'FilterBankSquareRoot',
  SignalFramer: 'Framer',
  SignalIrfft: 'Irfft',
  SignalOverlapAdd: 'OverlapAdd',
  SignalPCAN: 'PCAN',
  SignalRfft: 'Rfft',
  SignalStacker: 'Stacker',
  SignalWindow: 'Window',
  TFLM_DECODE: 'Decode',
  TFLite_Detection_PostProcess: 'DetectionPostprocess',
};

/** Names in the resolver that are not the schema's in another case. */
const IRREGULAR: Readonly<Record<string, string>> = {
  BATCH_MATMUL: 'BatchMatMul',
  CUMSUM: 'CumSum',
  PADV2: 'PadV2',
  UNIDIRECTIONAL_SEQUENCE_LSTM: 'UnidirectionalSequenceLSTM',
};

/** CONV_2D is Conv2D. */
const regular = (operator: string) =>
  operator
    .split('_')
    .map(word => (/^\d/.test(word) ? word : `${word[0]!}${word.slice(1).toLowerCase()}`))
    .join('');

/** The method of MicroMutableOpResolver that adds an operator; undefined where TensorFlow Lite Micro has none. */
export function adderOf({operator, isCustom}: FileOperatorKind): string | undefined {
  const names = isCustom ? CUSTOM : BUILTIN;
  if (!Object.hasOwn(names, operator)) return undefined;
  return `Add${(isCustom ? CUSTOM : IRREGULAR)[operator] ?? regular(operator)}`;
}

/** What an operator's calls take; undefined where a file does not tell. */
export function memoryOf({operator, isCustom}: FileOperatorKind): Memory | undefined {
  return isCustom || !Object.hasOwn(BUILTIN, operator) ? undefined : BUILTIN[operator];
}

/** What an operator is given that its kernel does not take: weights of another type than TensorFlow Lite Micro has them. */
function refusal({operator: {operator, isCustom}, inputs}: Call): string | undefined {
  if (isCustom) return undefined;
  const [x, filter] = operator === 'TRANSPOSE_CONV' ? [inputs[2], inputs[1]] : inputs;
  if (operator === 'DEQUANTIZE') return x?.type === 'FLOAT16' ? 'weights of float16' : undefined;
  if (!PRODUCTS.has(operator) || !x || !filter) return undefined;
  const weights = filter.type.toLowerCase();
  if (x.type === 'FLOAT32' && filter.type !== 'FLOAT32') return `${operator} of floats with weights of ${weights}`;
  const isEach = operator === 'FULLY_CONNECTED' && filter.type === 'INT4' && filter.scale.length > 1;
  return isEach ? `${operator} with weights of ${weights} on a scale for each channel` : undefined;
}

const PRODUCTS: ReadonlySet<string> = new Set(['CONV_2D', 'DEPTHWISE_CONV_2D', 'FULLY_CONNECTED', 'TRANSPOSE_CONV']);

/** A subgraph's operators with their tensors. */
export function callsOf(subgraph: FileSubgraph): Call[] {
  const {tensors, operators} = subgraph;
  return operators.map(operator => ({
    operator,
    inputs: operator.inputs.map(each => tensors[each]),
    outputs: tensorsOf(subgraph, operator.outputs),
  }));
}

/** What a model computes that TensorFlow Lite Micro does not. */
export function operatorProblems({subgraphs}: ModelFile): string[] {
  const calls = subgraphs.flatMap(callsOf);
  const absent = calls.flatMap(({operator}) => (adderOf(operator) === undefined ? [operator.operator] : []));
  const refused = calls.flatMap(call => refusal(call) ?? []);
  const list = (all: readonly string[]) => [...new Set(all)].join(', ');
  return [
    ...(absent.length > 0
      ? [`bytes need operators that TensorFlow Lite Micro does not have: ${list(absent)}. Use other layers.`]
      : []),
    ...(refused.length > 0
      ? [
          `bytes need what TensorFlow Lite Micro does not compute: ${list(refused)}. ` +
            'Write a model that quantizeModel made, as it is, or one in float32.',
        ]
      : []),
  ];
}
