/** Walking models of tfjs-layers: their layers at any depth, and their graph without the nesting. */
import {layers as tfLayers, type LayersModel, type LayerVariable, type SymbolicTensor} from '@tensorflow/tfjs-layers';
import {attributesOf, ownWeights} from './tfjs_internals';

export type Layer = tfLayers.Layer;
export type Shape = (number | null)[];

/** One symbolic call of a layer. */
export interface Call {
  readonly outboundLayer: Layer;
  readonly inputTensors: SymbolicTensor[];
  readonly outputTensors: SymbolicTensor[];
  readonly callArgs?: Record<string, unknown>;
}

/** What a model has beyond its public face. */
export interface Container extends Layer {
  readonly layers: Layer[];
  readonly inputs: SymbolicTensor[];
  readonly outputs: SymbolicTensor[];
  readonly nodesByDepth: Record<string, Call[]>;
  readonly model?: Container | null;
}

/** Whether a layer is itself a model. */
export function isContainer(layer: Layer): layer is Container {
  return 'outputs' in layer && 'layers' in layer;
}

/** The graph of a model; a Sequential keeps its own inside, once it is built. */
export function graphOf(model: Container): Container {
  if (model.getClassName() !== 'Sequential') return model;
  if (!model.model) model.build([]);
  return model.model!;
}

/** A model as its users see it. */
export function asContainer(model: LayersModel): Container {
  return model;
}

/** A model's calls, each after those whose outputs it takes. */
export function callsOf(model: Container): Call[] {
  const {nodesByDepth} = graphOf(model);
  const depths = Object.keys(nodesByDepth).map(Number);
  return depths.sort((a, b) => b - a).flatMap(depth => nodesByDepth[String(depth)]!);
}

/** Layers inside a layer that are called by it: of wrappers and of recurrent layers. */
export function innerLayers(layer: Layer): Layer[] {
  const {forwardLayer, backwardLayer, layer: inner, cell, cells} = attributesOf(layer);
  const own = forwardLayer ? [forwardLayer, backwardLayer] : [inner, cell, ...(Array.isArray(cells) ? cells : [])];
  return own.filter((each): each is Layer => each instanceof tfLayers.Layer);
}

/** A layer and all that it calls. */
export function withInner(layer: Layer): Layer[] {
  return [layer, ...innerLayers(layer).flatMap(withInner)];
}

/** Whether a layer is the place of a model's input. */
export function isInput(layer: Layer): boolean {
  return layer.getClassName() === 'InputLayer';
}

/** The layer that a TimeDistributed calls on each step; undefined of any other layer. */
export function steppedLayer(layer: Layer): Layer | undefined {
  return layer.getClassName() === 'TimeDistributed' ? innerLayers(layer)[0] : undefined;
}

/** A model's layers that are no models, those of nested models included, each once. */
export function leavesOf(model: Container): Layer[] {
  const leaves = new Set<Layer>();
  const visit = (container: Container) => {
    for (const layer of graphOf(container).layers) {
      if (isContainer(layer)) visit(layer);
      else leaves.add(layer);
    }
  };
  visit(model);
  return [...leaves];
}

/** The models that a model calls step by step, whose layers have graphs of their own. */
export function steppedModels(model: Container): Container[] {
  const own = leavesOf(model).flatMap(layer => steppedLayer(layer) ?? []);
  return own.filter(isContainer).flatMap(each => [each, ...steppedModels(each)]);
}

/** A model's layers at any depth, also those of models that it calls step by step. */
export function allLayers(model: Container): Layer[] {
  return [model, ...steppedModels(model)].flatMap(leavesOf);
}

/** All the variables of a layer, in an order that does not depend on which of them are trained. */
export function variablesOf(layer: Layer): LayerVariable[] {
  if (isContainer(layer)) return leavesOf(layer).flatMap(variablesOf);
  const {trainable, others} = ownWeights(layer);
  const known = [...trainable, ...others, ...innerLayers(layer).flatMap(variablesOf)];
  return known.length === layer.weights.length ? known : layer.weights;
}

/** A call of a layer that is no model, between tensors that are known by number wherever they cross into a model. */
export interface Op {
  readonly layer: Layer;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

/** A model's graph without its nesting. */
export interface FlatGraph {
  readonly ops: readonly Op[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** The op that gives a tensor; undefined of the model's inputs. */
  readonly producer: (tensor: number) => Op | undefined;
  /** The ops that take a tensor: each once, however often it takes it. */
  readonly consumers: (tensor: number) => readonly Op[];
  /** The one op that takes a tensor, if the model does not put it out besides. */
  readonly soleConsumer: (tensor: number) => Op | undefined;
  /** The numbers of a tensor of the model, or of a model within: one for each call of that model. */
  readonly numbers: ReadonlyMap<number, readonly number[]>;
  /** The calls, in its own model, that take a tensor. */
  readonly takers: ReadonlyMap<number, readonly Call[]>;
}

function addTo<T>(lists: Map<number, T[]>, key: number, item: T): void {
  const list = lists.get(key);
  if (!list) lists.set(key, [item]);
  else if (!list.includes(item)) list.push(item);
}

/** Who gives and takes the tensors of a flat graph. */
function linksOf(ops: readonly Op[], outputs: readonly number[]) {
  const producers = new Map<number, Op>();
  const consumers = new Map<number, Op[]>();
  for (const op of ops) {
    for (const tensor of op.outputs) producers.set(tensor, op);
    for (const tensor of op.inputs) addTo(consumers, tensor, op);
  }
  const consumersOf = (tensor: number) => consumers.get(tensor) ?? [];
  const soleConsumer = (tensor: number) => {
    const [first, ...others] = consumersOf(tensor);
    return others.length === 0 && !outputs.includes(tensor) ? first : undefined;
  };
  return {producer: (tensor: number) => producers.get(tensor), consumers: consumersOf, soleConsumer};
}

/** Flattens a model. An op that is called in several places is there as often. */
export function flatten(model: Container): FlatGraph {
  const ops: Op[] = [];
  const numbers = new Map<number, number[]>();
  const takers = new Map<number, Call[]>();
  let count = 0;
  const visit = (container: Container, given: readonly number[]): number[] => {
    const graph = graphOf(container);
    const ids = new Map(graph.inputs.map((input, i) => [input.id, given[i]!]));
    for (const call of callsOf(container)) {
      const {outboundLayer, inputTensors, outputTensors} = call;
      for (const {id} of inputTensors) addTo(takers, id, call);
      if (outputTensors.every(({id}) => ids.has(id))) continue;
      const inputs = inputTensors.map(({id}) => ids.get(id)!);
      const outputs = isContainer(outboundLayer) ? visit(outboundLayer, inputs) : outputTensors.map(() => count++);
      if (!isContainer(outboundLayer)) ops.push({layer: outboundLayer, inputs, outputs});
      outputTensors.forEach(({id}, i) => ids.set(id, outputs[i]!));
    }
    for (const [id, number] of ids) addTo(numbers, id, number);
    return graph.outputs.map(({id}) => ids.get(id)!);
  };
  const inputs = graphOf(model).inputs.map(() => count++);
  const outputs = visit(model, inputs);
  return {ops, inputs, outputs, numbers, takers, ...linksOf(ops, outputs)};
}
