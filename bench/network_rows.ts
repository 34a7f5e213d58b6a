/** What each row of the network like MobileNet runs: a call, and the float network's predict of the same images. */
import * as tf from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {mobileNetV2, settleNorms, waves} from '../lab/mobilenet';
import {importModel} from '../src/entries/import';
import {calibrate, quantizeModel} from '../src/entries/qat';
import {toTFLite} from '../src/entries/tflite';
import {type Case, GPU, type NetworkCallName} from './catalogue';
import type {Contestants} from './contestants';
import {graphOf} from './network_graph';

/** The network, the same quantized and calibrated, and images. */
interface Setting {
  readonly float: LayersModel;
  readonly q: LayersModel;
  readonly images: tf.Tensor4D;
}

/** A call, what is prepared for each, and what shows that it did its work. */
type Call = Pick<Contestants, 'ours' | 'prepare' | 'check'>;

const BATCH = 8;

/** As wide as those that are made for phones of little memory; each block there once or twice, as each shape is a program on WebGL. */
const EXTENT = {width: 3 / 8, repeats: 2};

function predicted(model: LayersModel, images: tf.Tensor4D): tf.Tensor {
  return model.predict(images, {batchSize: BATCH}) as tf.Tensor;
}

/** Throws unless two models say about the same of images: what they say adds up to 1. */
async function checkNear(a: LayersModel, b: LayersModel, images: tf.Tensor4D, most: number): Promise<void> {
  const distance = tf.tidy(() => {
    const apart = tf.abs(tf.sub(predicted(a, images), predicted(b, images)));
    return tf.mean(tf.sum(apart, -1));
  });
  const [far] = await distance.data();
  distance.dispose();
  if (!(far! <= most)) throw new Error(`scores are off by ${far}`);
}

/** Of 8 bits in thirty layers, where scores lie close together; of other weights it is above 1. */
const ROUNDED = 0.5;
const SAME = 1e-3;

function calibration(method: 'minMax' | 'mse' | 'percentile') {
  return ({float, q, images}: Setting): Call => {
    const ours = () => calibrate(q, images, {method, batchSize: BATCH});
    const check = async () => {
      await ours();
      await checkNear(q, float, images, ROUNDED);
    };
    return {ours, check};
  };
}

function prediction({float, q, images}: Setting): Call {
  return {
    ours: () => tf.dispose(predicted(q, images)),
    check: () => checkNear(q, float, images, ROUNDED),
  };
}

const CALLS: Readonly<Record<NetworkCallName, (setting: Setting) => Call | Promise<Call>>> = {
  'mobile-min-max': calibration('minMax'),
  'mobile-mse': calibration('mse'),
  'mobile-percentile': calibration('percentile'),
  'mobile-predict': prediction,
  'mobile-first': setting => ({...prediction(setting), prepare: () => setAnew(setting.q)}),
  'mobile-tflite': ({q}) => ({
    async ours() {
      await toTFLite(q);
    },
    async check() {
      const bytes = await toTFLite(q);
      if (String.fromCharCode(...bytes.subarray(4, 8)) !== 'TFL3')
        throw new Error('what toTFLite gives is no .tflite file');
    },
  }),
  async 'mobile-import'({float, images}) {
    const artifacts = await graphOf(float);
    return {
      async ours() {
        (await importModel(artifacts)).dispose();
      },
      async check() {
        const imported = await importModel(artifacts);
        await checkNear(imported, float, images, SAME);
        imported.dispose();
      },
    };
  },
};

/** Gives a model its own weights, in other memory. */
function setAnew(model: LayersModel): void {
  const weights = model.getWeights().map(weight => tf.add(weight, 0));
  model.setWeights(weights);
  tf.dispose(weights);
}

const settings = new Map<string, Promise<Setting>>();

/** Made once in a page or process, for all rows that it is given. */
function settingOf(shape: readonly number[]): Promise<Setting> {
  const key = shape.join();
  const setting = settings.get(key) ?? makeSetting(shape);
  settings.set(key, setting);
  return setting;
}

/** Made where nothing has to be compiled. */
async function makeSetting([count, size]: readonly number[]): Promise<Setting> {
  const backend = tf.getBackend();
  if (GPU.includes(backend)) await tf.setBackend('cpu');
  const images = waves(count!, size!);
  const float = mobileNetV2(size!, EXTENT);
  await settleNorms(float, images);
  const q = quantizeModel(float);
  await calibrate(q, images, {method: 'minMax', batchSize: BATCH});
  await tf.setBackend(backend);
  return {images, float, q};
}

export async function contestantsOfNetwork(row: NetworkCallName, {shape}: Case): Promise<Contestants> {
  const setting = await settingOf(shape);
  const {images, float} = setting;
  return {
    ...(await CALLS[row](setting)),
    yardstick: () => tf.dispose(predicted(float, images)),
    dispose: () => undefined,
  };
}
