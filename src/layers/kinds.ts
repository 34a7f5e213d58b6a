/** What a layer is to an int8 runtime, by the row of its class and how it was built. */
import type {Layer} from './graph';
import {specOf} from './specs';
import type {Kind} from './specs/layer_spec';
import {attributesOf} from './tfjs_internals';
import type {CustomLayers} from './weights';

/** The kinds that multiply with weights. */
export const MULTIPLIES: ReadonlySet<Kind> = new Set<Kind>(['compute', 'recurrent', 'embedding', 'custom']);

/** The kinds that a rounded value would be another value to: they take values as they are. */
export const EXACT: ReadonlySet<Kind> = new Set<Kind>(['embedding', 'encoding', 'masking']);

/** What `layer` is. What is called step by step is as what it calls. */
export function kindOf(layer: Layer, custom: CustomLayers): Kind {
  if (custom[layer.getClassName()]) return 'custom';
  const kind = specOf(layer)?.kind ?? 'unknown';
  return typeof kind === 'function' ? kind(layer, inner => kindOf(inner, custom)) : kind;
}

/** The activation that a layer has or is; 'linear' if it has none. */
export function activationOf(layer: Layer): string {
  const known = specOf(layer)?.activation;
  if (typeof known === 'function') return known(layer, activationOf);
  if (known !== undefined) return known;
  return attributesOf(layer).activation?.getClassName() ?? 'linear';
}

/** The highest value, which may be infinite, of a layer that is nothing but a ReLU; undefined of others. */
export function reluOf(layer: Layer): number | undefined {
  const {maxValue, activation} = attributesOf(layer);
  if (layer.getClassName() === 'ReLU') return maxValue ?? Infinity;
  const name = layer.getClassName() === 'Activation' ? activation?.getClassName() : undefined;
  return name === 'relu' ? Infinity : name === 'relu6' ? 6 : undefined;
}

/** Activations that a runtime computes as a clamp of what it accumulated. */
export function isClamp(activation: string): boolean {
  return activation === 'linear' || activation === 'relu' || activation === 'relu6';
}

const RANGES: ReadonlyMap<string, readonly [number, number]> = new Map([
  ['hardSigmoid', [0, 1]],
  ['sigmoid', [0, 1]],
  ['softmax', [0, 1]],
  ['tanh', [-1, 1]],
]);

/** What an activation's outputs are within, whatever it is given; undefined if that is not known. */
export function outputRangeOf(activation: string): readonly [number, number] | undefined {
  return RANGES.get(activation);
}

/** Whether a layer makes a mask. */
export function makesMask(layer: Layer): boolean {
  const makes = specOf(layer)?.makesMask ?? false;
  return typeof makes === 'function' ? makes(layer) : makes;
}
