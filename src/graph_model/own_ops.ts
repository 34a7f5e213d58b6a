/**
 * Ops that tfjs runs asynchronously, or not at all, and that a layer needs at once: what gives as many values as it finds, and
 * control flow.
 */
import {cast, clone, kernel_impls, scalar, type Tensor, tensor1d} from '@tensorflow/tfjs-core';
import {type GraphFunction, holds, type Op, readNumber, readNumbers, readValues, type Value} from './own_op';
import {LIST_OPS, tensorsIn} from './tensor_list';

/** Boxes that do not overlap: their places, their scores, and how many they are. Padded, where that is asked. */
const nonMaxSuppression: Op = ([boxes, scores, most, iou, lowest, sigma], node) => {
  const size = readNumber(most!, node);
  const values = readValues(scores!, node);
  const {selectedIndices, selectedScores} = kernel_impls.nonMaxSuppressionV5Impl(
    readValues(boxes!, node),
    values,
    Math.min(size, values.length),
    iou ? readNumber(iou, node) : 0.5,
    lowest ? readNumber(lowest, node) : -Infinity,
    sigma ? readNumber(sigma, node) : 0,
  );
  const padding = node.attrs['pad_to_max_output_size'] === true ? Math.max(0, size - selectedIndices.length) : 0;
  const padded = (list: readonly number[]) => [...list, ...new Array<number>(padding).fill(0)];
  return [
    tensor1d(padded(selectedIndices), 'int32'),
    tensor1d(padded(selectedScores!), 'float32'),
    scalar(selectedIndices.length, 'int32'),
  ];
};

/** The places where a condition holds, one a row. */
const where: Op = ([condition], node) => {
  const given = condition as Tensor;
  const asked = given.dtype === 'bool' ? given : cast(given, 'bool');
  return kernel_impls.whereImpl(given.shape, readValues(asked, node));
};

/** What is in one list and not in the other, and where. */
const listDiff: Op = ([x, y], node) => {
  const others = new Set(readNumbers(y!, node));
  const kept = readNumbers(x!, node).flatMap((value, i) => (others.has(value) ? [] : [[value, i] as const]));
  return [
    tensor1d(
      kept.map(([value]) => value),
      (x as Tensor).dtype,
    ),
    tensor1d(
      kept.map(([, i]) => i),
      'int32',
    ),
  ];
};

/** Frees what a turn of a loop was given, less what is still needed. */
function release(values: readonly Value[], needed: readonly (readonly Value[])[]): void {
  const kept = new Set(needed.flat().flatMap(tensorsIn));
  for (const tensor of values.flatMap(tensorsIn)) if (!kept.has(tensor)) tensor.dispose();
}

/** A copy of each tensor that is among those given: they belong to the caller. */
function own(values: readonly Value[], given: readonly Value[]): Value[] {
  const foreign = new Set(given);
  return values.map(value => (foreign.has(value) && !('tensors' in value) ? clone(value) : value));
}

const loop: Op = (inputs, node) => {
  const {cond, body} = node.functions as {cond: GraphFunction; body: GraphFunction};
  let values = inputs;
  for (;;) {
    const asked = cond(values);
    const goesOn = holds(asked[0]!, node);
    release(asked, [values]);
    if (!goesOn) return own(values, inputs);
    const next = body(values);
    release(values, [inputs, next]);
    values = next;
  }
};

const branch: Op = ([condition, ...inputs], node) => {
  const {then_branch: yes, else_branch: no} = node.functions;
  return (holds(condition!, node) ? yes! : no!)(inputs);
};

const choice: Op = ([index, ...inputs], node) => {
  const count = Object.keys(node.functions).length;
  const chosen = readNumber(index!, node);
  return node.functions[`branches ${chosen >= 0 && chosen < count ? chosen : count - 1}`]!(inputs);
};

const call: Op = (inputs, node) => node.functions['f']!(inputs);

/** Of several outputs, those at these places. */
function only(op: Op, ...places: readonly number[]): Op {
  return (inputs, node) => {
    const outputs = op(inputs, node) as Value[];
    outputs.forEach((output, i) => {
      if (!places.includes(i)) (output as Tensor).dispose();
    });
    return places.map(place => outputs[place]!);
  };
}

/** The ops by TensorFlow's names. */
export const OWN_OPS: Readonly<Record<string, Op>> = {
  NonMaxSuppressionV2: only(nonMaxSuppression, 0),
  NonMaxSuppressionV3: only(nonMaxSuppression, 0),
  NonMaxSuppressionV4: only(nonMaxSuppression, 0, 2),
  NonMaxSuppressionV5: nonMaxSuppression,
  Where: where,
  ListDiff: listDiff,
  If: branch,
  StatelessIf: branch,
  While: loop,
  StatelessWhile: loop,
  Case: choice,
  StatelessCase: choice,
  PartitionedCall: call,
  StatefulPartitionedCall: call,
  ...LIST_OPS,
};

/** The outputs of ops that have several, as functions name them; of those that are left out here, by their places. */
export const OUTPUT_NAMES: Readonly<Record<string, readonly string[]>> = {
  CombinedNonMaxSuppression: ['nmsed_boxes', 'nmsed_scores', 'nmsed_classes', 'valid_detections'],
  FusedBatchNorm: ['y', 'batch_mean', 'batch_variance', 'reserve_space_1', 'reserve_space_2'],
  FusedBatchNormV2: ['y', 'batch_mean', 'batch_variance', 'reserve_space_1', 'reserve_space_2'],
  FusedBatchNormV3: ['y', 'batch_mean', 'batch_variance', 'reserve_space_1', 'reserve_space_2', 'reserve_space_3'],
  ListDiff: ['out', 'idx'],
  MaxPoolWithArgmax: ['output', 'argmax'],
  NonMaxSuppressionV4: ['selected_indices', 'valid_outputs'],
  NonMaxSuppressionV5: ['selected_indices', 'selected_scores', 'valid_outputs'],
  RaggedRange: ['rt_nested_splits', 'rt_dense_values'],
  SparseFillEmptyRows: ['output_indices', 'output_values', 'empty_row_indicator', 'reverse_index_map'],
  SparseReshape: ['output_indices', 'output_shape'],
  StringNGrams: ['ngrams', 'ngrams_splits'],
  StringSplit: ['indices', 'values', 'shape'],
  TensorArrayConcatV3: ['value', 'lengths'],
  TensorArrayV3: ['handle', 'flow'],
  TensorListConcat: ['tensor', 'lengths'],
  TensorListConcatV2: ['tensor', 'lengths'],
  TensorListPopBack: ['output_handle', 'tensor'],
  TopK: ['values', 'indices'],
  TopKV2: ['values', 'indices'],
  Unique: ['y', 'idx'],
  UniqueV2: ['y', 'idx'],
  UniqueWithCounts: ['y', 'idx', 'count'],
};
