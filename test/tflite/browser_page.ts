/** Predicts with quantized models, in a page on WebGL: what browser.mjs calls. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-webgl';
import {decode} from '../../lab/base64';
import '../../src/entries/qat';

/** A saved model and what to predict for; bytes in base64. */
interface Request {
  readonly modelTopology: object;
  readonly weightSpecs: tf.io.WeightsManifestEntry[];
  readonly weightData: string;
  readonly x: string;
  readonly shape: number[];
}

async function predict({weightData, x, shape, ...model}: Request): Promise<{values: number[]}> {
  if (!(await tf.setBackend('webgl'))) throw new Error('This browser has no WebGL.');
  const q = await tfl.loadLayersModel(tf.io.fromMemory({...model, weightData: decode(weightData).buffer}));
  const y = tf.tidy(() => q.predict(tf.tensor(new Float32Array(decode(x).buffer), shape)) as tf.Tensor);
  const values = Array.from(await y.data());
  y.dispose();
  q.dispose();
  return {values};
}

Object.assign(globalThis, {predict});
