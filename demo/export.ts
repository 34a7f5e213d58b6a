/** A trained network as a .tflite file: its weights on its grids, in layers that can be written. */
import {quantizeModel} from '../src/entries/qat';
import {toTFLite} from '../src/entries/tflite';
import * as tf from '../src/entries/tf';
import type {DigitNet, Grids} from './model';

function layersOf(net: DigitNet): tf.LayersModel {
  const {conv2d, dense, depthwiseConv2d, flatten} = tf.layers;
  const same = {padding: 'same', activation: 'relu'} as const;
  const model = tf.sequential({
    name: 'digits',
    layers: [
      depthwiseConv2d({...same, inputShape: [8, 8, 1], kernelSize: 3, depthMultiplier: 8, name: 'first'}),
      depthwiseConv2d({...same, kernelSize: 3, strides: 2, name: 'depthwise'}),
      conv2d({...same, filters: 32, kernelSize: 1, name: 'pointwise'}),
      flatten(),
      dense({units: 10, name: 'digits'}),
    ],
  });
  tf.tidy(() => model.setWeights(net.variables.map((value, i) => (i % 2 === 0 ? value : value.flatten()))));
  return model;
}

/** What a layer of a quantized model rounds. */
interface Rounding {
  readonly of: 'weights' | 'activations';
  readonly quantizer: {setRange(min: number | readonly number[], max: number | readonly number[]): void};
}

/** The file of a network that was trained with `quantizer`, of `bits`. */
export async function fileOf(net: DigitNet, quantizer: Grids, bits: number): Promise<Uint8Array> {
  const model = layersOf(net);
  const width = {numBits: bits};
  const q = quantizeModel(model, {weights: width, activations: width, recipe: quantizer.recipe});
  const ranges = await quantizer.ranges();
  for (const layer of q.layers as unknown as readonly {name: string; roundings?: readonly Rounding[]}[]) {
    for (const rounding of layer.roundings ?? []) {
      const name = rounding.of === 'weights' ? `${layer.name} weight` : layer.name;
      const {min, max} = ranges.get(name) ?? {min: [0], max: [1]};
      const isOne = rounding.of === 'activations';
      rounding.quantizer.setRange(isOne ? min[0]! : min, isOne ? max[0]! : max);
    }
  }
  const file = await toTFLite(q, {
    description: 'Tells handwritten digits of 8x8 pixels apart',
    labels: '0 1 2 3 4 5 6 7 8 9'.split(' '),
  });
  q.dispose();
  model.dispose();
  return file;
}
