/** The operators, types and options that are written, by names. Their numbers are the published schema's: schema_numbers.ts. */
import {ENUMS, TABLES} from './schema_numbers';

const {ActivationFunctionType, MirrorPadMode, Padding, TensorType} = ENUMS;

export const TENSOR_TYPES = {
  float32: TensorType.FLOAT32,
  float16: TensorType.FLOAT16,
  int32: TensorType.INT32,
  uint8: TensorType.UINT8,
  int64: TensorType.INT64,
  bool: TensorType.BOOL,
  int16: TensorType.INT16,
  int8: TensorType.INT8,
  int4: TensorType.INT4,
} as const;

export type TensorType = keyof typeof TENSOR_TYPES;

export const PADDINGS = {same: Padding.SAME, valid: Padding.VALID} as const;

export const MIRROR_MODES = {reflect: MirrorPadMode.REFLECT, symmetric: MirrorPadMode.SYMMETRIC} as const;

export const FUSED_ACTIVATIONS = ActivationFunctionType;

/** The activations that clamp. */
export type FusedActivation = Exclude<keyof typeof FUSED_ACTIVATIONS, 'TANH'>;

export type OperatorName = keyof typeof ENUMS.BuiltinOperator;

type OptionsTable = keyof typeof ENUMS.BuiltinOptions;

type OptionName = {[table in OptionsTable]: keyof (typeof TABLES)[table]}[OptionsTable];

/** The options of a call. Booleans are 0 and 1. Those that an operator does not have are not written. */
export type Options = Readonly<Partial<Record<OptionName, number>>>;

/**
 * An operator: the lowest version that computes in int8; in int16, and with weights of int4 in either, where that is another
 * one; and its table of options.
 */
export interface OperatorRow {
  readonly version: number;
  readonly version16?: number;
  readonly versions4?: readonly [in8: number, in16: number];
  readonly options?: OptionsTable;
}

/** The operators that are written. */
export const OPERATORS: Readonly<Record<OperatorName, OperatorRow>> = {
  ABS: {version: 1, options: 'AbsOptions'},
  ADD: {version: 2, version16: 3, options: 'AddOptions'},
  ARG_MAX: {version: 1, options: 'ArgMaxOptions'},
  ARG_MIN: {version: 1, options: 'ArgMinOptions'},
  AVERAGE_POOL_2D: {version: 2, version16: 3, options: 'Pool2DOptions'},
  BATCH_MATMUL: {version: 2, version16: 3, options: 'BatchMatMulOptions'},
  BATCH_TO_SPACE_ND: {version: 1, options: 'BatchToSpaceNDOptions'},
  BROADCAST_TO: {version: 2, options: 'BroadcastToOptions'},
  CAST: {version: 1, options: 'CastOptions'},
  CEIL: {version: 1},
  CONCATENATION: {version: 2, version16: 3, options: 'ConcatenationOptions'},
  CONV_2D: {version: 3, version16: 4, versions4: [7, 7], options: 'Conv2DOptions'},
  CONV_3D: {version: 1, options: 'Conv3DOptions'},
  CONV_3D_TRANSPOSE: {version: 1, options: 'Conv3DOptions'},
  COS: {version: 1, options: 'CosOptions'},
  CUMSUM: {version: 1, options: 'CumsumOptions'},
  // TensorFlow says 7 for int4, which its reference kernels refuse, though they compute it.
  DEPTHWISE_CONV_2D: {version: 3, version16: 5, options: 'DepthwiseConv2DOptions'},
  DEPTH_TO_SPACE: {version: 1, options: 'DepthToSpaceOptions'},
  DEQUANTIZE: {version: 2, version16: 3, options: 'DequantizeOptions'},
  DIV: {version: 1, options: 'DivOptions'},
  ELU: {version: 1},
  EMBEDDING_LOOKUP: {version: 1},
  EQUAL: {version: 1, options: 'EqualOptions'},
  EXP: {version: 1, options: 'ExpOptions'},
  FILL: {version: 1, options: 'FillOptions'},
  FLOOR: {version: 1},
  FLOOR_DIV: {version: 2, options: 'FloorDivOptions'},
  FLOOR_MOD: {version: 1, options: 'FloorModOptions'},
  FULLY_CONNECTED: {version: 4, version16: 7, versions4: [10, 13], options: 'FullyConnectedOptions'},
  GATHER: {version: 2, version16: 4, options: 'GatherOptions'},
  GATHER_ND: {version: 1, options: 'GatherNdOptions'},
  GELU: {version: 2, options: 'GeluOptions'},
  GREATER: {version: 1, options: 'GreaterOptions'},
  GREATER_EQUAL: {version: 1, options: 'GreaterEqualOptions'},
  LEAKY_RELU: {version: 2, options: 'LeakyReluOptions'},
  LESS: {version: 1, options: 'LessOptions'},
  LESS_EQUAL: {version: 1, options: 'LessEqualOptions'},
  LOG: {version: 1},
  LOGICAL_AND: {version: 1, options: 'LogicalAndOptions'},
  LOGICAL_NOT: {version: 1, options: 'LogicalNotOptions'},
  LOGICAL_OR: {version: 1, options: 'LogicalOrOptions'},
  LOGISTIC: {version: 2, version16: 3},
  LOG_SOFTMAX: {version: 1, options: 'LogSoftmaxOptions'},
  MAXIMUM: {version: 2, version16: 4, options: 'MaximumMinimumOptions'},
  MAX_POOL_2D: {version: 2, version16: 3, options: 'Pool2DOptions'},
  MEAN: {version: 2, version16: 3, options: 'ReducerOptions'},
  MINIMUM: {version: 2, version16: 4, options: 'MaximumMinimumOptions'},
  MIRROR_PAD: {version: 1, options: 'MirrorPadOptions'},
  MUL: {version: 2, version16: 4, options: 'MulOptions'},
  NEG: {version: 1, options: 'NegOptions'},
  NOT_EQUAL: {version: 1, options: 'NotEqualOptions'},
  ONE_HOT: {version: 1, options: 'OneHotOptions'},
  PACK: {version: 1, options: 'PackOptions'},
  PAD: {version: 2, version16: 3, options: 'PadOptions'},
  PADV2: {version: 1, options: 'PadV2Options'},
  POW: {version: 1, options: 'PowOptions'},
  PRELU: {version: 1},
  QUANTIZE: {version: 1, version16: 2, options: 'QuantizeOptions'},
  REDUCE_ALL: {version: 1, options: 'ReducerOptions'},
  REDUCE_ANY: {version: 1, options: 'ReducerOptions'},
  REDUCE_MAX: {version: 2, version16: 3, options: 'ReducerOptions'},
  REDUCE_MIN: {version: 1, options: 'ReducerOptions'},
  REDUCE_PROD: {version: 1, options: 'ReducerOptions'},
  RELU: {version: 2, version16: 3},
  RELU6: {version: 1},
  RESHAPE: {version: 1, options: 'ReshapeOptions'},
  RESIZE_BILINEAR: {version: 2, version16: 4, options: 'ResizeBilinearOptions'},
  RESIZE_NEAREST_NEIGHBOR: {version: 2, version16: 4, options: 'ResizeNearestNeighborOptions'},
  REVERSE_V2: {version: 1, options: 'ReverseV2Options'},
  ROUND: {version: 1},
  RSQRT: {version: 1},
  SCATTER_ND: {version: 1, options: 'ScatterNdOptions'},
  SELECT_V2: {version: 1, options: 'SelectV2Options'},
  SHAPE: {version: 1, options: 'ShapeOptions'},
  SIGN: {version: 1, options: 'SignOptions'},
  SIN: {version: 1},
  SLICE: {version: 2, version16: 4, options: 'SliceOptions'},
  SOFTMAX: {version: 2, version16: 3, options: 'SoftmaxOptions'},
  SPACE_TO_BATCH_ND: {version: 1, options: 'SpaceToBatchNDOptions'},
  SPACE_TO_DEPTH: {version: 1, options: 'SpaceToDepthOptions'},
  SPLIT_V: {version: 1, options: 'SplitVOptions'},
  SQRT: {version: 1},
  SQUARE: {version: 1, options: 'SquareOptions'},
  SQUARED_DIFFERENCE: {version: 1, options: 'SquaredDifferenceOptions'},
  STRIDED_SLICE: {version: 1, options: 'StridedSliceOptions'},
  SUB: {version: 2, version16: 5, options: 'SubOptions'},
  SUM: {version: 1, options: 'ReducerOptions'},
  TANH: {version: 2, version16: 3},
  TILE: {version: 1, options: 'TileOptions'},
  TOPK_V2: {version: 1, options: 'TopKV2Options'},
  TRANSPOSE: {version: 2, version16: 5, options: 'TransposeOptions'},
  TRANSPOSE_CONV: {version: 3, options: 'TransposeConvOptions'},
  UNIDIRECTIONAL_SEQUENCE_LSTM: {version: 1, options: 'UnidirectionalSequenceLSTMOptions'},
  UNPACK: {version: 1, options: 'UnpackOptions'},
};

/** Whether an operator has an option. */
export function hasOption(operator: OperatorName, option: OptionName): boolean {
  const {options} = OPERATORS[operator];
  return options !== undefined && option in TABLES[options];
}
