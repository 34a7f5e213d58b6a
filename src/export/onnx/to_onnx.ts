/** From a model to the bytes of an ONNX file, by way of its graph for inference. */
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {checkOptions} from '../../check/options';
import {callback, count, flag, oneOf, orNull, type Rules, must, throwProblems} from '../../check/rules';
import {inferenceGraph} from '../../inference/from_layers';
import type {InferenceGraph, LayerProblem} from '../../inference/graph';
import {needsInt16} from '../../inference/grids';
import {segmentsIn, whereToCut} from '../../inference/segments';
import {lower} from './lower';
import {writeModel} from './model_proto';
import {hasOperation} from './operations';

/**
 * What {@link toONNX} takes.
 *
 * @example
 * ```js
 * import {toONNX} from 'tfjs-quantization/onnx';
 *
 * const bytes = await toONNX(q, {
 *   opset: 17,
 *   layout: 'NCHW',
 *   weightType: 'uint8',
 *   batchSize: 1,
 * });
 * ```
 */
export interface ONNXOptions {
  /** The version of ONNX's operators, from 13 on; 21 by default, the first with int16 and int4. */
  readonly opset?: number;
  /**
   * How images come in and go out: 'NHWC' (the default) as in the model, or 'NCHW', as the file has them inside: then they are
   * not transposed first and last.
   */
  readonly layout?: 'NHWC' | 'NCHW';
  /**
   * How weights of 8 bits are stored: 'int8' (the default), as accelerators ask for, and which onnxruntime computes exactly but
   * on x86 processors without VNNI, unless its session is asked to ('session.x64quantprecision': '1'); or 'uint8' about 128, which
   * it computes exactly everywhere.
   */
  readonly weightType?: 'int8' | 'uint8';
  /** Stores weights of 4 bits and fewer as int4, half as large, where their levels fit -8 to 7. False by default. */
  readonly int4?: boolean;
  /**
   * Of a quantized model: computes in float what has no integer operator, or is not quantized, instead of refusing it. False
   * by default.
   */
  readonly floatFallback?: boolean;
  /** Samples at a time; null (the default) lets whoever runs the file decide, where the model's sizes allow it. */
  readonly batchSize?: number | null;
  /** Called after each layer; nobody by default. */
  readonly onProgress?: (progress: {readonly done: number; readonly total: number}) => void;
}

/** The opsets that files can be of, and the version of the file's own format that came with each. */
const IR_VERSIONS: Readonly<Record<number, number>> = {
  13: 7,
  14: 7,
  15: 8,
  16: 8,
  17: 8,
  18: 8,
  19: 9,
  20: 9,
  21: 10,
  22: 10,
  23: 11,
  24: 12,
};

const OPSETS = Object.keys(IR_VERSIONS).map(Number);
const [FIRST_OPSET, LAST_OPSET] = [Math.min(...OPSETS), Math.max(...OPSETS)];
const DEFAULT_OPSET = 21;

/** The first opset with integers of 4 and of 16 bits. */
const WITH_INT4_AND_INT16 = 21;

const RULES: Rules<ONNXOptions> = {
  opset: must(`an opset between ${FIRST_OPSET} and ${LAST_OPSET}`, value => OPSETS.includes(value)),
  layout: oneOf('NHWC', 'NCHW'),
  weightType: oneOf('int8', 'uint8'),
  int4: flag,
  floatFallback: flag,
  batchSize: orNull(count),
  onProgress: callback,
};

/**
 * A model as an ONNX file. A quantized one is written as it was trained, in QDQ form: each weight in integers with a step for each
 * channel, each activation between QuantizeLinear and DequantizeLinear on its range, so that runtimes compute in integers; any
 * other model in float32.
 *
 * @param model - what quantizeModel gave, trained, or only calibrated; or a model that is not quantized.
 * @param options - the opset, the layout of images, what is stored how.
 * @returns the bytes of the file: the same for the same model.
 * @throws with all layers at once that cannot be written, before anything is.
 *
 * @example
 * ```js
 * import {writeFile} from 'node:fs/promises';
 * import {toONNX} from 'tfjs-quantization/onnx';
 *
 * await writeFile('integers.onnx', await toONNX(q));
 * await writeFile('float.onnx', await toONNX(model));
 * ```
 */
export async function toONNX(model: LayersModel, options: ONNXOptions = {}): Promise<Uint8Array> {
  checkOptions('toONNX', options, RULES);
  const {opset = DEFAULT_OPSET, layout = 'NHWC', weightType = 'int8', int4 = false} = options;
  const {floatFallback = false, batchSize, onProgress} = options;
  const needsOpset = `needs opset ${WITH_INT4_AND_INT16}, but opset was ${opset}`;
  const graph = await inferenceGraph('toONNX', model, {
    batch: batchSize ?? 1,
    problems: () => (int4 && opset < WITH_INT4_AND_INT16 ? [`int4 ${needsOpset}. Leave one of them out.`] : []),
    hasOperation,
    hasLSTM: false,
    graphProblems: () => [],
    floatFallback,
    onProgress,
  });
  if (opset < WITH_INT4_AND_INT16) throwProblems('toONNX', int16Problems(graph, needsOpset));
  const ports = layout === 'NCHW' ? 'first' : 'last';
  const lowering = {opset, ports, weightTypes: {wide: weightType, int4}} as const;
  const asked = lower(graph, {...lowering, isOpen: typeof batchSize !== 'number'});
  const fixed = [...segmentsIn(model).map(({name}) => name), ...asked.fixed];
  throwProblems('toONNX', [
    ...refusedProblems(asked.refused, model),
    ...(batchSize === null ? fixed.slice(0, 1).map(sizesProblem) : []),
    ...batchProblems(graph, batchSize),
  ]);
  const isFixed = batchSize === undefined && fixed.length > 0;
  const lowered = isFixed ? lower(graph, {...lowering, isOpen: false}) : asked;
  return writeModel('toONNX', {name: model.name, opset, irVersion: IR_VERSIONS[opset]!, ...lowered.model});
}

function refusedProblems(refused: readonly LayerProblem[], model: LayersModel): string[] {
  if (refused.length === 0) return [];
  const layers = new Set(refused.map(({layer}) => layer));
  return [...new Set(refused.map(({problem}) => problem)), whereToCut(model, layers)];
}

const sizesProblem = (layer: string) =>
  `batchSize must be a number, as the sizes in layer ${layer} are those of one number of samples.`;

/** Layers with activations of more than 8 bits. */
function int16Problems({nodes, inputs}: InferenceGraph, needsOpset: string): string[] {
  const values = [...inputs.map(({value}) => value), ...nodes.map(({output}) => output)];
  const layers = new Set(values.filter(({grid}) => needsInt16(grid)).map(({layer}) => layer));
  return [...layers].map(
    layer =>
      `layer ${layer}: its activations have more than 8 bits, which ${needsOpset}. Leave opset out, or quantize them with ` +
      'numBits of 8 or fewer.',
  );
}

/** Inputs of graph segments, which are of the sizes of the graph that they come from. */
function batchProblems({inputs}: InferenceGraph, batchSize: number | null | undefined): string[] {
  if (typeof batchSize !== 'number') return [];
  const others = inputs.filter(({value}) => value.shape[0] !== batchSize);
  return others.map(
    ({name, value}) => `batchSize was ${batchSize}, but input ${name} has the shape [${value.shape}]. Leave it out.`,
  );
}
