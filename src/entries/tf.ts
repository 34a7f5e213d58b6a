/**
 * All of tfjs plus this package's ops, so that `tf.fakeQuant(...)` works from one import.
 *
 * @packageDocumentation
 */
export * from '@tensorflow/tfjs';
export * from './index';
