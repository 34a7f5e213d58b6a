/** What a model's outputs are, as that says how two models' outputs are compared. */
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {asContainer, flatten} from '../../layers/graph';
import {activationOf} from '../../layers/kinds';
import {unwrapped} from '../../layers/layer_wrapper';

/** 'softmax': shares of classes that exclude each other; 'sigmoid': a probability of each by itself; 'linear': any numbers. */
export type OutputKind = 'softmax' | 'sigmoid' | 'linear';

/** The kind of each of a model's outputs, by the layers that give them. */
export function outputKinds(model: LayersModel): OutputKind[] {
  const flat = flatten(asContainer(model));
  return flat.outputs.map(output => {
    const op = flat.producer(output);
    const activation = op ? activationOf(unwrapped(op.layer)) : 'linear';
    return activation === 'softmax' || activation === 'sigmoid' ? activation : 'linear';
  });
}
