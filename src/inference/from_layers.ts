/** From a model to its graph for inference: everything is read once, then checked, then built. */
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {throwProblems} from '../check/rules';
import {
  allLayers,
  asContainer,
  type Container,
  type FlatGraph,
  flatten,
  isContainer,
  isInput,
  type Layer,
  steppedLayer,
} from '../layers/graph';
import {unwrapped} from '../layers/layer_wrapper';
import {kindOf} from '../layers/kinds';
import {checkModel, withModel} from '../layers/model';
import {opsInFloat} from '../qat/placement/demand';
// What becomes a graph may have been saved, and loads where the layers are registered.
import '../qat/quantized_layers/layer_classes';
import {isQuantizing} from '../qat/quantized_layers/quantizing';
import type {IntegerGrid} from '../quantizer/levels';
import {floatProblems} from './float_values';
import type {InferenceGraph, LayerProblem, Value} from './graph';
import {GraphBuilder} from './graph_builder';
import {classProblems, levelProblems, openStepProblems, quantizerProblems, unsetProblems} from './layer_problems';
import {loweringOf, samplesOf} from './lowerings';
import {LayerCall} from './lowerings/layer_call';
import {maskProblems} from './masks';
import type {ValueType} from './operators';
import {type LayerNumbers, LayerReader} from './read_layers';
import {operationProblems, segmentsIn} from './segments';

/** What {@link inferenceGraph} takes. */
export interface GraphOptions {
  /** How many samples the graph is for; null where that is open. */
  readonly batch: number | null;
  /** What the caller finds wrong itself, once the model is one: it is told in the same message. */
  readonly problems: (isQuantized: boolean) => readonly string[];
  /** Whether the caller has an operator for one of TensorFlow's operations. */
  readonly hasOperation: (op: string) => boolean;
  /** Whether the caller has an operator for all steps of an LSTM. */
  readonly hasLSTM: boolean;
  /** What of a graph the caller has no operators for. */
  readonly graphProblems: (graph: InferenceGraph) => readonly LayerProblem[];
  /** Whether layers of a quantized model that cannot be computed in integers are computed in float. */
  readonly floatFallback: boolean;
  /** Called after each layer. */
  readonly onProgress: ((progress: {readonly done: number; readonly total: number}) => void) | undefined;
}

/** How large a graph is where that is open. */
export interface OpenSizes {
  readonly batch: number;
  /** What a model leaves open beside the batch. */
  readonly others: number;
}

/** What one call of {@link inferenceGraph} is for. */
interface Job extends GraphOptions {
  readonly caller: string;
  readonly model: LayersModel;
  readonly sizes: OpenSizes | undefined;
}

/** What is read of a model. */
interface Read {
  readonly numbers: ReadonlyMap<Layer, LayerNumbers>;
  /** The names of layers that cannot be computed in integers. */
  readonly inFloat: ReadonlySet<string>;
}

/**
 * The graph of a model: of a quantized one with weights in integers, and all activations that the model rounds; of another in
 * float. Throws, as `caller`, with all layers at once that cannot be in it, before anything of the model has moved.
 */
export async function inferenceGraph(
  caller: string,
  model: LayersModel,
  options: GraphOptions,
): Promise<InferenceGraph> {
  const [graph] = await inferenceGraphs(caller, model, options, []);
  return graph!;
}

/** A graph for each of some sizes, if there are any and something is open: the batch, or more of a model that is not quantized. */
export async function inferenceGraphs(
  caller: string,
  model: LayersModel,
  options: GraphOptions,
  openSizes: readonly OpenSizes[],
): Promise<readonly InferenceGraph[]> {
  checkModel(caller, model);
  return withModel(caller, model, async () => {
    const isOpen = options.batch === null || leavesOpen(model);
    const jobs = (isOpen && openSizes.length > 0 ? openSizes : [undefined]).map(sizes => ({
      caller,
      model,
      ...options,
      sizes,
    }));
    const read = await readModel(jobs[0]!);
    const graphs: InferenceGraph[] = [];
    for (const job of jobs) graphs.push(await graphOf(job, read));
    return graphs;
  });
}

async function graphOf(job: Job, {numbers, inFloat}: Read): Promise<InferenceGraph> {
  // A layer that turns out to need float may make others that take from it need it.
  const floats = new Set(inFloat);
  for (;;) {
    const graph = await buildGraph(job, numbers, floats);
    const wrong = [...graph.problems, ...floatProblems(graph), ...job.graphProblems(graph)];
    const found = wrong.filter(({layer}) => !floats.has(layer));
    if (found.length === 0 || !job.floatFallback) {
      throwProblems(job.caller, [...new Set(wrong.map(({problem}) => problem))]);
      return graph;
    }
    found.forEach(({layer}) => floats.add(layer));
  }
}

async function readModel({caller, model, problems, hasOperation, hasLSTM, ...job}: Job): Promise<Read> {
  const {floatFallback, onProgress} = job;
  const layers = allLayers(asContainer(model)).filter(layer => !isInput(layer));
  const isQuantized = layers.some(isQuantizing);
  const inFloat = new Set<string>();
  // What is against integers is no problem where floats are as good.
  const inIntegers = (found: readonly LayerProblem[]) => {
    if (floatFallback) found.forEach(({layer}) => inFloat.add(layer));
    return floatFallback ? [] : told(found);
  };
  const reader = new LayerReader(true);
  const wrong = [...problems(isQuantized), ...told(classProblems(layers, floatFallback || !isQuantized))];
  if (isQuantized) wrong.push(...inIntegers(quantizerProblems(layers)));
  wrong.push(...operationProblems(model, hasOperation), ...maskProblems(model));
  if (leavesOpen(model)) wrong.push(...openStepProblems(layers, hasLSTM));
  wrong.push(...(await reader.nonFiniteProblems(layers)));
  const grids = new Map<Layer, ReadonlyMap<string, IntegerGrid | undefined>>();
  for (const layer of layers) grids.set(layer, await reader.grids(layer));
  throwProblems(caller, [...wrong, ...unsetProblems(grids)]);
  const numbers = new Map<Layer, LayerNumbers>();
  for (const layer of layers) {
    const own = grids.get(layer) as LayerNumbers['grids'];
    const [weights, floats, values] = [
      await reader.weights(layer),
      await reader.floats(layer),
      await reader.values(layer),
    ];
    numbers.set(layer, {weights, floats, values, grids: own});
    onProgress?.({done: numbers.size, total: layers.length});
  }
  throwProblems(
    caller,
    [...numbers].flatMap(([layer, each]) => inIntegers(levelProblems(layer, each))),
  );
  return {numbers, inFloat};
}

const told = (problems: readonly LayerProblem[]) => problems.map(({problem}) => problem);

/** How often a tensor is taken: by calls, as often as each has it among its inputs, and as an output. */
function usesOf({consumers, outputs}: FlatGraph, tensor: number): number {
  const taken = [...consumers(tensor).flatMap(({inputs}) => inputs), ...outputs];
  return taken.filter(each => each === tensor).length;
}

function leavesOpen({inputs}: LayersModel): boolean {
  return inputs.some(({shape}) => shape.slice(1).includes(null));
}

function inputShapes({caller, model, batch, sizes}: Job): number[][] {
  const layers = allLayers(asContainer(model));
  const hasSegments = segmentsIn(model).length > 0;
  const isSized = hasSegments || layers.some(isQuantizing);
  const size = isSized ? undefined : sizes?.others;
  return model.inputs.map(({shape}, i) => {
    // Segments are of the sizes of the graph that they come from.
    if (hasSegments && !shape.includes(null)) return shape.map(Number);
    const dims = shape.slice(1).map(dim => dim ?? size);
    if (dims.every(dim => dim !== undefined)) return [batch ?? sizes?.batch ?? 1, ...dims];
    const file = isSized ? 'a file of a quantized model, or of graph segments,' : `a file of ${caller}`;
    throw new Error(
      `${caller}: input ${model.inputNames[i]} has the shape [${shape.map(dim => dim ?? 'any')}], but ${file} has one size for ` +
        'everything but the batch. Build it with an inputShape of numbers.',
    );
  });
}

/** Names told apart: tfjs calls all outputs of a layer by the layer's name. */
function uniqueNames(names: readonly string[]): string[] {
  const taken = new Set<string>();
  for (const name of names) {
    let unique = name;
    for (let i = 1; taken.has(unique); ++i) unique = `${name}_${i}`;
    taken.add(unique);
  }
  return [...taken];
}

/** The graph, with layers of some names in float. */
async function buildGraph(
  job: Job,
  numbers: ReadonlyMap<Layer, LayerNumbers>,
  names: ReadonlySet<string>,
): Promise<InferenceGraph> {
  const {model} = job;
  const flat = flatten(asContainer(model));
  const graph = new GraphBuilder(job.hasLSTM);
  const inputs = inputShapes(job).map((shape, i) => {
    const type = model.inputs[i]!.dtype as ValueType;
    return graph.input(model.inputNames[i]!, shape, type, 1);
  });
  const isQuantized = [...numbers.keys()].some(isQuantizing);
  const isFloat = ({name}: Layer) => !isQuantized || names.has(name);
  const outputs = await addCalls({graph, numbers, isFloat}, flat, inputs);
  const outputNames = uniqueNames(model.outputNames);
  outputs.forEach((value, i) => graph.outputs.push({name: outputNames[i]!, value}));
  graph.settle();
  return graph;
}

/** A graph that is being built of a model's layers. */
interface Building {
  readonly graph: GraphBuilder;
  readonly numbers: ReadonlyMap<Layer, LayerNumbers>;
  readonly isFloat: (layer: Layer) => boolean;
}

/** Adds all calls of a model's layers, and gives its outputs. */
async function addCalls(building: Building, flat: FlatGraph, given: readonly Value[]): Promise<readonly Value[]> {
  const {graph, isFloat} = building;
  const values = new Map<number, Value>();
  const set = (tensor: number, value: Value) => {
    // A layer that adds no operator hands on the value that it took, and one that works step by step takes its own outputs.
    value.uses += usesOf(flat, tensor) - 1;
    values.set(tensor, value);
  };
  flat.inputs.forEach((tensor, i) => set(tensor, given[i]!));
  const amongSegments = opsInFloat(flat, ({layer}) => kindOf(unwrapped(layer), {}), {});
  for (const op of flat.ops) {
    const {layer, inputs, outputs} = op;
    const taken = inputs.map(tensor => values.get(tensor)!);
    const inFloat = isFloat(layer) || amongSegments.has(op);
    [graph.layer, graph.inFloat] = [layer.name, inFloat];
    const made = await addLayer(building, layer, inFloat ? taken.map(x => graph.float(x)) : taken);
    outputs.forEach((output, i) => {
      const y = made[i]!;
      if (y.producer) y.layer = layer.name;
      set(output, y);
    });
  }
  return flat.outputs.map(tensor => values.get(tensor)!);
}

/** A model that is called on each step: on all of them at once, as on so many samples. */
async function addStepped(building: Building, {name}: Layer, model: Container, x: Value): Promise<Value> {
  const {graph} = building;
  const [batch, steps] = x.shape as [number, number];
  const samples = graph.reshape(x, samplesOf(x.shape));
  const [y] = await addCalls(building, flatten(model), [samples]);
  [graph.layer, graph.inFloat] = [name, false];
  return graph.reshape(y!, [batch, steps, ...y!.shape.slice(1)]);
}

async function addLayer(building: Building, layer: Layer, inputs: readonly Value[]): Promise<readonly Value[]> {
  const {graph} = building;
  const numbers = building.numbers.get(layer)!;
  const inner = unwrapped(layer);
  const shapes = inputs.map(({shape}) => [...shape]);
  const shape = inner.computeOutputShape(shapes.length === 1 ? shapes[0]! : shapes) as number[];
  const call = new LayerCall(graph, inner, numbers, inputs, shape);
  const stepped = steppedLayer(inner);
  const made =
    stepped && isContainer(stepped)
      ? await addStepped(building, layer, stepped, inputs[0]!)
      : await loweringOf(inner)!(call, ...inputs);
  return made instanceof Array ? made : [call.round(made, 'output')];
}
