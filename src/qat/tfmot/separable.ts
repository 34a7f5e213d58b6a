/** Taking separable convolutions apart, as tfmot does before it quantizes. */
import type {Tensor} from '@tensorflow/tfjs-core';
import {layers as tfLayers, type LayersModel} from '@tensorflow/tfjs-layers';
import {assign} from '../../layers/assign';
import type {Layer} from '../../layers/graph';
import {cloneLayer, rebuild} from '../../layers/rebuild';
import {type Config, configOf} from '../../layers/serialization';
import {specOf} from '../../layers/specs';
import type {Separable} from '../../layers/tfjs_internals';

/** What becomes of one separable convolution. */
interface Parts {
  readonly from: Separable;
  readonly depthwise: Layer;
  readonly pointwise: Layer;
}

function isSeparable(layer: Layer): layer is Separable {
  return specOf(layer)?.tfmot === 'parts';
}

/** Names as Keras gives them, that no layer has. */
function namer(taken: Set<string>): (base: string) => string {
  return base => {
    let [name, count] = [base, 0];
    while (taken.has(name)) name = `${base}_${++count}`;
    taken.add(name);
    return name;
  };
}

function apart(from: Separable, nameOf: (base: string) => string): Parts {
  const {filters, kernelSize, strides, padding, dataFormat, depthMultiplier, activation, useBias} = configOf(from);
  const shared = {dataFormat, trainable: from.trainable};
  const depthwise: Config = {
    ...shared,
    name: nameOf('depthwise_conv2d'),
    kernelSize,
    strides,
    padding,
    depthMultiplier,
  };
  const pointwise: Config = {...shared, name: nameOf('conv2d'), filters, kernelSize: 1, activation, useBias};
  return {
    from,
    depthwise: tfLayers.depthwiseConv2d({...depthwise, useBias: false} as never),
    pointwise: tfLayers.conv2d(pointwise as never),
  };
}

function copyWeights({from, depthwise, pointwise}: Parts): void {
  const give = (layer: Layer, values: readonly ({read(): Tensor} | null)[]) =>
    layer.weights.forEach((weight, i) => assign(weight, () => values[i]!.read()));
  give(depthwise, [from.depthwiseKernel]);
  give(pointwise, [from.pointwiseKernel, from.bias]);
}

/** The separable convolutions that tfjs's layers could not take the place of. */
export function separableProblems(layers: readonly Layer[], isFloat: (layer: Layer) => boolean): string[] {
  const dilated = layers.filter(
    layer => isSeparable(layer) && !isFloat(layer) && layer.dilationRate.some(rate => rate > 1),
  );
  return dilated.map(
    ({name}) =>
      `layer ${name} is a dilated SeparableConv2D: tfmot makes a DepthwiseConv2D of it, which tfjs does not dilate. ` +
      `Leave it as it is: layers: {${name}: false}.`,
  );
}

/**
 * A copy of a model in which a DepthwiseConv2D and a Conv2D stand for each SeparableConv2D; undefined if there are none.
 *
 * @param model - the model, which stays as it is.
 * @param layers - its layers.
 * @param isFloat - which layers are left as they are.
 */
export function withoutSeparables(
  model: LayersModel,
  layers: readonly Layer[],
  isFloat: (layer: Layer) => boolean,
): LayersModel | undefined {
  const nameOf = namer(new Set(layers.map(({name}) => name)));
  const separable = layers.filter(isSeparable).filter(layer => !isFloat(layer));
  if (separable.length === 0) return undefined;
  const parts = new Map<Layer, Parts>(separable.map(layer => [layer, apart(layer, nameOf)]));
  const made = rebuild(model, {
    replace: layer => {
      const known = parts.get(layer);
      if (known) return {layer: known.depthwise, then: [known.pointwise]};
      const copy = cloneLayer(layer);
      return {layer: copy, variables: {to: copy, from: layer}};
    },
  });
  parts.forEach(copyWeights);
  return made;
}
