/** The operators, types and options that are written, by names. Their numbers are the published schema's: schema_numbers.ts. */
import {ENUMS, TABLES} from './schema_numbers';

const {ActivationFunctionType, Padding, TensorType} = ENUMS;

export const TENSOR_TYPES = {
  float32: TensorType.FLOAT32,
  int32: TensorType.INT32,
  uint8: TensorType.UINT8,
  int64: TensorType.INT64,
  int16: TensorType.INT16,
  int8: TensorType.INT8,
  int4: TensorType.INT4,
} as const;

export type TensorType = keyof typeof TENSOR_TYPES;

export const PADDINGS = {same: Padding.SAME, valid: Padding.VALID} as const;

export const FUSED_ACTIVATIONS = ActivationFunctionType;

export type FusedActivation = keyof typeof FUSED_ACTIVATIONS;

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
  ADD: {version: 2, version16: 3, options: 'AddOptions'},
  AVERAGE_POOL_2D: {version: 2, version16: 3, options: 'Pool2DOptions'},
  CAST: {version: 1, options: 'CastOptions'},
  CONCATENATION: {version: 2, version16: 3, options: 'ConcatenationOptions'},
  CONV_2D: {version: 3, version16: 4, versions4: [7, 7], options: 'Conv2DOptions'},
  // TensorFlow says 7 for int4, which its reference kernels refuse, though they compute it.
  DEPTHWISE_CONV_2D: {version: 3, version16: 5, options: 'DepthwiseConv2DOptions'},
  DEQUANTIZE: {version: 2, version16: 3, options: 'DequantizeOptions'},
  ELU: {version: 1},
  FULLY_CONNECTED: {version: 4, version16: 7, versions4: [10, 13], options: 'FullyConnectedOptions'},
  GATHER: {version: 2, version16: 4, options: 'GatherOptions'},
  LEAKY_RELU: {version: 2, options: 'LeakyReluOptions'},
  LOGISTIC: {version: 2, version16: 3},
  MAXIMUM: {version: 2, version16: 4, options: 'MaximumMinimumOptions'},
  MAX_POOL_2D: {version: 2, version16: 3, options: 'Pool2DOptions'},
  MEAN: {version: 2, version16: 3, options: 'ReducerOptions'},
  MINIMUM: {version: 2, version16: 4, options: 'MaximumMinimumOptions'},
  MUL: {version: 2, version16: 4, options: 'MulOptions'},
  PACK: {version: 1, options: 'PackOptions'},
  PAD: {version: 2, version16: 3, options: 'PadOptions'},
  PRELU: {version: 1},
  QUANTIZE: {version: 1, version16: 2, options: 'QuantizeOptions'},
  REDUCE_MAX: {version: 2, version16: 3, options: 'ReducerOptions'},
  RELU: {version: 2, version16: 3},
  RESHAPE: {version: 1, options: 'ReshapeOptions'},
  RESIZE_BILINEAR: {version: 2, version16: 4, options: 'ResizeBilinearOptions'},
  RESIZE_NEAREST_NEIGHBOR: {version: 2, version16: 4, options: 'ResizeNearestNeighborOptions'},
  SHAPE: {version: 1, options: 'ShapeOptions'},
  SLICE: {version: 2, version16: 4, options: 'SliceOptions'},
  SOFTMAX: {version: 2, version16: 3, options: 'SoftmaxOptions'},
  STRIDED_SLICE: {version: 1, options: 'StridedSliceOptions'},
  TANH: {version: 2, version16: 3},
  TRANSPOSE: {version: 2, version16: 5, options: 'TransposeOptions'},
  TRANSPOSE_CONV: {version: 3, options: 'TransposeConvOptions'},
};

/** Whether an operator has an option. */
export function hasOption(operator: OperatorName, option: OptionName): boolean {
  const {options} = OPERATORS[operator];
  return options !== undefined && option in TABLES[options];
}
