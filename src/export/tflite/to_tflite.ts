/** From a quantized model to the bytes of a .tflite file. */
import type {LayersModel, LayerVariable} from '@tensorflow/tfjs-layers';
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
import {unwrapped} from '../../layers/layer_wrapper';
import {withModel} from '../../layers/model';
import {isQuantizing, QuantizingWrapper} from '../../qat/quantizing';
import {quantizingLayers} from '../../qat/tools/control';
import type {FakeQuantizer} from '../../quantizer/fake_quantizer';
import {nonFiniteProblems} from '../../layers/finite';
import {allLayers, asContainer, flatten, type Layer} from '../../layers/graph';
import {weightLevels} from '../../integer/weight_levels';
import {gridOfQuantizer, type IntegerGrid, type WeightLevels} from '../../quantizer/levels';
import {emit, integerProblems, isStorable, type PortType} from './lower';
import {writeModel} from './flat_model';
import {Graph, type Grid, inputOf, inputsOf, mixedInputs, type Value} from '../../integer/graph';
import {LayerCall, type LayerNumbers, LAYERS, objectionTo, VALUES} from '../../integer/lowerings';
import {withFile, writeMetadata} from './metadata';
import type {OperatorName} from './schema';

/** How far an export is. */
export interface ExportProgress {
  /** Layers whose numbers are read. */
  readonly done: number;
  /** Layers in all. */
  readonly total: number;
}

/** What {@link toTFLite} takes. */
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
   * Stores weights of 4 bits and fewer as int4, half as large, where their levels fit -8 to 7 and a runtime reads that. Not
   * every one does. False by default.
   */
  readonly int4?: boolean;
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

const LABEL_FILE = 'labels.txt';

function classProblems(layers: readonly Layer[]): string[] {
  return layers.flatMap(layer => {
    const inner = unwrapped(layer);
    if (inner.getClassName() === 'InputLayer') return [];
    const objection = objectionTo(inner);
    return objection === undefined ? [] : [`layer ${layer.name}: ${objection}.`];
  });
}

/** Weights that stay float, and quantizers that are switched off. */
function quantizerProblems(layers: readonly Layer[]): string[] {
  return layers.flatMap(layer => {
    const inner = unwrapped(layer) as unknown as Record<string, unknown>;
    const rounded = layer instanceof QuantizingWrapper ? layer.roundedWeights().map(({name}) => name) : [];
    const attrs = ['kernel', 'depthwiseKernel', 'pointwiseKernel', 'embeddings'];
    // A class that cannot be written needs no other remedy.
    const isKnown = LAYERS[unwrapped(layer).getClassName()] !== undefined;
    const float = isKnown ? attrs.filter(attr => inner[attr] && !rounded.includes(attr)) : [];
    const off = isQuantizing(layer) ? layer.roundings.filter(({quantizer}) => !quantizer.quantizing) : [];
    return [
      ...float.map(attr => `layer ${layer.name}: its ${attr} is not quantized. Quantize it: quantizeModel's weights.`),
      ...off.map(
        ({what}) => `layer ${layer.name}: the rounding of its ${what} is off. Switch it on: setFakeQuant(q, true).`,
      ),
    ];
  });
}

async function unsetProblems(layers: readonly Layer[]): Promise<string[]> {
  const roundings = layers
    .filter(isQuantizing)
    .flatMap(({name, roundings}) => roundings.map(each => ({...each, name})));
  const unset: string[] = [];
  for (const {name, of, what, quantizer} of roundings) {
    if (of === 'activations' && !(await quantizer.snapshot()).values) unset.push(`${name} (${what})`);
  }
  if (unset.length === 0) return [];
  return [`these ranges were never set: ${unset.join(', ')}. Train a step, or call calibrate(q, samples) first.`];
}

async function gridsOf(layer: Layer): Promise<ReadonlyMap<string, Grid>> {
  const grids = new Map<string, Grid>();
  if (!isQuantizing(layer)) return grids;
  for (const {what, of, quantizer} of layer.roundings) {
    if (of === 'activations') grids.set(what, activationGrid((await gridOfQuantizer(quantizer))!, quantizer));
  }
  return grids;
}

/** A grid with a step; that of an empty range, on which everything is 0, has none. */
function activationGrid({scale, lowest, highest}: IntegerGrid, {numBits}: FakeQuantizer): Grid {
  if (scale[0] === 0) return {scale: 2 ** -numBits, lowest: 0, highest: 0};
  return {scale: scale[0]!, lowest: lowest[0]!, highest: highest[0]!};
}

async function valuesOf(layer: Layer): Promise<ReadonlyMap<string, Float32Array>> {
  const values = new Map<string, Float32Array>();
  for (const name of VALUES) {
    const variable = (layer as unknown as Record<string, Partial<LayerVariable> | undefined>)[name];
    if (variable?.read) values.set(name, await variable.read().data<'float32'>());
  }
  return values;
}

async function numbersOf(layer: Layer): Promise<LayerNumbers> {
  const weights: ReadonlyMap<string, WeightLevels> =
    layer instanceof QuantizingWrapper ? await weightLevels(layer) : new Map();
  const inner = unwrapped(layer);
  const host = inner.getClassName() === 'TimeDistributed' ? (inner as unknown as {layer: Layer}).layer : inner;
  return {weights, values: await valuesOf(host), grids: await gridsOf(layer)};
}

function numberProblems(layer: Layer, {weights, grids}: LayerNumbers): string[] {
  const wide = [...weights].filter(([, {levels}]) => levels.some(level => Math.abs(level) > 127));
  const long = [...grids].filter(([, grid]) => !isStorable(grid));
  return [
    ...wide.map(
      ([name]) =>
        `layer ${layer.name}: levels of its ${name} do not fit int8 weights, which are symmetric: -127 to 127. ` +
        'Quantize weights with numBits of 8 or fewer, symmetric and narrowRange.',
    ),
    ...long.map(
      ([what]) =>
        `layer ${layer.name}: the grid of its ${what} does not fit int16, which has 0 in its middle. ` +
        'Quantize activations with numBits of 15 or fewer, or symmetric.',
    ),
  ];
}

/** How many take each tensor of a flat graph. */
function usesOf({ops, outputs}: ReturnType<typeof flatten>): (tensor: number) => number {
  const uses = new Map<number, number>();
  for (const tensor of [...ops.flatMap(({inputs}) => inputs), ...outputs])
    uses.set(tensor, (uses.get(tensor) ?? 0) + 1);
  return tensor => uses.get(tensor) ?? 0;
}

function inputShapes(model: LayersModel, batch: number): number[][] {
  return model.inputs.map(({shape}, i) => {
    const unknown = shape.slice(1).some(dim => dim == null);
    if (!unknown) return [batch, ...shape.slice(1).map(Number)];
    throw new Error(
      `toTFLite: input ${model.inputNames[i]} has the shape [${shape.map(dim => dim ?? 'any')}], but a file has one size ` +
        'for everything but the batch. Build the model with an inputShape of numbers.',
    );
  });
}

function buildGraph(model: LayersModel, numbers: ReadonlyMap<Layer, LayerNumbers>, batch: number): Graph {
  const flat = flatten(asContainer(model));
  const [graph, uses, values] = [new Graph(), usesOf(flat), new Map<number, Value>()];
  inputShapes(model, batch).forEach((shape, i) => {
    const tensor = flat.inputs[i]!;
    values.set(tensor, graph.input(model.inputNames[i]!, shape, uses(tensor)));
  });
  for (const {layer, inputs, outputs} of flat.ops) {
    const given = inputs.map(tensor => values.get(tensor)!);
    graph.layer = layer.name;
    const y = addLayer(graph, layer, numbers.get(layer)!, given);
    // A layer that adds no operator hands on the value that it took.
    const taken = given.includes(y) ? y.uses - 1 : 0;
    y.uses = taken + uses(outputs[0]!);
    if (y.producer) y.layer = layer.name;
    values.set(outputs[0]!, y);
  }
  flat.outputs.forEach((tensor, i) => graph.outputs.push({name: model.outputNames[i]!, value: values.get(tensor)!}));
  graph.settle();
  return graph;
}

function addLayer(graph: Graph, layer: Layer, numbers: LayerNumbers, inputs: readonly Value[]): Value {
  const inner = unwrapped(layer);
  const shapes = inputs.map(({shape}) => [...shape]);
  const shape = inner.computeOutputShape(shapes.length === 1 ? shapes[0]! : shapes) as number[];
  const call = new LayerCall(graph, inner, numbers, inputs, shape);
  return call.round(LAYERS[inner.getClassName()]!(call, ...inputs), 'output');
}

function ungriddedProblems({nodes, outputs}: Graph): string[] {
  const isUnrounded = (value: Value) => !value.grid;
  const given = outputs.filter(({value}) => isUnrounded(value) && inputOf(value));
  const without = [...nodes.map(({output}) => output), ...outputs.map(({value}) => value)].filter(
    value => isUnrounded(value) && !inputOf(value),
  );
  const layers = [...new Set(without.map(({layer}) => layer))];
  const takers = nodes.filter(({operator}) => !TAKES_INPUTS.has(operator));
  const unrounded = new Set(takers.flatMap(node => inputsOf(node).flatMap(value => inputOf(value)?.layer ?? [])));
  const lookups = nodes.filter(node => node.operator === 'GATHER' && !inputOf(inputsOf(node)[0]!));
  return [
    ...lookups.map(
      ({layer}) =>
        `layer ${layer}: it looks rows up by numbers that are computed, or rounded. Give it an input of the model, at most ` +
        'reshaped or permuted, and quantize the model anew.',
    ),
    ...given.map(
      ({name}) =>
        `output ${name}: it is an input as it is given. Build the model without it: whoever runs the file has it.`,
    ),
    ...layers.map(
      layer =>
        `layer ${layer}: its output has no range, so it is no integer. Quantize its activations: quantizeModel's activations.`,
    ),
    ...[...unrounded].map(
      name =>
        `input ${name}: it is computed with, but has no range, so it is no integer. Quantize it: quantizeModel's activations.`,
    ),
  ];
}

/** Operators that take an input as it is given. */
const TAKES_INPUTS: ReadonlySet<OperatorName> = new Set(['GATHER', 'QUANTIZE', 'RESHAPE', 'SLICE', 'TRANSPOSE']);

/** Inputs that are to be integers on a grid, and row numbers or on other grids at the same time. */
function mixedProblems(graph: Graph, inputType: PortType): string[] {
  if (inputType === 'float32') return [];
  const mixed = mixedInputs(graph);
  return graph.inputs
    .filter(({value}) => mixed.has(value))
    .map(
      ({name}) =>
        `input ${name}: it goes to several places, as row numbers or on grids of their own, and ${inputType} is on one. ` +
        "Leave inputType 'float32', or build the model with an input for each.",
    );
}

async function readNumbers(layers: readonly Layer[], onProgress: TFLiteOptions['onProgress']) {
  const numbers = new Map<Layer, LayerNumbers>();
  for (const layer of layers) {
    numbers.set(layer, await numbersOf(layer));
    onProgress?.({done: numbers.size, total: layers.length});
  }
  return numbers;
}

/**
 * A quantized model as a .tflite file that computes in integers what was trained: the weights' levels as they are, and the
 * activations on their ranges. BatchNormalization and activations are folded into the products before them.
 *
 * @param model - what quantizeModel gave, trained, or only calibrated.
 * @param options - types of inputs and outputs, and what to tell of the model.
 * @returns the bytes of the file: the same for the same model.
 * @throws with all layers at once that cannot be written, before anything is.
 *
 * @example
 * ```ts
 * const bytes = await toTFLite(q, {labels: ['cat', 'dog']});
 * await fs.writeFile('model.tflite', bytes);
 * ```
 */
export async function toTFLite(model: LayersModel, options: TFLiteOptions = {}): Promise<Uint8Array> {
  checkOptions('toTFLite', options, RULES);
  quantizingLayers('toTFLite', model);
  return withModel('toTFLite', model, () => fileOf(model, options));
}

async function fileOf(model: LayersModel, options: TFLiteOptions): Promise<Uint8Array> {
  const {inputType = 'float32', outputType = 'float32', batchSize = 1, int4 = false, labels, onProgress} = options;
  const layers = allLayers(asContainer(model)).filter(layer => layer.getClassName() !== 'InputLayer');
  throwProblems('toTFLite', [
    ...labelProblems(model, labels),
    ...classProblems(layers),
    ...quantizerProblems(layers),
    ...(await nonFiniteProblems(layers)),
    ...(await unsetProblems(layers)),
  ]);
  const numbers = await readNumbers(layers, onProgress);
  throwProblems(
    'toTFLite',
    [...numbers].flatMap(([layer, each]) => numberProblems(layer, each)),
  );
  const graph = buildGraph(model, numbers, batchSize ?? 1);
  const emitOptions = {inputType, outputType, dynamicBatch: batchSize === null, int4};
  throwProblems('toTFLite', [
    ...graph.problems,
    ...ungriddedProblems(graph),
    ...mixedProblems(graph, inputType),
    ...integerProblems(graph, emitOptions),
  ]);
  const flat = emit(graph, emitOptions);
  const description = options.description ?? '';
  const text = {
    name: model.name,
    description,
    inputs: model.inputNames,
    outputs: model.outputNames,
    labelFile: labels && LABEL_FILE,
  };
  const bytes = writeModel({...flat, description, metadata: [{name: 'TFLITE_METADATA', data: writeMetadata(text)}]});
  return labels ? withFile(bytes, LABEL_FILE, `${labels.join('\n')}\n`) : bytes;
}
