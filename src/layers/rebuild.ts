/** Making a model again, call by call, with other layers in the places of some. */
import {dispose} from '@tensorflow/tfjs-core';
import {input as newInput, type LayersModel, model as newModel, type SymbolicTensor} from '@tensorflow/tfjs-layers';
import {allOrNothing} from './all_or_nothing';
import {assign} from './assign';
import {
  allLayers,
  asContainer,
  type Call,
  callsOf,
  type Container,
  graphOf,
  isContainer,
  type Layer,
  steppedLayer,
  variablesOf,
  withInner,
} from './graph';
import {argumentsBeside} from './layer_wrapper';
import {configOf, layerFrom} from './serialization';
import {asRecurrent, attributesOf, setReferences, setTrainableFlag} from './tfjs_internals';

/** A layer for the place of another. */
export interface Replacement {
  readonly layer: Layer;
  /** Layers to call one after the other on what the first gives. */
  readonly then?: readonly Layer[];
  /** The layer within that gets the variables of `from`; left out where they are given otherwise. */
  readonly variables?: {readonly to: Layer; readonly from: Layer};
}

/** How a model is made again. */
export interface Rebuilding {
  /** What comes in the place of a layer; undefined leaves the layer out. */
  readonly replace: (layer: Layer) => Replacement | undefined;
  /** A layer to call on one of the model's inputs, wherever that goes, and be it the model's output. */
  readonly onInput?: (input: SymbolicTensor, index: number) => Layer | undefined;
  /** A layer to call on a value on its way to a call that takes it: the same one for all of those that are given the same. */
  readonly between?: (value: SymbolicTensor, taker: Call) => Layer | undefined;
}

/** A layer of the same class and config, which holds no weights yet. */
export function cloneLayer(layer: Layer): Layer {
  const clone = layerFrom({className: layer.getClassName(), config: configOf(layer)});
  clone.setFastWeightInitDuringBuild(true);
  return clone;
}

/** The arguments for calling a copy: its inputs stand for tensors among them, and a mask is of the last prediction. */
function argumentsOf(call: Call): Record<string, unknown> {
  return Object.fromEntries(Object.entries(argumentsBeside(call)).filter(([name]) => name !== 'mask'));
}

class Rebuilder {
  readonly #how: Rebuilding;
  readonly #made = new Map<Layer, Replacement | undefined>();
  readonly #models = new Map<Layer, LayersModel>();

  constructor(how: Rebuilding) {
    this.#how = how;
  }

  model(source: Container, isNested: boolean): LayersModel {
    const known = this.#models.get(source);
    if (known) return known;
    const graph = graphOf(source);
    const tensors = new Map<number, SymbolicTensor>();
    const inputs = graph.inputs.map(({shape, dtype, sourceLayer}) =>
      newInput({batchShape: shape, dtype, name: sourceLayer.name}),
    );
    inputs.forEach((input, i) => {
      const layer = isNested ? undefined : this.#how.onInput?.(graph.inputs[i]!, i);
      tensors.set(graph.inputs[i]!.id, layer ? (layer.apply(input) as SymbolicTensor) : input);
    });
    const between = new Map<Layer, SymbolicTensor>();
    for (const call of callsOf(source)) this.#call(call, tensors, between);
    const outputs = graph.outputs.map(({id}) => tensors.get(id)!);
    const made = newModel({inputs, outputs, name: source.name});
    setTrainableFlag(made, source.trainable);
    this.#models.set(source, made);
    return made;
  }

  /** Copies what the layers know, once all of them are built. */
  copyVariables(): void {
    for (const replacement of this.#made.values()) {
      if (!replacement?.variables) continue;
      const {from: source, to: target} = replacement.variables;
      const [from, to] = [variablesOf(source), variablesOf(target)];
      to.forEach((variable, i) => {
        assign(variable, () => from[i]!.read());
        variable.trainable = from[i]!.trainable;
      });
    }
  }

  /**
   * A layer belongs to one model here, however often it is called: tfjs counts the calls, and would not free it. A model
   * within a model is disposed of twice.
   */
  ownOnce(): void {
    for (const replacement of this.#made.values()) {
      if (!replacement) continue;
      for (const layer of [replacement.layer, ...(replacement.then ?? [])]) setReferences(layer, 1);
    }
    for (const nested of [...this.#models.values()].slice(0, -1)) setReferences(nested, 2);
  }

  #call(call: Call, tensors: Map<number, SymbolicTensor>, between: Map<Layer, SymbolicTensor>): void {
    if (call.outputTensors.every(({id}) => tensors.has(id))) return;
    const inputs = call.inputTensors.map(value => {
      const [given, layer] = [tensors.get(value.id)!, this.#how.between?.(value, call)];
      if (!layer) return given;
      if (!between.has(layer)) between.set(layer, layer.apply(given) as SymbolicTensor);
      return between.get(layer)!;
    });
    const layers = this.#layers(call.outboundLayer);
    const outputs = layers.reduce((given, layer) => {
      const applied = layer.apply(given.length === 1 ? given[0]! : given, argumentsOf(call));
      return (Array.isArray(applied) ? applied : [applied]) as SymbolicTensor[];
    }, inputs);
    call.outputTensors.forEach(({id}, i) => tensors.set(id, outputs[i]!));
  }

  /** The layers to call in the place of one. */
  #layers(source: Layer): Layer[] {
    if (isContainer(source)) return [this.model(source, true)];
    if (!this.#made.has(source)) this.#made.set(source, this.#replacement(source));
    const {layer, then = []} = this.#made.get(source) ?? {};
    return layer ? [layer, ...then] : [];
  }

  #replacement(source: Layer): Replacement | undefined {
    const inner = steppedLayer(source);
    if (!inner || !isContainer(inner)) return this.#how.replace(source);
    const layer = this.model(inner, true);
    const timeDistributed = source.constructor as new (args: object) => Layer;
    return {layer: new timeDistributed({layer, name: source.name, trainable: source.trainable})};
  }
}

/** Makes `model` again: its graph, names and trainable flags, and copies of its weights. Nothing is left where that fails. */
export function rebuild(model: LayersModel, how: Rebuilding): LayersModel {
  return allOrNothing(() => {
    const rebuilder = new Rebuilder(how);
    const made = rebuilder.model(asContainer(model), false);
    rebuilder.copyVariables();
    rebuilder.ownOnce();
    const metadata = model.getUserDefinedMetadata();
    if (metadata) made.setUserDefinedMetadata(metadata);
    return made;
  });
}

/** Disposes of a model that `rebuild` made, and of what its recurrent layers keep of their last call, which tfjs would leave. */
export function disposeMade(model: LayersModel): void {
  const kept = allLayers(asContainer(model))
    .flatMap(withInner)
    .flatMap(layer => {
      const {dropoutMask, recurrentDropoutMask} = attributesOf(layer);
      return [dropoutMask ?? [], recurrentDropoutMask ?? [], asRecurrent(layer).states ?? []].flat();
    });
  model.dispose();
  // A stateful layer that was never called has null for a state.
  dispose(kept.filter(each => each !== null));
}
