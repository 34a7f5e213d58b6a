/** The part of TensorFlow Lite's published schema (schema.fbs, version 3) that is written: numbers of fields, codes and versions. */

export const TENSOR_TYPES = {float32: 0, int32: 2, uint8: 3, int64: 4, int16: 7, int8: 9, int4: 17} as const;

export type TensorType = keyof typeof TENSOR_TYPES;

export const PADDINGS = {same: 0, valid: 1} as const;

export const FUSED_ACTIVATIONS = {NONE: 0, RELU: 1, RELU_N1_TO_1: 2, RELU6: 3} as const;

export type FusedActivation = keyof typeof FUSED_ACTIVATIONS;

/** A field of a table of options: its number, its type, and the value that need not be written. */
type OptionField = readonly [slot: number, type: 'int8' | 'int32' | 'bool' | 'float32', ifAbsent: number];

/** A table of options: its number in the union BuiltinOptions, and its fields. */
interface OptionsTable {
  readonly union: number;
  readonly fields: Readonly<Record<string, OptionField>>;
}

/** An operator: its code, and the lowest version that computes in int8; in int16, and with weights of int4 in either, where that is another one. */
export interface OperatorRow {
  readonly code: number;
  readonly version: number;
  readonly version16?: number;
  readonly versions4?: readonly [in8: number, in16: number];
  readonly options?: OptionsTable;
}

const NO_FIELDS = {};

const CONV: OptionsTable = {
  union: 1,
  fields: {
    padding: [0, 'int8', 0],
    strideW: [1, 'int32', 0],
    strideH: [2, 'int32', 0],
    activation: [3, 'int8', 0],
    dilationW: [4, 'int32', 1],
    dilationH: [5, 'int32', 1],
  },
};

const DEPTHWISE: OptionsTable = {
  union: 2,
  fields: {
    padding: [0, 'int8', 0],
    strideW: [1, 'int32', 0],
    strideH: [2, 'int32', 0],
    depthMultiplier: [3, 'int32', 0],
    activation: [4, 'int8', 0],
    dilationW: [5, 'int32', 1],
    dilationH: [6, 'int32', 1],
  },
};

const POOL: OptionsTable = {
  union: 5,
  fields: {
    padding: [0, 'int8', 0],
    strideW: [1, 'int32', 0],
    strideH: [2, 'int32', 0],
    filterW: [3, 'int32', 0],
    filterH: [4, 'int32', 0],
    activation: [5, 'int8', 0],
  },
};

const SUM_FIELDS = {activation: [0, 'int8', 0], potScaleInt16: [1, 'bool', 1]} as const;
const REDUCER: OptionsTable = {union: 27, fields: {keepDims: [0, 'bool', 0]}};
const MAXIMUM_MINIMUM: OptionsTable = {union: 39, fields: NO_FIELDS};

/** The operators that are written. */
export const OPERATORS = {
  ADD: {code: 0, version: 2, version16: 3, options: {union: 11, fields: SUM_FIELDS}},
  AVERAGE_POOL_2D: {code: 1, version: 2, version16: 3, options: POOL},
  CAST: {code: 53, version: 1, options: {union: 37, fields: {from: [0, 'int8', 0], to: [1, 'int8', 0]}}},
  CONCATENATION: {
    code: 2,
    version: 2,
    version16: 3,
    options: {union: 10, fields: {axis: [0, 'int32', 0], activation: [1, 'int8', 0]}},
  },
  CONV_2D: {code: 3, version: 3, version16: 4, versions4: [7, 7], options: CONV},
  // TensorFlow says 7 for int4, which its reference kernels refuse, though they compute it.
  DEPTHWISE_CONV_2D: {code: 4, version: 3, version16: 5, options: DEPTHWISE},
  DEQUANTIZE: {code: 6, version: 2, version16: 3, options: {union: 38, fields: NO_FIELDS}},
  ELU: {code: 111, version: 1},
  FULLY_CONNECTED: {
    code: 9,
    version: 4,
    version16: 7,
    versions4: [10, 13],
    options: {
      union: 8,
      fields: {activation: [0, 'int8', 0], weightsFormat: [1, 'int8', 0], keepNumDims: [2, 'bool', 0]},
    },
  },
  GATHER: {code: 36, version: 2, version16: 4, options: {union: 23, fields: {axis: [0, 'int32', 0]}}},
  LEAKY_RELU: {code: 98, version: 2, options: {union: 75, fields: {alpha: [0, 'float32', 0]}}},
  LOGISTIC: {code: 14, version: 2, version16: 3},
  MAXIMUM: {code: 55, version: 2, version16: 4, options: MAXIMUM_MINIMUM},
  MAX_POOL_2D: {code: 17, version: 2, version16: 3, options: POOL},
  MEAN: {code: 40, version: 2, version16: 3, options: REDUCER},
  MINIMUM: {code: 57, version: 2, version16: 4, options: MAXIMUM_MINIMUM},
  MUL: {code: 18, version: 2, version16: 4, options: {union: 21, fields: {activation: [0, 'int8', 0]}}},
  PACK: {code: 83, version: 1, options: {union: 59, fields: {valuesCount: [0, 'int32', 0]}}},
  PAD: {code: 34, version: 2, version16: 3, options: {union: 22, fields: NO_FIELDS}},
  PRELU: {code: 54, version: 1},
  QUANTIZE: {code: 114, version: 1, version16: 2, options: {union: 89, fields: NO_FIELDS}},
  REDUCE_MAX: {code: 82, version: 2, version16: 3, options: REDUCER},
  RELU: {code: 19, version: 2, version16: 3},
  RESHAPE: {code: 22, version: 1, options: {union: 17, fields: NO_FIELDS}},
  RESIZE_BILINEAR: {
    code: 23,
    version: 2,
    version16: 4,
    options: {union: 15, fields: {alignCorners: [2, 'bool', 0], halfPixelCenters: [3, 'bool', 0]}},
  },
  RESIZE_NEAREST_NEIGHBOR: {
    code: 97,
    version: 2,
    version16: 4,
    options: {union: 74, fields: {alignCorners: [0, 'bool', 0], halfPixelCenters: [1, 'bool', 0]}},
  },
  SHAPE: {code: 77, version: 1, options: {union: 55, fields: {outType: [0, 'int8', 0]}}},
  SLICE: {code: 65, version: 2, version16: 4, options: {union: 48, fields: NO_FIELDS}},
  SOFTMAX: {code: 25, version: 2, version16: 3, options: {union: 9, fields: {beta: [0, 'float32', 0]}}},
  STRIDED_SLICE: {code: 45, version: 1, options: {union: 32, fields: {shrinkAxisMask: [4, 'int32', 0]}}},
  SUB: {code: 41, version: 2, version16: 5, options: {union: 28, fields: SUM_FIELDS}},
  TANH: {code: 28, version: 2, version16: 3},
  TRANSPOSE: {code: 39, version: 2, version16: 5, options: {union: 26, fields: NO_FIELDS}},
  TRANSPOSE_CONV: {
    code: 67,
    version: 3,
    version16: 3,
    options: {
      union: 49,
      fields: {padding: [0, 'int8', 0], strideW: [1, 'int32', 0], strideH: [2, 'int32', 0], activation: [3, 'int8', 0]},
    },
  },
} as const satisfies Readonly<Record<string, OperatorRow>>;

export type OperatorName = keyof typeof OPERATORS;

/** The options of a call by name. Booleans are 0 and 1. */
export type Options = Readonly<Record<string, number>>;
