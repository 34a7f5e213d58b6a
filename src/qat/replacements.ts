/** What stands in a quantized model for each layer, and what rounds values on their way between them. */
import type {SymbolicTensor} from '@tensorflow/tfjs-layers';
import type {Call, Layer} from '../layers/graph';
import {activationOf, MULTIPLIES, outputRangeOf} from '../layers/kinds';
import {cloneLayer, type Replacement} from '../layers/rebuild';
import {slotsOf} from '../layers/weights';
import type {QuantizerConfig} from './options/options';
import type {PlacedModel} from './placement/placed_model';
import {
  isLasting,
  LEFT_OUT,
  type Place,
  type RangeSource,
  reasonOfKind,
  type UnroundedValue,
} from './placement/placement';
import {QuantizedInput} from './quantized_layers/quantized_input';
import {QuantizedLayer, type QuantizedLayerArgs} from './quantized_layers/quantized_layer';

/**
 * The range that runtimes have an activation's output on, for a grid of `numBits`; undefined if they measure it. An int16
 * has 0 in its middle, so 16 bits reach as far below 0 as above, whatever the activation.
 */
function fixedRange(activation: string, numBits: number): [number, number] | undefined {
  const range = outputRangeOf(activation);
  if (!range) return undefined;
  const step = 2 ** -numBits;
  return range[0] === 0 && numBits < 16 ? [0, 1 - step] : [-1, 1 - 2 * step];
}

/** The quantized layers of one model. */
export class Replacements {
  readonly #placed: PlacedModel;
  readonly #pinned: ReadonlyMap<Layer, readonly [number, number]>;
  /** What rounds values on their way, by the values' ids. */
  readonly #inputs = new Map<number, QuantizedInput | undefined>();
  readonly #names: Set<string>;
  /** What the options leave out, for the first wrapper to know. */
  readonly #leftOut: {name: string}[];

  constructor(placed: PlacedModel, pinned: ReadonlyMap<Layer, readonly [number, number]>) {
    this.#placed = placed;
    this.#pinned = pinned;
    this.#names = new Set(placed.named.map(({name}) => name));
    const without = placed.layers.filter(layer => !reasonOfKind(placed.placeOf(layer)!.kind) && !this.#argsFor(layer));
    this.#leftOut = without.map(({name}) => ({name}));
  }

  /** A copy of a layer, in a wrapper that rounds if it needs one. */
  replace(layer: Layer): Replacement {
    const copy = cloneLayer(layer);
    const args = this.#argsFor(layer);
    const leftOut = args && this.#leftOut.splice(0);
    const wrapped = args && new QuantizedLayer({...args, layer: copy, leftOut: leftOut!});
    return {layer: wrapped ?? copy, variables: {to: copy, from: layer}};
  }

  /** The layer that rounds a value on its way to a call. */
  between(value: SymbolicTensor, taker: Call): QuantizedInput | undefined {
    const unrounded = this.#placed.between(value, taker);
    if (unrounded && !this.#inputs.has(value.id)) this.#inputs.set(value.id, this.#inputFor(value, unrounded));
    return unrounded && this.#inputs.get(value.id);
  }

  /** What a layer's wrapper is made of; undefined if it needs none. */
  #argsFor(layer: Layer): Omit<QuantizedLayerArgs, 'layer'> | undefined {
    const found = this.#placed.placeOf(layer);
    if (!found) return undefined;
    const {kind, before, between, output, folds} = found;
    const {weights, activations} = this.#placed.configsOf(layer);
    const custom = this.#placed.options.customLayers?.[layer.getClassName()];
    const hasWeights = weights && MULTIPLIES.has(kind) && slotsOf(layer, custom).length > 0;
    const outputConfig = output === 'none' ? undefined : this.#outputConfig(layer, output);
    const beforeConfig = before ? activations : undefined;
    const reason = outputConfig ? undefined : this.#reasonOf(layer, found);
    const isTold = reason === undefined || reason === LEFT_OUT || reason === reasonOfKind(kind);
    if (!hasWeights && !outputConfig && !beforeConfig && isTold) return undefined;
    return {
      weights: hasWeights ? weights : null,
      before: beforeConfig ?? null,
      between: between && activations ? activations : null,
      output: outputConfig ?? null,
      allOutputs: true,
      states: true,
      customWeights: custom ? Object.entries(custom).map(([name, each]) => ({name, axis: each?.axis ?? null})) : null,
      folds: hasWeights && folds && weights.perChannel === false ? {name: folds.name} : null,
      reason: reason === undefined ? null : {name: reason},
    };
  }

  /** Why a layer's output is not rounded, by what becomes of the layer that does it in its place. */
  #reasonOf(layer: Layer, {output, by, later, reason}: Place): string {
    if (output !== 'none') return LEFT_OUT;
    if (later && !this.#outputConfig(layer, later)) return LEFT_OUT;
    if (!this.#placed.configsOf(layer).activations && !by) return isLasting(reason) ? reason : LEFT_OUT;
    const next = by && this.#placed.placeOf(by);
    if (!next || (next.output !== 'none' && this.#outputConfig(by, next.output))) return reason;
    return this.#reasonOf(by, next);
  }

  #outputConfig(layer: Layer, range: RangeSource): QuantizerConfig | undefined {
    const {activations: config} = this.#placed.configsOf(layer);
    if (!config) return undefined;
    const {numBits, narrowRange = false} = config;
    const pinned = this.#pinned.get(layer);
    if (pinned) return {numBits, narrowRange, fixed: [...pinned], pinned: true};
    const activation = activationOf(layer);
    const fixed = range === 'fixed' ? fixedRange(activation, numBits) : undefined;
    if (fixed) return {numBits, fixed};
    const isReLU = activation === 'relu' || activation === 'relu6';
    return config.observer === 'learned' && isReLU && !config.symmetric ? {...config, nonNegative: true} : config;
  }

  #inputFor({sourceLayer}: SymbolicTensor, {from, range}: UnroundedValue): QuantizedInput | undefined {
    const quantizer = this.#outputConfig(from, range);
    if (!quantizer) return undefined;
    let name = `${sourceLayer.name}_quantized`;
    for (let i = 1; this.#names.has(name); ++i) name = `${sourceLayer.name}_quantized_${i}`;
    this.#names.add(name);
    return new QuantizedInput({name, quantizer});
  }
}
