/** What arenaSize plans is what TensorFlow Lite Micro takes: files of many kinds in its own interpreter. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {calibrate, quantizeModel, type QuantizeOptions} from '../../../src/entries/qat';
import {arenaSize, type TFLiteOptions, toTFLite} from '../../../src/entries/tflite';
import {scoped} from '../../support/scoped';
import {EACH_LAYER, quantizedSmall} from '../each_layer';
import {NETWORKS, seedNetwork} from '../networks';
import {measureArena, stopRuntimes} from '../runtimes';

afterAll(stopRuntimes);

/** More than any of these needs, a multiple of 16. */
const AMPLE = 2 ** 24;

/** Holds arenaSize to the interpreter: never below what it takes, at most a tenth more, enough, and hardly more than enough. */
async function expectArena(name: string, bytes: Uint8Array): Promise<void> {
  const {head, tail, total} = arenaSize(bytes);
  const {sizes, said} = await measureArena(bytes, AMPLE);
  if (sizes.total === undefined) throw new Error(`${name}: ${said}`);
  const say = (what: string) => `${name}: ${what}, ${JSON.stringify({head, tail, total, sizes})}`;
  expect(head).withContext(say('head')).toBe(sizes.head!);
  expect(head + tail)
    .withContext(say('too little'))
    .toBeGreaterThanOrEqual(sizes.total);
  expect(head + tail)
    .withContext(say('too much'))
    .toBeLessThanOrEqual(1.1 * sizes.total);
  expect((await measureArena(bytes, total)).sizes.total)
    .withContext(say('does not fit'))
    .toBeDefined();
  const less = Math.floor(total / 1.1 / 16) * 16;
  expect((await measureArena(bytes, less)).sizes.total)
    .withContext(say('fits in less'))
    .toBeUndefined();
}

async function networkFile(name: string, options: QuantizeOptions, ports: TFLiteOptions): Promise<Uint8Array> {
  const model = NETWORKS[name]!();
  seedNetwork(model);
  const q = quantizeModel(model, options);
  const dims = model.inputs[0]!.shape.slice(1) as number[];
  await calibrate(q, tf.randomNormal([8, ...dims], 0, 1, 'float32', 1));
  return toTFLite(q, ports);
}

describe('arenaSize', () => {
  scoped();

  for (const name of Object.keys(NETWORKS)) {
    it(`plans ${name} in integers, to and fro, and in floats`, async () => {
      const integers = {inputType: 'int8', outputType: 'int8'} as const;
      await expectArena(`${name} of int8`, await networkFile(name, {}, integers));
      await expectArena(`${name} of int16`, await networkFile(name, {activations: {numBits: 16, symmetric: true}}, {}));
      await expectArena(`${name} of float32`, await toTFLite(NETWORKS[name]!()));
    });
  }

  for (const [name, small] of Object.entries(EACH_LAYER)) {
    it(`plans ${name}`, async () => {
      const {q} = await quantizedSmall(small, () => ({}));
      await expectArena(name, await toTFLite(q));
      if (small.isNarrow) return;
      const {q: wide} = await quantizedSmall(small, () => ({activations: {numBits: 16, symmetric: true}}));
      await expectArena(`${name} in int16`, await toTFLite(wide, {inputType: small.tokens ? 'float32' : 'int16'}));
    });
  }

  it('plans weights of 4 bits, which kernels unpack', async () => {
    const {conv2d, depthwiseConv2d} = tfl.layers;
    const stack = [conv2d({inputShape: [8, 8, 16], filters: 32, kernelSize: 3}), depthwiseConv2d({kernelSize: 3})];
    const q = quantizeModel(tfl.sequential({layers: stack}), {weights: {numBits: 4}});
    await calibrate(q, tf.randomNormal([8, 8, 8, 16]));
    const [packed, plain] = [await toTFLite(q, {int4: true}), await toTFLite(q)];
    await expectArena('int4', packed);
    expect(arenaSize(packed).head).toBeGreaterThan(arenaSize(plain).head);
  });

  it('does not count the weights', async () => {
    const dense = (units: number) =>
      toTFLite(tfl.sequential({layers: [tfl.layers.dense({units, inputShape: [1000]}), tfl.layers.dense({units: 1})]}));
    const [small, large] = [await dense(1), await dense(1000)];
    expect(large.length).toBeGreaterThan(4e6);
    expect(arenaSize(large).total - arenaSize(small).total).toBeLessThan(5000);
  });
});
