/** Where an int8 runtime rounds activations: what each layer's wrapper has to quantize, and why. */
import {normalizesChannels} from './folding';
import type {FlatGraph, Layer, Op} from './graph';
import {activationOf, type CustomLayers, isClamp, type Kind, kindOf} from './kinds';
import type {End} from './options';

/** What is done with a layer's activations. */
export interface Place {
  readonly kind: Kind;
  /** Rounds what the activation is given. */
  readonly before: boolean;
  /** Rounds the output: to a measured range, or to the one that a runtime fixes for the activation. */
  readonly output: 'measured' | 'fixed' | 'none';
  /** Why the output is not rounded, where it is not. */
  readonly reason: string;
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
  /** Whether an embedding has a range for each row, so that its output is on no one grid. */
  readonly perRow: (layer: Layer) => boolean;
}

interface Graph {
  readonly flat: FlatGraph;
  readonly kind: (op: Op) => Kind;
  readonly isFloat: (op: Op) => boolean;
  readonly consumers: ReadonlyMap<number, readonly Op[]>;
  readonly isOutput: (tensor: number) => boolean;
}

/** The placement of a model: for its layers, and for its inputs (whether each is rounded). */
export interface Placement {
  readonly layers: ReadonlyMap<Layer, Place>;
  readonly inputs: readonly boolean[];
}

function graphWith(flat: FlatGraph, {custom, isFloat}: PlacementOptions): Graph {
  const consumers = new Map<number, Op[]>();
  for (const op of flat.ops) {
    for (const input of op.inputs) {
      const known = consumers.get(input);
      if (known) known.push(op);
      else consumers.set(input, [op]);
    }
  }
  const outputs = new Set(flat.outputs);
  return {
    flat,
    kind: ({layer}) => kindOf(layer, custom),
    isFloat: ({layer}) => isFloat(layer),
    consumers,
    isOutput: tensor => outputs.has(tensor),
  };
}

/** The one op that takes an op's output, if nobody else wants it. */
function soleConsumer(graph: Graph, op: Op): Op | undefined {
  const tensor = op.outputs[0]!;
  const consumers = graph.consumers.get(tensor) ?? [];
  return consumers.length === 1 && !graph.isOutput(tensor) ? consumers[0] : undefined;
}

/** The ops that a runtime computes in one: an op, the BatchNormalization after it, the activation after that. */
function chainOf(graph: Graph, op: Op): Op[] {
  const chain = [op];
  const kind = graph.kind(op);
  const takes = (next: Op | undefined): next is Op => next !== undefined && !graph.isFloat(next);
  if (graph.isFloat(op) || activationOf(op.layer) !== 'linear') return chain;
  let next = soleConsumer(graph, op);
  const normalizes = (each: Op) => graph.kind(each) === 'batchNorm' && normalizesChannels(each.layer, op.layer);
  if (kind === 'compute' && takes(next) && normalizes(next)) {
    chain.push(next);
    next = soleConsumer(graph, next);
  }
  const fuses = kind === 'compute' || kind === 'merge' || kind === 'batchNorm';
  if (fuses && takes(next) && graph.kind(next) === 'activation' && isClamp(activationOf(next.layer))) chain.push(next);
  return chain;
}

/** Whether an op's output goes, by way of ops that only move values, into a concatenation and nowhere else. */
function endsInConcat(graph: Graph, op: Op): boolean {
  const next = soleConsumer(graph, op);
  if (!next || graph.isFloat(next)) return false;
  const kind = graph.kind(next);
  return kind === 'concat' || (kind === 'passing' && endsInConcat(graph, next));
}

/** Whether somebody computes with an op's output in integers. */
function feedsIntegers(graph: Graph, tensor: number): boolean {
  return (graph.consumers.get(tensor) ?? []).some(op => {
    if (graph.isFloat(op) || graph.kind(op) === 'embedding') return false;
    return graph.kind(op) !== 'passing' || op.outputs.some(output => feedsIntegers(graph, output));
  });
}

type Output = Pick<Place, 'output' | 'reason'>;

const MEASURED: Output = {output: 'measured', reason: ''};
const none = (reason: string): Output => ({output: 'none', reason});

/** What becomes of the output of the last op of a chain. */
function outputOf(graph: Graph, op: Op, perRow: boolean): Output {
  const kind = graph.kind(op);
  if (kind === 'nested') return none('its own layers are rounded');
  if (kind === 'passing') return none('moves values only: they stay on their grid');
  if (graph.isFloat(op)) {
    return feedsIntegers(graph, op.outputs[0]!) ? MEASURED : none('left out by the options');
  }
  if (kind === 'embedding' && !perRow) return none("its rows are on the weights' grid");
  const activation = kind === 'recurrent' || kind === 'custom' ? 'linear' : activationOf(op.layer);
  if (activation === 'softmax' || activation === 'sigmoid' || activation === 'hardSigmoid' || activation === 'tanh') {
    if (feedsIntegers(graph, op.outputs[0]!)) return {output: 'fixed', reason: ''};
    return none(`${activation} is an output: what it is given is rounded`);
  }
  if (endsInConcat(graph, op)) return none('rounded once, after the concatenation');
  return MEASURED;
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
  const rounded = one.output === 'measured' ? one : other.output === 'none' ? one : other;
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

/** Decides where a flattened model is rounded. */
export function place(flat: FlatGraph, options: PlacementOptions): Placement {
  const graph = graphWith(flat, options);
  const layers = new Map<Layer, Place>();
  const inside = new Map<Op, string>();
  for (const op of flat.ops) {
    const chain = inside.has(op) ? [op] : chainOf(graph, op);
    const last = chain[chain.length - 1]!;
    for (const each of chain.slice(0, -1)) inside.set(each, `rounded once, after ${last.layer.name}`);
    const reason = inside.get(op);
    const output = reason === undefined ? outputOf(graph, op, options.perRow(op.layer)) : none(reason);
    layers.set(op.layer, merged(layers.get(op.layer), placeOf(graph, op, output, foldedIn(chain))));
  }
  return {layers, inputs: flat.inputs.map(input => feedsIntegers(graph, input))};
}
