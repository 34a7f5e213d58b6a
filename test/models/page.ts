/** The page that quantizes published classifiers without labels: on WebGPU, or on WebGL. */
import '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import {importModel} from '../../src/entries/import';
import {type DistilPlan, type DistilRow, distilSet, SETS} from './distil';

declare global {
  interface Window {
    /** For whoever drives the page, which takes the URLs of the model and of the crops. */
    distilOn(backend: string, name: string, urls: readonly [string, string], plan: DistilPlan): Promise<DistilRow[]>;
    onProgress: (what: string, done: number, total: number) => Promise<void>;
  }
}

window.distilOn = async (backend, name, [modelUrl, cropsUrl], plan) => {
  if (!(await tf.setBackend(backend))) throw new Error(`This browser offers no ${backend} backend.`);
  const model = await importModel(modelUrl);
  const bytes = new Uint8Array(await (await fetch(cropsUrl)).arrayBuffer());
  const rows: DistilRow[] = [];
  for (let set = 0; set < SETS; ++set) {
    await distilSet(
      model,
      name,
      bytes,
      set,
      plan,
      (...told) => void window.onProgress(...told),
      row => rows.push(row),
    );
  }
  model.dispose();
  return rows;
};
