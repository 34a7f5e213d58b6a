/** Models that go. */
import type {LayersModel} from 'tfjs-quantization/tf';

/** Lets go of all weights of a model: tfjs forgets those of a Sequential that is not the first within another one. */
export function disposeModel(model: LayersModel): void {
  const variables = model.weights.map(weight => weight.read());
  model.dispose();
  for (const variable of variables) if (!variable.isDisposed) variable.dispose();
}
