/** Making what leaves nothing behind where it fails. */
import {engine, type KernelBackend, type Tensor} from '@tensorflow/tfjs-core';
import {swapped} from './swapped';

/**
 * Runs `make`. If it throws, every tensor and variable made meanwhile is freed: of a layer that fails halfway nobody else
 * knows what it holds.
 *
 * They pass by the engine's own method, for want of anything smaller: a scope spares what is kept, and knows nothing of what a
 * scope within has kept, as recurrent layers keep their states. tfjs-core's engine.js: Engine.trackTensor
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
