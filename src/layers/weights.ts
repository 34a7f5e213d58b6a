/** The weights of layers that are quantized: where they are, and which of their dimensions has the output channels. */
import type {LayerVariable} from '@tensorflow/tfjs-layers';
import {innerLayers, isContainer, type Layer} from './graph';
import {specOf} from './specs';
import type {ChannelAxis} from './specs/layer_spec';
import {hostOf} from './tfjs_internals';

/**
 * The weights of a layer class of one's own that are to be quantized: their attributes, each with its channels' axis.
 *
 * @example
 * ```js
 * import * as tf from '@tensorflow/tfjs';
 * import {quantizeModel} from 'tfjs-quantization/qat';
 *
 * class Scale extends tf.layers.Layer {
 *   static className = 'Scale';
 *   kernel;
 *   build([, units]) {
 *     this.kernel = this.addWeight('kernel', [units], 'float32', tf.initializers.ones());
 *   }
 *   call(x) { return tf.mul([x].flat()[0], this.kernel.read()); }
 * }
 * tf.serialization.registerClass(Scale);
 * const dense = tf.layers.dense({units: 3, inputShape: [2]});
 * const scaled = tf.sequential({layers: [dense, new Scale()]});
 * // A range for each number of its kernel.
 * const q = quantizeModel(scaled, {customLayers: {Scale: {kernel: {axis: -1}}}});
 * ```
 */
export interface CustomWeights {
  /** By attribute: the dimension of the channels, with a range for each; one range by default. */
  readonly [attribute: string]: {readonly axis?: number} | undefined;
}

/**
 * Custom classes by name.
 *
 * @example
 * ```js
 * import * as tf from '@tensorflow/tfjs';
 * import {quantizeModel} from 'tfjs-quantization/qat';
 *
 * class Twice extends tf.layers.Layer {
 *   static className = 'Twice';
 *   call(x) { return tf.mul([x].flat()[0], 2); }
 * }
 * tf.serialization.registerClass(Twice);
 * const dense = tf.layers.dense({units: 3, inputShape: [2]});
 * const twice = tf.sequential({layers: [dense, new Twice()]});
 * // It has no weights: what it gives is rounded.
 * const q = quantizeModel(twice, {customLayers: {Twice: {}}});
 * ```
 */
export interface CustomLayers {
  /** By class name: what of it is quantized. */
  readonly [className: string]: CustomWeights | undefined;
}

/** A weight that is quantized, where the layer looks for it when it is called. */
export interface Slot {
  /** The layer that reads the weight: the one quantized, or one inside. */
  readonly host: Record<string, LayerVariable>;
  readonly attr: string;
  /** What tells the slot from the others of its layer. */
  readonly name: string;
  /** The dimension of output channels; 'depthwise' where in and multiplier are both, 'gates' where each quarter of them is one. */
  readonly axis: ChannelAxis | undefined;
}

/** The weights of cells of the user's own, if they are named as tfjs names its own. */
const BY_NAME: Readonly<Record<string, ChannelAxis>> = {
  kernel: -1,
  depthwiseKernel: 'depthwise',
  pointwiseKernel: -1,
  recurrentKernel: -1,
  embeddings: 0,
};

/** The attributes to quantize of a built layer, each with its channels' axis. */
function axesOf(layer: Layer, custom: CustomWeights | undefined): [string, ChannelAxis | undefined][] {
  if (custom) return Object.entries(custom).map(([attr, weight]) => [attr, weight?.axis]);
  const spec = specOf(layer);
  if (spec) {
    return Object.entries(spec.weights ?? {}).map(([attr, axis]) => [
      attr,
      typeof axis === 'function' ? axis(layer) : axis,
    ]);
  }
  return Object.entries(BY_NAME).filter(([attr]) => hostOf(layer)[attr]);
}

/** A layer and those that it calls, with what is in front of the names of their weights. */
export function hostsOf(layer: Layer, prefix = ''): {readonly host: Layer; readonly prefix: string}[] {
  const inner = innerLayers(layer).filter(each => !isContainer(each));
  return [{host: layer, prefix}, ...inner.flatMap((each, i) => hostsOf(each, prefix + innerPrefix(layer, i)))];
}

/** The weights to quantize of a built layer. */
export function slotsOf(layer: Layer, custom: CustomWeights | undefined, prefix = ''): Slot[] {
  const host = hostOf(layer);
  const own = axesOf(layer, custom).map(([attr, axis]) => {
    const {rank} = host[attr]!.read();
    return {host, attr, name: prefix + attr, axis: typeof axis === 'number' && axis < 0 ? axis + rank : axis};
  });
  const inner = custom ? [] : innerLayers(layer).filter(each => !isContainer(each));
  return [...own, ...inner.flatMap((each, i) => slotsOf(each, undefined, `${prefix}${innerPrefix(layer, i)}`))];
}

/** What tells the weights of a layer inside another from those of the others there. */
export function innerPrefix(layer: Layer, index: number): string {
  if ('forwardLayer' in layer) return index === 0 ? 'forward_' : 'backward_';
  return 'cells' in layer ? `cell${index}_` : '';
}
