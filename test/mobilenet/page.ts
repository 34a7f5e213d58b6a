/** The page that trains MobileNet v2 on WebGPU: a step, float and quantized, or without labels. */
import '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {decode} from '../../lab/base64';
import {quantizeModel} from '../../src/entries/qat';
import {distilNetwork, type DistilReport} from './distil';
import {held, imagesOf, load, type Pretrained} from './network';

/** Seconds or a loss; told one by one, as a renderer that is no GPU may not get through all. */
type Tell = (what: string, value: number) => Promise<void>;

declare global {
  interface Window {
    /** For whoever drives the page. */
    trainSteps(pretrained: Pretrained, pixels: string): Promise<void>;
    distilNetwork(pretrained: Pretrained, pixelsUrl: string, steps: number, batchSize: number): Promise<DistilReport>;
    onFigure: Tell;
    onProgress: (what: string, done: number, total: number) => Promise<void>;
  }
}

/** The first step compiles the shaders. */
async function train(name: string, model: LayersModel, x: tf.Tensor, y: tf.Tensor): Promise<void> {
  for (const layer of model.layers) layer.trainable = true;
  model.compile({optimizer: tf.train.sgd(1e-3), loss: 'categoricalCrossentropy'});
  for (const step of ['first', 'second']) {
    const started = performance.now();
    const loss = (await model.trainOnBatch(x, y)) as number;
    await window.onFigure(`${name}, ${step} step, s`, (performance.now() - started) / 1000);
    await window.onFigure(`${name}, ${step} step, loss`, loss);
  }
  model.optimizer.dispose();
}

async function openWebGPU(): Promise<void> {
  if (!(await tf.setBackend('webgpu'))) throw new Error('This browser offers no webgpu backend.');
}

window.distilNetwork = async (pretrained, pixelsUrl, steps, batchSize) => {
  await openWebGPU();
  const pixels = new Uint8Array(await (await fetch(pixelsUrl)).arrayBuffer());
  return distilNetwork(pretrained, pixels, {steps, batchSize}, (...told) => void window.onProgress(...told));
};

window.trainSteps = async (pretrained, pixels) => {
  await openWebGPU();
  const model = await load(pretrained);
  const x = imagesOf(decode(pixels));
  const y = tf.tidy(() => tf.oneHot(tf.zeros([x.shape[0]], 'int32'), model.outputs[0]!.shape[1]!).toFloat());
  const before = held();
  const q = quantizeModel(model);
  await train('quantized', q, x, y);
  q.dispose();
  const after = held();
  await window.onFigure('tensors left after dispose', after.tensors - before.tensors);
  await window.onFigure('bytes left after dispose', after.bytes - before.bytes);
  await train('float', model, x, y);
};
