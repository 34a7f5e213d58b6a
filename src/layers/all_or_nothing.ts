/** Making what leaves nothing behind where it fails. */
import {engine, type KernelBackend, type Tensor} from '@tensorflow/tfjs-core';
import {swapped} from './layer_wrapper';

/**
 * Runs `make`. If it throws, every tensor and variable made meanwhile is freed: of a layer that fails halfway nobody else
 * knows what it holds, and a tidy would spare what is kept.
 */
export function allOrNothing<T>(make: () => T): T {
  const host = engine();
  const track = host.trackTensor.bind(host);
  const made: Tensor[] = [];
  const value = (tensor: Tensor, backend: KernelBackend) => {
    made.push(tensor);
    track(tensor, backend);
  };
  try {
    return swapped([{host, attr: 'trackTensor', value}], make);
  } catch (error) {
    for (const tensor of made) tensor.dispose();
    throw error;
  }
}
