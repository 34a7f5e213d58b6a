/** From a quantized model to the bytes of a .tflite file, by way of its graph of integers. */
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {checkOptions} from '../../check/options';
import {
  between,
  callback,
  count,
  flag,
  must,
  oneOf,
  type Rule,
  type Rules,
  shownAll,
  text,
  throwProblems,
} from '../../check/rules';
import {inferenceGraphs} from '../../inference/from_layers';
import type {InferenceGraph} from '../../inference/graph';
import {segmentsIn, whereToCut} from '../../inference/segments';
import {dataOf} from './constant_data';
import {ofAnySize, SIZES} from './any_size';
import {type FlatGraph, sizeProblems, writeModel} from './flat_model';
import {lower} from './lower';
import {withFile, writeMetadata} from './metadata';
import {hasOperation, refusedOperations} from './operations';
import {fileProblems, operatorProblems} from './problems';
import {rewritten} from './rewrite';
import type {PortType} from './storage';
import {float16Problems, type WeightType, withWeights} from './weights';

/**
 * How far an export is.
 *
 * @example
 * ```js
 * import {toTFLite} from 'tfjs-quantization/tflite';
 *
 * const onProgress = ({done, total}) => console.log(`${done} of ${total} layers`);
 * const bytes = await toTFLite(q, {onProgress});
 * ```
 */
export interface ExportProgress {
  /** Layers whose numbers are read. */
  readonly done: number;
  /** Layers in all. */
  readonly total: number;
}

/**
 * What {@link toTFLite} takes.
 *
 * @example
 * ```js
 * import {toTFLite} from 'tfjs-quantization/tflite';
 *
 * const bytes = await toTFLite(q, {
 *   inputType: 'uint8',
 *   outputType: 'int8',
 *   labels: ['up', 'down', 'left', 'right'],
 *   description: 'Gestures',
 * });
 * ```
 */
export interface TFLiteOptions {
  /**
   * How the inputs come in: 'float32' (the default), or the integers that microcontrollers like to work on. 'int8' and
   * 'uint8' are for inputs of up to 8 bits.
   */
  readonly inputType?: PortType;
  /** How the outputs go out, likewise; 'float32' by default. */
  readonly outputType?: PortType;
  /** Images at a time: 1 by default; null lets whoever runs the file decide, which not every runtime can. */
  readonly batchSize?: number | null;
  /**
   * What the weights of a model that is not quantized are stored as, and of layers that `floatFallback` computes in float:
   * 'float32' (the default), 'float16' in half of the bytes, 'int8' in a quarter, or 'int4' in an eighth where LiteRT has
   * operators for it (Dense, convolutions that are neither depthwise nor transposed, Embedding), and int8 elsewhere.
   * Activations stay float: operators with integers round what they are given on the way ("dynamic range"). Beside integers,
   * weights of fewer than 1024 numbers stay float32. Microcontrollers run float32 alone, and LiteRT.js took 21 times as long
   * for float16 on wasm (LiteRT#9663). The other weights of a quantized model are integers already.
   */
  readonly weights?: WeightType;
  /**
   * Of a quantized model: stores weights of 4 bits and fewer as int4, half as large, where their levels fit -8 to 7 and a
   * runtime reads that. Not every one does. False by default.
   */
  readonly int4?: boolean;
  /**
   * Of a quantized model: computes in float what TensorFlow Lite has no integer operator for, or what is not quantized,
   * between DEQUANTIZE and QUANTIZE, instead of refusing it. False by default.
   */
  readonly floatFallback?: boolean;
  /**
   * Writes an LSTM step by step, as other recurrent layers are, where it would be one operator: about 15 operators for each
   * step, for runtimes that do not load that one, such as LiteRT.js. False by default.
   */
  readonly unroll?: boolean;
  /** What the model is for, for tools that show it; nothing by default. */
  readonly description?: string;
  /** The name of each class that the first output has a score for, each of one line; none by default. */
  readonly labels?: readonly string[];
  /** Called after each layer; nobody by default. */
  readonly onProgress?: (progress: ExportProgress) => void;
}

const PORT = oneOf('float32', 'int8', 'uint8', 'int16');

/** A file's dimensions are int32. */
const DIMENSION = between(1, 2 ** 31 - 1);

const batch: Rule = (value, path) => {
  if (value === null) return [];
  const problems = count(value, path);
  return problems.length > 0 ? problems : DIMENSION(value, path);
};

const RULES: Rules<TFLiteOptions> = {
  inputType: PORT,
  outputType: PORT,
  batchSize: batch,
  int4: flag,
  floatFallback: flag,
  unroll: flag,
  weights: oneOf('float32', 'float16', 'int8', 'int4'),
  description: text,
  labels: must(
    'an array of strings of one line each',
    (value: unknown) => Array.isArray(value) && value.every(each => typeof each === 'string' && !/[\r\n]/.test(each)),
    shownAll,
  ),
  onProgress: callback,
};

/** Labels of another number than the classes. */
function labelProblems({outputs}: LayersModel, labels: readonly string[] | undefined): string[] {
  const classes = outputs[0]!.shape[outputs[0]!.shape.length - 1];
  if (!labels || classes == null || labels.length === classes) return [];
  return [`labels must be ${classes} strings, one for each class of the first output, but were ${labels.length}.`];
}

/** Weights that are asked for as what the model's are not. */
function weightProblems(isQuantized: boolean, {weights = 'int8', int4, floatFallback}: TFLiteOptions): string[] {
  if (!isQuantized && int4) {
    return ["int4 is for the weights of a quantized model, and this one is not. Use weights 'int4'."];
  }
  if (!isQuantized || floatFallback || weights === 'int8') return [];
  return [
    `weights '${weights}' are for what computes in float, but the model is quantized: its weights are the integers that it ` +
      'was trained with, stored as int8, or with int4: true in half of that where they have 4 bits or fewer. Leave weights ' +
      'out, or write the model that was quantized.',
  ];
}

const LABEL_FILE = 'labels.txt';

/**
 * A model as a .tflite file. A quantized one computes in integers what was trained: the weights' levels as they are, and the
 * activations on their ranges. Any other computes in float, with weights of a type; sizes that it leaves open are open in the
 * file. BatchNormalization and activations are folded into the products before them.
 *
 * @param model - what quantizeModel gave, trained, or only calibrated; or a model that is not quantized.
 * @param options - types of inputs, outputs and weights, and what to tell of the model.
 * @returns the bytes of the file: the same for the same model.
 * @throws with all layers at once that cannot be written, before anything is.
 *
 * @example
 * ```js
 * import {writeFile} from 'node:fs/promises';
 * import {toTFLite} from 'tfjs-quantization/tflite';
 *
 * const labels = ['up', 'down', 'left', 'right'];
 * await writeFile('integers.tflite', await toTFLite(q, {labels}));
 * await writeFile('float16.tflite', await toTFLite(model, {weights: 'float16'}));
 * ```
 */
export async function toTFLite(model: LayersModel, options: TFLiteOptions = {}): Promise<Uint8Array> {
  checkOptions('toTFLite', options, RULES);
  const {batchSize = 1, floatFallback = false, unroll = false, labels, onProgress} = options;
  const problems = (isQuantized: boolean) => [
    ...labelProblems(model, labels),
    ...weightProblems(isQuantized, options),
    ...batchProblems(model, batchSize),
  ];
  const graphProblems = (built: InferenceGraph) => operatorProblems(rewritten(built));
  const hasLSTM = batchSize !== null && !unroll;
  const job = {batch: batchSize, problems, hasOperation, hasLSTM, graphProblems, floatFallback, onProgress};
  const graphs = await inferenceGraphs('toTFLite', model, job, SIZES);
  throwProblems('toTFLite', segmentProblems(graphs[0]!, model, options.batchSize));
  return fileOf(graphs, model.name, options);
}

/** Segments are of the sizes of the graph that they come from. */
function batchProblems(model: LayersModel, batchSize: number | null): string[] {
  const [segment] = segmentsIn(model);
  if (batchSize !== null || !segment) return [];
  return [`batchSize must be a number, as the sizes in the graph segment ${segment.name} are fixed.`];
}

/** Segments whose operations are not as TensorFlow Lite has them, and of other sizes than they are asked for. */
function segmentProblems(graph: InferenceGraph, model: LayersModel, batchSize: number | null | undefined): string[] {
  const refused = refusedOperations(graph);
  const layers = new Set(refused.map(({layer}) => layer));
  const others = batchSize ? graph.inputs.filter(({value}) => value.shape[0] !== batchSize) : [];
  return [
    ...refused.map(({problem}) => problem),
    ...(layers.size > 0 ? [whereToCut(model, layers)] : []),
    ...others.map(
      ({name, value}) => `batchSize was ${batchSize}, but input ${name} has the shape [${value.shape}]. Leave it out.`,
    ),
  ];
}

/** A graph as tensors and operators; of two graphs, for all sizes. */
function flatOf(graphs: readonly InferenceGraph[], options: TFLiteOptions): FlatGraph {
  const {inputType = 'float32', outputType = 'float32', batchSize, int4 = false} = options;
  const imagesOf = ({inputs}: InferenceGraph) => inputs.map(({value}) => value.shape.slice(1).join()).join(' ');
  const isSized = new Set(graphs.map(imagesOf)).size > 1;
  const [flat, other] = graphs.map(graph =>
    lower(rewritten(graph, isSized), {inputType, outputType, dynamicBatch: batchSize === null, int4}),
  ) as [FlatGraph, FlatGraph | undefined];
  if (!other) return flat;
  const {graph, problems} = ofAnySize(flat, other);
  throwProblems('toTFLite', problems);
  return graph;
}

function fileOf(graphs: readonly InferenceGraph[], name: string, options: TFLiteOptions): Uint8Array {
  const [graph] = graphs as [InferenceGraph];
  const {inputType = 'float32', outputType = 'float32', weights = 'float32'} = options;
  const {description = '', labels} = options;
  throwProblems('toTFLite', fileProblems(graph, inputType, outputType));
  const lowered = flatOf(graphs, options);
  if (weights === 'float16') throwProblems('toTFLite', float16Problems(lowered));
  const flat = withWeights(lowered, weights);
  const text = {
    name,
    description,
    inputs: graph.inputs.map(input => input.name),
    outputs: graph.outputs.map(output => output.name),
    labelFile: labels && LABEL_FILE,
  };
  const metadata = [{name: 'TFLITE_METADATA', data: dataOf(writeMetadata(text))}];
  const file = {...flat, description, metadata};
  throwProblems('toTFLite', sizeProblems(file));
  const bytes = writeModel(file);
  return labels ? withFile(bytes, LABEL_FILE, `${labels.join('\n')}\n`) : bytes;
}
