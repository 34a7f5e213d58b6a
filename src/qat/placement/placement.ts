/** Where an int8 runtime rounds activations: what each layer's wrapper has to quantize, and why. */
import type {SymbolicTensor} from '@tensorflow/tfjs-layers';
import {isBatchNorm, normalizesChannels} from '../../layers/folding';
import {
  type Call,
  type Container,
  type FlatGraph,
  flatten,
  graphOf,
  isContainer,
  isInput,
  type Layer,
  type Op,
} from '../../layers/graph';
import {activationOf, EXACT, isClamp, outputRangeOf} from '../../layers/kinds';
import {specOf} from '../../layers/specs';
import type {Kind} from '../../layers/specs/layer_spec';
import {
  type Context,
  contextOf,
  type Demand,
  demandFor,
  demandOf,
  type PlacementOptions,
  steppedContext,
  together,
} from './demand';

/** Where the range that an output is rounded to comes from: values, or a runtime that fixes it for the activation. */
export type RangeSource = 'measured' | 'fixed';

/** What is done with a layer's activations. */
export interface Place {
  readonly kind: Kind;
  /** Rounds what the activation is given. */
  readonly before: boolean;
  /** Rounds the output. */
  readonly output: RangeSource | 'none';
  /** Why the output is not rounded, where it is not. */
  readonly reason: string;
  /** The layer whose output is rounded in this one's place. */
  readonly by?: Layer;
  /** The range of an output that is rounded on the way to those that compute with it, as others take it as it is. */
  readonly later?: RangeSource;
  /** Rounds what is between its two convolutions. */
  readonly between: boolean;
  /** The BatchNormalization that is folded into its weights, if the same one follows each of its calls. */
  readonly folds: Layer | undefined;
}

/** A value that nobody rounds where it is made, and that is to be rounded on the way to a layer. */
export interface UnroundedValue {
  /** The layer that gives it, or the model's InputLayer. */
  readonly from: Layer;
  readonly range: RangeSource;
}

/** The placement of a model. */
export interface Placement {
  /** The model without its nesting. */
  readonly flat: FlatGraph;
  readonly layers: ReadonlyMap<Layer, Place>;
  /** The inputs that somebody computes with in integers. */
  readonly roundedInputs: ReadonlySet<Layer>;
  /** What a value needs on its way to a call that takes it, as nobody has rounded it before; undefined if nothing. */
  readonly between: (value: SymbolicTensor, taker: Call) => UnroundedValue | undefined;
}

/** The ops that a runtime computes in one: an op, the BatchNormalization after it, the activation after that. */
function chainOf(context: Context, op: Op): Op[] {
  const chain = [op];
  const kind = context.kind(op);
  const takes = (next: Op | undefined): next is Op => next !== undefined && !context.isFloat(next);
  if (context.isFloat(op) || activationOf(op.layer) !== 'linear') return chain;
  let next = context.flat.soleConsumer(op.outputs[0]!);
  const normalizes = (each: Op) => context.kind(each) === 'batchNorm' && normalizesChannels(each.layer, op.layer);
  if (kind === 'compute' && takes(next) && normalizes(next)) {
    chain.push(next);
    next = context.flat.soleConsumer(next.outputs[0]!);
  }
  const fuses = kind === 'compute' || kind === 'merge' || kind === 'batchNorm';
  if (fuses && takes(next) && context.kind(next) === 'activation' && isClamp(activationOf(next.layer)))
    chain.push(next);
  return chain;
}

/** The concatenation that a tensor goes into, by way of ops that only move values, and nowhere else. */
function concatAfter(context: Context, tensor: number): Op | undefined {
  const next = context.flat.soleConsumer(tensor);
  if (!next || context.isFloat(next)) return undefined;
  const kind = context.kind(next);
  // Taken twice it is no part of the concatenation's own.
  if (kind === 'concat') return next.inputs.indexOf(tensor) === next.inputs.lastIndexOf(tensor) ? next : undefined;
  return kind === 'passing' ? concatAfter(context, next.outputs[0]!) : undefined;
}

/** The concatenation that all outputs of an op that somebody takes go into, and nowhere else. */
function endsInConcat(context: Context, {outputs}: Op): Op | undefined {
  const taken = outputs.filter(
    tensor => context.flat.outputs.includes(tensor) || context.flat.consumers(tensor).length > 0,
  );
  const [first, ...others] = taken.map(tensor => concatAfter(context, tensor));
  return others.every(each => each === first) ? first : undefined;
}

type Output = Pick<Place, 'output' | 'reason' | 'by' | 'later'>;

const MEASURED: Output = {output: 'measured', reason: ''};
const none = (reason: string): Output => ({output: 'none', reason});
/** Why nothing is rounded of what the options leave out. */
export const LEFT_OUT = 'left out by the options';

const MOVES = 'moves values only';
const CALLS = 'see the layers that it calls';
const ON_GRID = "its rows are on the weights' grid";
const SEGMENT = "computed in float: TensorFlow's operations, for which there is no layer";
const IN_FLOAT = 'computed in float, as the segments around it are';

/** Why the output of a layer of a kind is not rounded, whatever the options say; undefined where they have a say. */
export function reasonOfKind(kind: Kind): string | undefined {
  return kind === 'passing' ? MOVES : kind === 'nested' ? CALLS : kind === 'segment' ? SEGMENT : undefined;
}

/** Whether a reason holds whatever the options say of activations. */
export function isLasting(reason: string): boolean {
  return [MOVES, CALLS, ON_GRID, SEGMENT, IN_FLOAT].includes(reason);
}

/** Whether what a model called step by step gives is not rounded within. */
function endsFloat(context: Context, layer: Layer): boolean {
  const inner = steppedContext(context, layer);
  const giving = (tensor: number): Op | undefined => {
    const op = inner.flat.producer(tensor);
    return op && inner.kind(op) === 'passing' ? giving(op.inputs[0]!) : op;
  };
  const last = giving(inner.flat.outputs[0]!);
  return last !== undefined && inner.isFloat(last);
}

/** What becomes of the output of the last op of a chain. */
function outputOf(context: Context, op: Op): Output {
  const kind = context.kind(op);
  if (kind === 'passing') return none(MOVES);
  const demand = together(op.outputs.map(output => demandFor(context, output)));
  const {exact, rounded} = demand;
  if (kind === 'nested') {
    return rounded && endsFloat(context, op.layer) ? {...none(CALLS), later: 'measured'} : none(CALLS);
  }
  if (context.inFloat.has(op)) {
    return {...none(kind === 'segment' ? SEGMENT : IN_FLOAT), ...(rounded && {later: 'measured'})};
  }
  const output = ownOutputOf(context, op, demand);
  if (output.output === 'none') return output;
  const names = [...exact].map(({name}) => name);
  const later = rounded ? {later: output.output} : {};
  if (names.length > 0) return {...none(`taken as it is by ${names.join(', ')}`), ...later};
  return context.isFloat(op) && context.options.isWithinFloat(op.layer) ? {...none(LEFT_OUT), ...later} : output;
}

function ownOutputOf(context: Context, op: Op, {rounded, float}: Demand): Output {
  const kind = context.kind(op);
  if (context.isFloat(op)) return rounded ? MEASURED : none(LEFT_OUT);
  if (kind === 'embedding' && context.options.onOneGrid(op.layer)) return none(ON_GRID);
  if (EXACT.has(kind) && kind !== 'embedding' && !rounded) return none('nobody computes with it');
  const activation = kind === 'recurrent' || kind === 'custom' ? 'linear' : activationOf(op.layer);
  if (outputRangeOf(activation)) {
    if (rounded || float) return {output: 'fixed', reason: ''};
    return none(`${activation} is an output${kind === 'compute' ? ': what it is given is rounded' : ''}`);
  }
  const concat = endsInConcat(context, op);
  return concat ? {...none(`rounded once, after ${concat.layer.name}`), by: concat.layer} : MEASURED;
}

/** The BatchNormalization of a chain, if the layer finds it where it was called itself, and not where a model around it was. */
function foldedIn([first, second]: readonly Op[]): Layer | undefined {
  if (!second || !isBatchNorm(second.layer)) return undefined;
  const isNext = first!.layer.outboundNodes.some(({outboundLayer}) => outboundLayer === second.layer);
  return isNext ? second.layer : undefined;
}

function placeOf(context: Context, op: Op, output: Output, folds: Layer | undefined): Place {
  const kind = context.kind(op);
  const activation = activationOf(op.layer);
  const before = kind === 'compute' && !context.isFloat(op) && !isClamp(activation);
  const between = specOf(op.layer)?.between === true && !context.isFloat(op);
  return {kind, before, between, folds, ...output};
}

/** A layer called several times is rounded if any of its calls needs it. */
function merged(one: Place | undefined, other: Place): Place {
  if (!one) return other;
  const rank = ({output, later}: Place) => (later ? 3 : output === 'measured' ? 2 : output === 'fixed' ? 1 : 0);
  const rounded = rank(other) > rank(one) ? other : one;
  return {...rounded, folds: one.folds === other.folds ? one.folds : undefined};
}

/** Decides where a model is rounded; `isStepped`: whether another model calls it step by step. */
export function place(model: Container, options: PlacementOptions, isStepped: boolean): Placement {
  const context = contextOf(flatten(model), options);
  const layers = new Map<Layer, Place>();
  const inside = new Map<Op, Layer>();
  for (const op of context.flat.ops) {
    const chain = inside.has(op) ? [op] : chainOf(context, op);
    const last = chain[chain.length - 1]!;
    for (const each of chain.slice(0, -1)) inside.set(each, last.layer);
    const by = inside.get(op);
    const output = by ? {...none(`rounded once, after ${by.name}`), by} : outputOf(context, op);
    layers.set(op.layer, merged(layers.get(op.layer), placeOf(context, op, output, foldedIn(chain))));
  }
  const {inputs} = graphOf(model);
  const rounded = inputs.filter((_, i) => demandFor(context, context.flat.inputs[i]!).rounded);
  const roundedInputs = new Set(rounded.map(({sourceLayer}) => sourceLayer));
  return {flat: context.flat, layers, roundedInputs, between: betweenWith(context, inputs, layers, isStepped)};
}

/** The values that nobody rounds where they are made, by the numbers of their tensors. */
function unroundedValues(
  context: Context,
  inputs: readonly SymbolicTensor[],
  layers: ReadonlyMap<Layer, Place>,
): ReadonlyMap<number, UnroundedValue> {
  const {flat, kind} = context;
  const values = new Map<number, UnroundedValue>();
  flat.inputs.forEach((number, i) => values.set(number, {from: inputs[i]!.sourceLayer, range: 'measured'}));
  for (const op of flat.ops) {
    const range = layers.get(op.layer)!.later;
    if (range) op.outputs.forEach(output => values.set(output, {from: op.layer, range}));
    const moved = kind(op) === 'passing' && values.get(op.inputs[0]!);
    // If all would have it rounded, it was rounded before it was moved.
    const [output] = op.outputs as [number];
    if (moved && isMixed(demandFor(context, output))) values.set(output, moved);
  }
  return values;
}

/** Whether somebody takes a value, behind what only moves it, as it was before it is rounded. */
function isMixed({exact, float}: Demand): boolean {
  return exact.size > 0 || float;
}

function betweenWith(
  context: Context,
  inputs: readonly SymbolicTensor[],
  layers: ReadonlyMap<Layer, Place>,
  isStepped: boolean,
): Placement['between'] {
  const {flat} = context;
  const {numbers, takers} = flat;
  const unrounded = unroundedValues(context, inputs, layers);
  const isWhole = ({dtype}: SymbolicTensor) => dtype !== 'float32';
  const demandOfCall = ({outboundLayer, inputTensors, outputTensors}: Call, id: number): Demand => {
    if (isContainer(outboundLayer)) {
      const given = graphOf(outboundLayer).inputs.filter((_, i) => inputTensors[i]!.id === id);
      // What a model within makes whole numbers of is rounded after that.
      return together(given.map(input => ({...demandWithin(input.id), ...(isWhole(input) && {rounded: false})})));
    }
    const outputs = outputTensors.flatMap(output => numbers.get(output.id) ?? []);
    return together(outputs.flatMap(output => flat.producer(output) ?? []).map(op => demandOf(context, op)));
  };
  const demandWithin = (id: number) => together((takers.get(id) ?? []).map(call => demandOfCall(call, id)));
  const isOutermost = ({id}: SymbolicTensor) => !isStepped && inputs.some(input => input.id === id);
  return (value, taker) => {
    const demand = demandOfCall(taker, value.id);
    if (isMixed(demand) || !demand.rounded) return undefined;
    // A model within is given rounded values, unless one of its layers takes them as they are.
    const isGiven = isInput(value.sourceLayer) && !isOutermost(value);
    if (isGiven && !isWhole(value) && !isMixed(demandWithin(value.id))) return undefined;
    return (numbers.get(value.id) ?? []).map(each => unrounded.get(each)).find(each => each !== undefined);
  };
}
