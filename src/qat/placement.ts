/** Where an int8 runtime rounds activations: what each layer's wrapper has to quantize, and why. */
import type {SymbolicTensor} from '@tensorflow/tfjs-layers';
import {normalizesChannels} from '../layers/folding';
import {
  type Call,
  type Container,
  type FlatGraph,
  flatten,
  graphOf,
  innerLayers,
  isContainer,
  type Layer,
  type Op,
} from '../layers/graph';
import {activationOf, type CustomLayers, EXACT, isClamp, type Kind, kindOf} from '../layers/kinds';
import type {End} from './options';

/** To which range an output is rounded: a measured one, or the one that a runtime fixes for the activation. */
export type OutputRange = 'measured' | 'fixed';

/** What is done with a layer's activations. */
export interface Place {
  readonly kind: Kind;
  /** Rounds what the activation is given. */
  readonly before: boolean;
  /** Rounds the output. */
  readonly output: OutputRange | 'none';
  /** Why the output is not rounded, where it is not. */
  readonly reason: string;
  /** The layer whose output is rounded in this one's place. */
  readonly by?: Layer;
  /** The range of an output that is rounded on the way to those that compute with it, as others take it as it is. */
  readonly later?: OutputRange;
  /** Rounds what is between its two convolutions. */
  readonly between: boolean;
  /** The BatchNormalization that is folded into its weights, if the same one follows each of its calls. */
  readonly folds: Layer | undefined;
}

/** What placement needs to know of the options. */
export interface PlacementOptions {
  readonly custom: CustomLayers;
  /** Whether a layer is left as it is. */
  readonly isFloat: (layer: Layer) => boolean;
  /** Whether a layer is left as it is along with the model that it is in, so that nothing is rounded within. */
  readonly isWithinFloat: (layer: Layer) => boolean;
  /** Whether an embedding's rows, and so its output, are on one grid. */
  readonly onOneGrid: (layer: Layer) => boolean;
}

interface Graph {
  readonly flat: FlatGraph;
  readonly options: PlacementOptions;
  readonly kind: (op: Op) => Kind;
  readonly isFloat: (op: Op) => boolean;
  readonly consumers: ReadonlyMap<number, readonly Op[]>;
  readonly isOutput: (tensor: number) => boolean;
  /** How tensors are taken, as far as somebody has asked. */
  readonly wishes: Map<number, Wishes>;
}

/** A value that is to be rounded on the way to a layer. */
export interface Bare {
  /** The layer that gives it, or the model's InputLayer. */
  readonly from: Layer;
  readonly range: OutputRange;
}

/** The placement of a model. */
export interface Placement {
  readonly layers: ReadonlyMap<Layer, Place>;
  /** The inputs that somebody computes with in integers. */
  readonly roundedInputs: ReadonlySet<Layer>;
  /** What a value needs on its way to a call that takes it, as nobody has rounded it before; undefined if nothing. */
  readonly between: (value: SymbolicTensor, taker: Call) => Bare | undefined;
}

function graphWith(flat: FlatGraph, options: PlacementOptions): Graph {
  const consumers = new Map<number, Op[]>();
  for (const op of flat.ops) {
    for (const input of op.inputs) {
      const known = consumers.get(input);
      if (known) known.push(op);
      else consumers.set(input, [op]);
    }
  }
  const outputs = new Set(flat.outputs);
  const kind = ({layer}: Op) => kindOf(layer, options.custom);
  return {
    flat,
    options,
    kind,
    // What only moves values is as those are.
    isFloat: op => options.isFloat(op.layer) && kind(op) !== 'passing',
    consumers,
    isOutput: tensor => outputs.has(tensor),
    wishes: new Map(),
  };
}

/** The one op that takes a tensor, if nobody else wants it. */
function soleConsumer(graph: Graph, tensor: number): Op | undefined {
  const consumers = graph.consumers.get(tensor) ?? [];
  return consumers.length === 1 && !graph.isOutput(tensor) ? consumers[0] : undefined;
}

/** The ops that a runtime computes in one: an op, the BatchNormalization after it, the activation after that. */
function chainOf(graph: Graph, op: Op): Op[] {
  const chain = [op];
  const kind = graph.kind(op);
  const takes = (next: Op | undefined): next is Op => next !== undefined && !graph.isFloat(next);
  if (graph.isFloat(op) || activationOf(op.layer) !== 'linear') return chain;
  let next = soleConsumer(graph, op.outputs[0]!);
  const normalizes = (each: Op) => graph.kind(each) === 'batchNorm' && normalizesChannels(each.layer, op.layer);
  if (kind === 'compute' && takes(next) && normalizes(next)) {
    chain.push(next);
    next = soleConsumer(graph, next.outputs[0]!);
  }
  const fuses = kind === 'compute' || kind === 'merge' || kind === 'batchNorm';
  if (fuses && takes(next) && graph.kind(next) === 'activation' && isClamp(activationOf(next.layer))) chain.push(next);
  return chain;
}

/** The concatenation that a tensor goes into, by way of ops that only move values, and nowhere else. */
function concatAfter(graph: Graph, tensor: number): Op | undefined {
  const next = soleConsumer(graph, tensor);
  if (!next || graph.isFloat(next)) return undefined;
  const kind = graph.kind(next);
  if (kind === 'concat') return next;
  return kind === 'passing' ? concatAfter(graph, next.outputs[0]!) : undefined;
}

/** The concatenation that all outputs of an op that somebody takes go into, and nowhere else. */
function endsInConcat(graph: Graph, {outputs}: Op): Op | undefined {
  const taken = outputs.filter(tensor => graph.isOutput(tensor) || graph.consumers.has(tensor));
  const [first, ...others] = taken.map(tensor => concatAfter(graph, tensor));
  return others.every(each => each === first) ? first : undefined;
}

/** The graph of a model that is called step by step. */
function steppedGraph({options}: Graph, layer: Layer): Graph {
  const [model] = innerLayers(layer);
  if (!model || !isContainer(model)) throw new Error(`${layer.name} calls no model.`);
  return graphWith(flatten(model), options);
}

/** How values are taken: as they are, rounded, or in any way. */
interface Wishes {
  /** Layers that take them as they are. */
  readonly exact: ReadonlySet<Layer>;
  /** Whether somebody computes with them in integers. */
  readonly rounded: boolean;
}

const INDIFFERENT: Wishes = {exact: new Set(), rounded: false};
const ROUNDED: Wishes = {exact: new Set(), rounded: true};

function both(wishes: readonly Wishes[]): Wishes {
  return {
    exact: new Set(wishes.flatMap(({exact}) => [...exact])),
    rounded: wishes.some(({rounded}) => rounded),
  };
}

/** What computes without weights of its own computes of exact values what is taken as it is. */
const CARRIES: ReadonlySet<Kind> = new Set<Kind>([
  'passing',
  'concat',
  'elementwise',
  'merge',
  'activation',
  'batchNorm',
]);

/** How those that take a tensor would have it, by way of layers that only move values. */
function wishesFor(graph: Graph, tensor: number): Wishes {
  const known = graph.wishes.get(tensor);
  if (known) return known;
  const wishes = both((graph.consumers.get(tensor) ?? []).map(op => wishesOf(graph, op)));
  graph.wishes.set(tensor, wishes);
  return wishes;
}

function hasCustomWeights({options}: Graph, {layer}: Op): boolean {
  return Object.keys(options.custom[layer.getClassName()] ?? {}).length > 0;
}

function wishesOf(graph: Graph, op: Op): Wishes {
  const kind = graph.kind(op);
  // What a class of one's own does with values nobody knows, so that it is left as it is along with them.
  if (EXACT.has(kind) || kind === 'unknown') return {exact: new Set([op.layer]), rounded: false};
  if (kind === 'nested') {
    const inner = steppedGraph(graph, op.layer);
    return wishesFor(inner, inner.flat.inputs[0]!);
  }
  const carries = CARRIES.has(kind) || (kind === 'custom' && !hasCustomWeights(graph, op));
  const after = carries ? both(op.outputs.map(output => wishesFor(graph, output))) : INDIFFERENT;
  if (kind === 'passing') return after;
  if (after.exact.size > 0) return {exact: after.exact, rounded: false};
  return graph.isFloat(op) ? INDIFFERENT : ROUNDED;
}

type Output = Pick<Place, 'output' | 'reason' | 'by' | 'later'>;

const MEASURED: Output = {output: 'measured', reason: ''};
const none = (reason: string): Output => ({output: 'none', reason});
/** Why nothing is rounded of what the options leave out. */
export const LEFT_OUT = 'left out by the options';

const MOVES = 'moves values only';
const CALLS = 'see the layers that it calls';
const ON_GRID = "its rows are on the weights' grid";

/** Why the output of a layer of a kind is not rounded, whatever the options say; undefined where they have a say. */
export function reasonOfKind(kind: Kind): string | undefined {
  return kind === 'passing' ? MOVES : kind === 'nested' ? CALLS : undefined;
}

/** Whether a reason holds whatever the options say of activations. */
export function isLasting(reason: string): boolean {
  return [MOVES, CALLS, ON_GRID].includes(reason);
}

/** Whether what a model called step by step gives is not rounded within. */
function endsFloat(graph: Graph, layer: Layer): boolean {
  const inner = steppedGraph(graph, layer);
  const giving = (tensor: number): Op | undefined => {
    const op = inner.flat.ops.find(({outputs}) => outputs.includes(tensor));
    return op && inner.kind(op) === 'passing' ? giving(op.inputs[0]!) : op;
  };
  const last = giving(inner.flat.outputs[0]!);
  return last !== undefined && inner.isFloat(last);
}

/** What becomes of the output of the last op of a chain. */
function outputOf(graph: Graph, op: Op): Output {
  const kind = graph.kind(op);
  if (kind === 'passing') return none(MOVES);
  const {exact, rounded} = both(op.outputs.map(output => wishesFor(graph, output)));
  if (kind === 'nested') {
    return rounded && endsFloat(graph, op.layer) ? {...none(CALLS), later: 'measured'} : none(CALLS);
  }
  const output = ownOutputOf(graph, op, rounded);
  if (output.output === 'none') return output;
  const names = [...exact].map(({name}) => name);
  const later = rounded ? {later: output.output} : {};
  if (names.length > 0) return {...none(`taken as it is by ${names.join(', ')}`), ...later};
  return graph.isFloat(op) && graph.options.isWithinFloat(op.layer) ? {...none(LEFT_OUT), ...later} : output;
}

function ownOutputOf(graph: Graph, op: Op, rounded: boolean): Output {
  const kind = graph.kind(op);
  if (graph.isFloat(op)) return rounded ? MEASURED : none(LEFT_OUT);
  if (kind === 'embedding' && graph.options.onOneGrid(op.layer)) return none(ON_GRID);
  if (EXACT.has(kind) && kind !== 'embedding' && !rounded) return none('nobody computes with it');
  const activation = kind === 'recurrent' || kind === 'custom' ? 'linear' : activationOf(op.layer);
  if (activation === 'softmax' || activation === 'sigmoid' || activation === 'hardSigmoid' || activation === 'tanh') {
    if (rounded) return {output: 'fixed', reason: ''};
    return none(`${activation} is an output${kind === 'compute' ? ': what it is given is rounded' : ''}`);
  }
  const concat = endsInConcat(graph, op);
  return concat ? {...none(`rounded once, after ${concat.layer.name}`), by: concat.layer} : MEASURED;
}

/** The BatchNormalization of a chain, if the layer finds it where it was called itself, and not where a model around it was. */
function foldedIn([first, second]: readonly Op[]): Layer | undefined {
  if (second?.layer.getClassName() !== 'BatchNormalization') return undefined;
  const isNext = first!.layer.outboundNodes.some(({outboundLayer}) => outboundLayer === second.layer);
  return isNext ? second.layer : undefined;
}

function placeOf(graph: Graph, op: Op, output: Output, folds: Layer | undefined): Place {
  const kind = graph.kind(op);
  const activation = activationOf(op.layer);
  const before = kind === 'compute' && !graph.isFloat(op) && !isClamp(activation);
  const between = op.layer.getClassName() === 'SeparableConv2D' && !graph.isFloat(op);
  return {kind, before, between, folds, ...output};
}

/** A layer called several times is rounded if any of its calls needs it. */
function merged(one: Place | undefined, other: Place): Place {
  if (!one) return other;
  const rank = ({output, later}: Place) => (later ? 3 : output === 'measured' ? 2 : output === 'fixed' ? 1 : 0);
  const rounded = rank(other) > rank(one) ? other : one;
  return {...rounded, folds: one.folds === other.folds ? one.folds : undefined};
}

/** The layers on all ways from `tensors`, with the flow or against it, up to and with the first that multiply. */
function reached(flat: FlatGraph, tensors: readonly number[], forward: boolean, multiplies: (layer: Layer) => boolean) {
  const [from, to] = forward ? (['inputs', 'outputs'] as const) : (['outputs', 'inputs'] as const);
  const layers = new Set<Layer>();
  const seen = new Set(tensors);
  for (const tensor of seen) {
    for (const op of flat.ops.filter(each => each[from].includes(tensor))) {
      layers.add(op.layer);
      if (!multiplies(op.layer)) op[to].forEach(next => seen.add(next));
    }
  }
  return layers;
}

/** Which layers are the first, or the last, of a model to multiply with weights, or give what it puts out. */
export function endsOf(flat: FlatGraph, multiplies: (layer: Layer) => boolean): ReadonlyMap<Layer, End> {
  const first = reached(flat, flat.inputs, true, multiplies);
  const last = reached(flat, flat.outputs, false, multiplies);
  const layers = flat.ops.map(({layer}) => layer);
  return new Map(
    layers.map(layer => [layer, {weights: first.has(layer) || last.has(layer), activations: last.has(layer)}]),
  );
}

/** Decides where a model is rounded; `isStepped`: whether another model calls it step by step. */
export function place(model: Container, options: PlacementOptions, isStepped: boolean): Placement {
  const graph = graphWith(flatten(model), options);
  const layers = new Map<Layer, Place>();
  const inside = new Map<Op, Layer>();
  for (const op of graph.flat.ops) {
    const chain = inside.has(op) ? [op] : chainOf(graph, op);
    const last = chain[chain.length - 1]!;
    for (const each of chain.slice(0, -1)) inside.set(each, last.layer);
    const by = inside.get(op);
    const output = by ? {...none(`rounded once, after ${by.name}`), by} : outputOf(graph, op);
    layers.set(op.layer, merged(layers.get(op.layer), placeOf(graph, op, output, foldedIn(chain))));
  }
  const {inputs} = graphOf(model);
  const rounded = inputs.filter((_, i) => wishesFor(graph, graph.flat.inputs[i]!).rounded);
  const roundedInputs = new Set(rounded.map(({sourceLayer}) => sourceLayer));
  return {layers, roundedInputs, between: betweenWith(graph, inputs, layers, isStepped)};
}

/** Where values come from that nobody rounds there, by the numbers of their tensors. */
function bareValues(
  graph: Graph,
  inputs: readonly SymbolicTensor[],
  layers: ReadonlyMap<Layer, Place>,
): ReadonlyMap<number, Bare> {
  const {flat, kind} = graph;
  const bare = new Map<number, Bare>();
  flat.inputs.forEach((number, i) => bare.set(number, {from: inputs[i]!.sourceLayer, range: 'measured'}));
  for (const op of flat.ops) {
    const range = layers.get(op.layer)!.later;
    if (range) op.outputs.forEach(output => bare.set(output, {from: op.layer, range}));
    const moved = kind(op) === 'passing' && bare.get(op.inputs[0]!);
    // If all would have it rounded, it was rounded before it was moved.
    const [output] = op.outputs as [number];
    if (moved && wishesFor(graph, output).exact.size > 0) bare.set(output, moved);
  }
  return bare;
}

function betweenWith(
  graph: Graph,
  inputs: readonly SymbolicTensor[],
  layers: ReadonlyMap<Layer, Place>,
  isStepped: boolean,
): Placement['between'] {
  const {numbers, takers} = graph.flat;
  const bare = bareValues(graph, inputs, layers);
  const isWhole = ({dtype}: SymbolicTensor) => dtype !== 'float32';
  const wishesOfCall = ({outboundLayer, inputTensors, outputTensors}: Call, id: number): Wishes => {
    if (isContainer(outboundLayer)) {
      const given = graphOf(outboundLayer).inputs.filter((_, i) => inputTensors[i]!.id === id);
      // What a model within makes whole numbers of is rounded after that.
      return both(given.map(input => ({...wishesWithin(input.id), ...(isWhole(input) && {rounded: false})})));
    }
    const outputs = outputTensors.flatMap(output => numbers.get(output.id) ?? []);
    return wishesOf(graph, {layer: outboundLayer, inputs: [], outputs});
  };
  const wishesWithin = (id: number) => both((takers.get(id) ?? []).map(call => wishesOfCall(call, id)));
  const isOutermost = ({id}: SymbolicTensor) => !isStepped && inputs.some(input => input.id === id);
  return (value, taker) => {
    const {exact, rounded} = wishesOfCall(taker, value.id);
    if (exact.size > 0 || !rounded) return undefined;
    // A model within is given rounded values, unless one of its layers takes them as they are.
    const isGiven = value.sourceLayer.getClassName() === 'InputLayer' && !isOutermost(value);
    if (isGiven && !isWhole(value) && wishesWithin(value.id).exact.size === 0) return undefined;
    return (numbers.get(value.id) ?? []).map(each => bare.get(each)).find(each => each !== undefined);
  };
}
