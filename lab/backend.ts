/** The backends of tfjs. */
import * as tf from '@tensorflow/tfjs-core';

/** Makes a backend tfjs's own, and tells whether there is one of that name here. */
export async function openBackend(name: string): Promise<boolean> {
  return Boolean(tf.findBackendFactory(name)) && (await tf.setBackend(name));
}
