/** Operators with weights of int4. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {calibrate, quantizeModel} from '../../src/entries/qat';
import {toTFLite} from '../../src/entries/tflite';
import {scoped} from '../support/scoped';
import {parse, stopRuntimes} from './runtimes';

afterAll(stopRuntimes);

const {layers} = tfl;

describe('weights of int4', () => {
  scoped();

  const LAYERS: Readonly<Record<string, () => tfl.layers.Layer>> = {
    CONV_2D: () => layers.conv2d({filters: 2, kernelSize: 2}),
    FULLY_CONNECTED: () => layers.dense({units: 3}),
  };
  // As TensorFlow's op_version.cc: older runtimes say by these that they cannot read the file.
  for (const [numBits, versions] of [
    [8, {CONV_2D: 7, FULLY_CONNECTED: 10}],
    [12, {CONV_2D: 7, FULLY_CONNECTED: 13}],
  ] as const) {
    it(`have operators of TensorFlow's versions for them, on ${numBits} bits`, async () => {
      const found: Record<string, number> = {};
      for (const make of Object.values(LAYERS)) {
        const x = tfl.input({shape: [3, 4, 2]});
        const model = tfl.model({inputs: x, outputs: make().apply(x) as tfl.SymbolicTensor});
        const q = quantizeModel(model, {weights: {numBits: 4}, activations: {numBits}, recipe: 'minMax'});
        await calibrate(q, tf.randomNormal([4, 3, 4, 2], 0, 1, 'float32', 1));
        const {operators} = await parse(await toTFLite(q, {int4: true}));
        for (const {name, version} of operators) if (name in LAYERS) found[name] = version;
        const plain = await parse(await toTFLite(q));
        expect(plain.operators.some(({name, version}) => found[name] === version && name in LAYERS)).toBeFalse();
      }
      expect(found).toEqual(versions);
    });
  }
});
