/** What arenaSize plans is what TensorFlow Lite Micro takes: files of many kinds in its own interpreter. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import fc from 'fast-check';
import {calibrate, quantizeModel, type QuantizeOptions} from '../../../src/entries/qat';
import {arenaSize, cSource, operatorsOf, type TFLiteOptions, toTFLite} from '../../../src/entries/tflite';
import {scoped} from '../../support/scoped';
import {CASES, RANDOM} from '../random_layers';
import {EACH_LAYER, quantizedSmall} from '../each_layer';
import {NETWORKS, seedNetwork} from '../networks';
import {measureArena, stopRuntimes} from '../runtimes';
import {fileOf} from './files';

afterAll(stopRuntimes);

/** More than any of these needs, a multiple of 16. */
const AMPLE = 2 ** 24;

/**
 * Holds arenaSize to the interpreter: never below what it takes, at most a tenth more, enough, and hardly more than enough. What
 * the interpreter has no operator for, arenaSize refuses.
 */
async function expectArena(name: string, bytes: Uint8Array): Promise<void> {
  const {sizes, said} = await measureArena(bytes, AMPLE);
  if (said.includes('Failed to get registration')) {
    expect(() => arenaSize(bytes))
      .withContext(name)
      .toThrowError(/operators that TensorFlow Lite Micro does not have/);
    return;
  }
  const {head, tail, total, required} = arenaSize(bytes);
  if (sizes.total === undefined) throw new Error(`${name}: ${said}`);
  const say = (what: string) => `${name}: ${what}, ${JSON.stringify({head, tail, total, required, sizes})}`;
  expect(head).withContext(say('head')).toBe(sizes.head!);
  expect(total)
    .withContext(say('total'))
    .toBe(head + tail);
  expect(total).withContext(say('too little')).toBeGreaterThanOrEqual(sizes.total);
  expect(total)
    .withContext(say('too much'))
    .toBeLessThanOrEqual(1.1 * sizes.total);
  expect((await measureArena(bytes, required)).sizes.total)
    .withContext(say('does not fit'))
    .toBeDefined();
  const less = Math.floor(required / 1.1 / 16) * 16;
  expect((await measureArena(bytes, less)).sizes.total)
    .withContext(say('fits in less'))
    .toBeUndefined();
}

/** Neither the interpreter nor arenaSize and cSource take a file. */
async function expectRefusal(bytes: Uint8Array, reason: string): Promise<void> {
  expect((await measureArena(bytes, AMPLE)).sizes.total)
    .withContext(reason)
    .toBeUndefined();
  // Where a runtime reads no int4, int8 is written.
  const message = `bytes need what TensorFlow Lite Micro does not compute: ${reason}. `;
  expect(() => arenaSize(bytes)).toThrowError(new RegExp(`^arenaSize: ${message}`));
  expect(() => cSource(bytes, {name: 'm'})).toThrowError(new RegExp(`^cSource: ${message}`));
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

  for (const [name, {shapes, build}] of Object.entries(CASES)) {
    it(`plans ${name} in floats`, async () => {
      for (const random of fc.sample(RANDOM, {seed: 1, numRuns: 2})) {
        const inputs = shapes(random).map(shape => tfl.input({shape}));
        // Some layers hand on what they are given, and no file is only its input.
        const outputs = tfl.layers.reLU().apply(build(inputs, random)) as tfl.SymbolicTensor;
        await expectArena(name, await toTFLite(tfl.model({inputs, outputs})));
      }
    });
  }

  for (const recurrentActivation of ['sigmoid', 'hardSigmoid'] as const) {
    it(`plans an LSTM of ${recurrentActivation}, in integers and in floats`, async () => {
      const lstm = tfl.layers.lstm({units: 8, inputShape: [6, 4], recurrentActivation, returnSequences: true});
      const stack = [lstm, tfl.layers.lstm({units: 5, recurrentActivation}), tfl.layers.dense({units: 3})];
      const model = tfl.sequential({layers: stack});
      const q = quantizeModel(model);
      await calibrate(q, tf.randomNormal([8, 6, 4]));
      const files = {integers: await toTFLite(q), floats: await toTFLite(model)};
      for (const [kind, bytes] of Object.entries(files)) {
        const isFused = operatorsOf(bytes).some(({operator}) => operator === 'UNIDIRECTIONAL_SEQUENCE_LSTM');
        expect(isFused)
          .withContext(kind)
          .toBe(recurrentActivation === 'sigmoid');
        await expectArena(`LSTM of ${recurrentActivation} in ${kind}`, bytes);
      }
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

  it('refuses weights of other types than the interpreter takes', async () => {
    const {conv2d, conv2dTranspose, dense} = tfl.layers;
    const products = {
      CONV_2D: () => [conv2d({inputShape: [4, 4, 32], filters: 32, kernelSize: 3})],
      TRANSPOSE_CONV: () => [conv2dTranspose({inputShape: [4, 4, 32], filters: 32, kernelSize: 3})],
      FULLY_CONNECTED: () => [dense({inputShape: [64], units: 64})],
    };
    for (const [operator, stack] of Object.entries(products)) {
      const model = tfl.sequential({layers: stack()});
      for (const weights of ['float16', 'int8', 'int4'] as const) {
        const bytes = await toTFLite(model, {weights});
        const kind = weights === 'float16' ? 'weights of float16' : `${operator} of floats with weights of int[48]`;
        await expectRefusal(bytes, kind);
      }
    }
    const q = quantizeModel(tfl.sequential({layers: products.FULLY_CONNECTED()}), {weights: {numBits: 4}});
    await calibrate(q, tf.randomNormal([8, 64]));
    const bytes = await toTFLite(q, {int4: true});
    await expectRefusal(bytes, 'FULLY_CONNECTED with weights of int4 on a scale for each channel');
  });

  it("plans TensorFlow's own file", async () => {
    const {execFileSync} = await import('node:child_process');
    const {readFileSync} = await import('node:fs');
    const run = (program: string, ...args: string[]) => execFileSync(program, args, {encoding: 'utf8'}).trim();
    const python = run(process.execPath, 'scripts/python.mjs', 'test/tflite');
    const folder = run(python, '-c', "import sysconfig; print(sysconfig.get_path('purelib'))");
    const bytes = readFileSync(`${folder}/tflite_micro/python/tflite_micro/sine_float.tflite`);
    expect(operatorsOf(bytes)).toEqual([{operator: 'FULLY_CONNECTED', version: 1, count: 3}]);
    await expectArena('sine', bytes);
    expect([...cSource(bytes, {name: 'sine'}).keys()]).toEqual(['sine_model.h', 'sine_model.cpp']);
  });

  it('does not count the weights', async () => {
    const dense = (units: number) =>
      toTFLite(tfl.sequential({layers: [tfl.layers.dense({units, inputShape: [1000]}), tfl.layers.dense({units: 1})]}));
    const [small, large] = [await dense(1), await dense(1000)];
    expect(large.length).toBeGreaterThan(4e6);
    expect(arenaSize(large).total - arenaSize(small).total).toBeLessThan(5000);
  });

  it('says of which files it cannot tell', () => {
    const measure =
      'Run it on the device, or in the Python package tflite-micro, and ask: interpreter.arena_used_bytes().';
    expect(() => arenaSize(fileOf([{builtin: 0}], {subgraphs: 2}))).toThrowError(
      `arenaSize: bytes must hold one subgraph, but hold 2. ${measure}`,
    );
    expect(() => arenaSize(fileOf([{builtin: 142}, {builtin: 32, custom: 'SignalWindow'}]))).toThrowError(
      `arenaSize: bytes do not tell what these operators take: VAR_HANDLE, SignalWindow. ${measure}`,
    );
    expect(() => arenaSize(fileOf([{builtin: 48}, {builtin: 32, custom: 'Mine'}]))).toThrowError(
      'arenaSize: bytes need operators that TensorFlow Lite Micro does not have: TOPK_V2, Mine. Use other layers.',
    );
    expect(() => arenaSize(fileOf([{builtin: 0}], {type: 5, tensor: 'words'}))).toThrowError(
      'arenaSize: bytes have a tensor of no known size, words: STRING [1,4].',
    );
  });
});
