/** The integers of a layer's weights, read from the device. */
import {clone, tidy} from '@tensorflow/tfjs-core';
import {readFoldingGain} from '../layers/folding';
import type {QuantizingWrapper} from '../qat/quantizing';
import {gridOfQuantizer, levelsOf, type WeightLevels} from '../quantizer/levels';

/** The weights that a layer rounds, by attribute, as integers. Moves the weights' ranges as a prediction would. */
export async function weightLevels(layer: QuantizingWrapper): Promise<ReadonlyMap<string, WeightLevels>> {
  const found = new Map<string, WeightLevels>();
  for (const {name, quantizer, rounded, shape, norm} of layer.roundedWeights()) {
    // A copy, as what is not rounded is the weight itself.
    const tensor = tidy(() => clone(rounded()));
    const view = tensor.shape;
    let values: ArrayLike<number>;
    try {
      values = await tensor.data();
    } finally {
      tensor.dispose();
    }
    const grid = (await gridOfQuantizer(quantizer))!;
    const gain = norm && (await readFoldingGain(norm));
    found.set(name, {levels: levelsOf(values, view, grid), grid, view, shape, gain});
  }
  return found;
}
