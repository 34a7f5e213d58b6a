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
}

/** A model as placement sees it. */
export interface Context {
  readonly flat: FlatGraph;
  readonly options: PlacementOptions;
  readonly kind: (op: Op) => Kind;
  readonly isFloat: (op: Op) => boolean;
  /** The demand for tensors, as far as somebody has asked. */
  readonly demands: Map<number, Demand>;
}

/** What placement is to know of a flat graph. */
export function contextOf(flat: FlatGraph, options: PlacementOptions): Context {
  const kind = ({layer}: Op) => kindOf(layer, options.custom);
  // What only moves values is as those are.
  const isFloat = (op: Op) => options.isFloat(op.layer) && kind(op) !== 'passing';
  return {flat, options, kind, isFloat, demands: new Map()};
}

/** The same of a model that is called step by step. */
export function steppedContext({options}: Context, layer: Layer): Context {
  const [model] = innerLayers(layer);
  if (!model || !isContainer(model)) throw new Error(`${layer.name} calls no model.`);
  return contextOf(flatten(model), options);
}

const INDIFFERENT: Demand = {exact: new Set(), rounded: false};
const ROUNDED: Demand = {exact: new Set(), rounded: true};

/** The demand of several together. */
export function together(demands: readonly Demand[]): Demand {
  return {
    exact: new Set(demands.flatMap(({exact}) => [...exact])),
    rounded: demands.some(({rounded}) => rounded),
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

function hasCustomWeights({options}: Context, {layer}: Op): boolean {
  return Object.keys(options.custom[layer.getClassName()] ?? {}).length > 0;
}

/** How an op would have what it takes. */
export function demandOf(context: Context, op: Op): Demand {
  const kind = context.kind(op);
  // What a class of one's own does with values nobody knows, so that it is left as it is along with them.
  if (EXACT.has(kind) || kind === 'unknown') return {exact: new Set([op.layer]), rounded: false};
  if (kind === 'nested') {
    const inner = steppedContext(context, op.layer);
    return demandFor(inner, inner.flat.inputs[0]!);
  }
  const carries = CARRIES.has(kind) || (kind === 'custom' && !hasCustomWeights(context, op));
  const after = carries ? together(op.outputs.map(output => demandFor(context, output))) : INDIFFERENT;
  if (kind === 'passing') return after;
  if (after.exact.size > 0) return {exact: after.exact, rounded: false};
  return context.isFloat(op) ? INDIFFERENT : ROUNDED;
}
