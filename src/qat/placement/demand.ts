/** How those that take a value would have it: as it is, rounded, or in any way. */
import {type FlatGraph, flatten, innerLayers, isContainer, type Layer, type Op} from '../../layers/graph';
import {EXACT, kindOf} from '../../layers/kinds';
import type {Kind} from '../../layers/specs/layer_spec';
import type {CustomLayers} from '../../layers/weights';

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

/** How a value is taken. */
export interface Demand {
  /** Layers that take it as it is. */
  readonly exact: ReadonlySet<Layer>;
  /** Whether somebody computes with it in integers. */
  readonly rounded: boolean;
  /** Whether somebody computes with it in float, whom its integers are turned into floats for. */
  readonly float: boolean;
}

/** A model as placement sees it. */
export interface Context {
  readonly flat: FlatGraph;
  readonly options: PlacementOptions;
  readonly kind: (op: Op) => Kind;
  readonly isFloat: (op: Op) => boolean;
  /** The ops that compute in float as the graph segments around them do. */
  readonly inFloat: ReadonlySet<Op>;
  /** The demand for tensors, as far as somebody has asked. */
  readonly demands: Map<number, Demand>;
}

/** What placement is to know of a flat graph. */
export function contextOf(flat: FlatGraph, options: PlacementOptions): Context {
  const kind = ({layer}: Op) => kindOf(layer, options.custom);
  const inFloat = opsInFloat(flat, op => kind(op), options.custom);
  // What only moves values is as those are.
  const isFloat = (op: Op) => (options.isFloat(op.layer) || inFloat.has(op)) && kind(op) !== 'passing';
  return {flat, options, kind, isFloat, inFloat, demands: new Map()};
}

/**
 * Graph segments, and what without weights of its own computes what they alone give, or what they alone are given of the
 * model's inputs.
 */
function opsInFloat(flat: FlatGraph, kind: Context['kind'], custom: CustomLayers): ReadonlySet<Op> {
  const isSegment = (op: Op) => kind(op) === 'segment';
  const found = new Set(flat.ops.filter(isSegment));
  if (found.size === 0) return found;
  const ofInputs = new Set<Op>();
  for (const op of flat.ops.filter(each => carries(kind(each), each, custom))) {
    const givers = op.inputs.map(flat.producer);
    if (!givers.every(giver => !giver || found.has(giver) || ofInputs.has(giver))) continue;
    (givers.some(giver => giver && found.has(giver)) ? found : ofInputs).add(op);
  }
  for (const op of [...ofInputs].reverse()) {
    const takers = op.outputs.flatMap(flat.consumers);
    const isOutput = op.outputs.some(output => flat.outputs.includes(output));
    if (!isOutput && takers.length > 0 && takers.every(taker => found.has(taker))) found.add(op);
  }
  return found;
}

/** The same of a model that is called step by step. */
export function steppedContext({options}: Context, layer: Layer): Context {
  const [model] = innerLayers(layer);
  if (!model || !isContainer(model)) throw new Error(`${layer.name} calls no model.`);
  return contextOf(flatten(model), options);
}

const INDIFFERENT: Demand = {exact: new Set(), rounded: false, float: false};
const ROUNDED: Demand = {exact: new Set(), rounded: true, float: false};
const FLOAT: Demand = {exact: new Set(), rounded: false, float: true};

/** The demand of several together. */
export function together(demands: readonly Demand[]): Demand {
  return {
    exact: new Set(demands.flatMap(({exact}) => [...exact])),
    rounded: demands.some(({rounded}) => rounded),
    float: demands.some(({float}) => float),
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
export function demandFor(context: Context, tensor: number): Demand {
  const known = context.demands.get(tensor);
  if (known) return known;
  const demand = together(context.flat.consumers(tensor).map(op => demandOf(context, op)));
  context.demands.set(tensor, demand);
  return demand;
}

/** Whether an op has no weights of its own. */
function carries(kind: Kind, {layer}: Op, custom: CustomLayers): boolean {
  const weights = Object.keys(custom[layer.getClassName()] ?? {});
  return CARRIES.has(kind) || (kind === 'custom' && weights.length === 0);
}

/** How an op would have what it takes. */
export function demandOf(context: Context, op: Op): Demand {
  const kind = context.kind(op);
  // What a class of one's own does with values nobody knows, so that it is left as it is along with them.
  if (EXACT.has(kind) || kind === 'unknown') return {...INDIFFERENT, exact: new Set([op.layer])};
  if (kind === 'nested') {
    const inner = steppedContext(context, op.layer);
    return demandFor(inner, inner.flat.inputs[0]!);
  }
  if (kind === 'segment') return FLOAT;
  const after = carries(kind, op, context.options.custom)
    ? together(op.outputs.map(output => demandFor(context, output)))
    : INDIFFERENT;
  if (kind === 'passing') return after;
  if (after.exact.size > 0) return {...INDIFFERENT, exact: after.exact};
  if (context.inFloat.has(op)) return FLOAT;
  return context.isFloat(op) ? INDIFFERENT : ROUNDED;
}
