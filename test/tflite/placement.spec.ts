/** Inputs that are row numbers and values at once, and pinned ranges, in files. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {calibrate, quantizeModel} from '../../src/entries/qat';
import {toTFLite} from '../../src/entries/tflite';
import {scoped} from '../support/scoped';
import {parse, run, type Runtime, stopRuntimes} from './runtimes';

afterAll(stopRuntimes);

const {layers} = tfl;
type Symbolic = tfl.SymbolicTensor;
const apply = (layer: tfl.layers.Layer, ...x: Symbolic[]) => layer.apply(x.length === 1 ? x[0]! : x) as Symbolic;
const chain = (x: Symbolic, ...all: tfl.layers.Layer[]) => all.reduce((y, layer) => apply(layer, y), x);
const uniform = (seed: number) => tfl.initializers.randomUniform({minval: -1, maxval: 1, seed});
const rows = (name = 'rows') =>
  layers.embedding({inputDim: 2000, outputDim: 4, name, embeddingsInitializer: uniform(1)});
const dense = (name: string) => layers.dense({units: 2, name, kernelInitializer: uniform(2)});

const RUNTIMES: readonly Runtime[] = ['reference', 'xnnpack', 'micro'];

describe('an input for an Embedding and for something else', () => {
  scoped();

  const MODELS: Readonly<Record<string, (x: Symbolic) => Symbolic[]>> = {
    'is cast for the one and rounded for the other': x => [chain(x, rows()), chain(x, dense('d'))],
    'is cast once for two': x => [chain(x, rows('one')), chain(x, rows('two')), chain(x, dense('d'))],
    'may be moved before': x => {
      const moved = chain(x, layers.reshape({targetShape: [3, 1]}), layers.permute({dims: [2, 1]}));
      return [chain(moved, rows()), chain(moved, dense('d'))];
    },
    'may be moved after': x => [
      chain(x, layers.reshape({targetShape: [3, 1]}), rows(), layers.flatten()),
      chain(x, layers.reshape({targetShape: [1, 3]}), dense('d')),
    ],
  };

  for (const [name, make] of Object.entries(MODELS)) {
    it(name, async () => {
      const x = tfl.input({shape: [3], name: 'x'});
      const q = quantizeModel(tfl.model({inputs: x, outputs: make(x)}));
      const ids = tf.tensor2d([
        [1, 777, 1999],
        [0, 3, 1234],
      ]);
      await calibrate(q, ids);
      const file = await toTFLite(q);
      for (const runtime of RUNTIMES) {
        const outputs = await run(
          file,
          runtime,
          ids.arraySync().map(each => [Float32Array.from(each)]),
        );
        const expected = (q.predict(ids) as tf.Tensor[]).map(each => tf.unstack(each).map(one => one.dataSync()));
        outputs.forEach((output, sample) =>
          output.forEach((values, i) => {
            const right = [...expected[i]![sample]!];
            const level = (Math.max(...expected[i]!.flatMap(each => [...each])) * 2) / 255;
            right.forEach((value, j) =>
              expect(Math.abs(values[j]! - value))
                .withContext(runtime)
                .toBeLessThan(2 * level),
            );
          }),
        );
      }
      const types = (await parse(file)).tensors.filter(({name: each}) => each === 'x').map(({type}) => type);
      expect(types).toEqual(['FLOAT32']);
      await expectAsync(toTFLite(q, {inputType: 'int8'})).toBeRejectedWithError(
        /input x: it goes to several places.*int8 is on one\. Leave inputType 'float32', or build the model with an input for each/,
      );
    });
  }

  it('is rounded to a range of its own for each of two models', async () => {
    const x = tfl.input({shape: [4], name: 'x'});
    const parts = [3, 30].map((most, i) => {
      const part = tfl.input({shape: [4], name: `part${i}`});
      return quantizeModel(tfl.model({inputs: part, outputs: chain(part, dense(`d${i}`))}), {
        ranges: {[`part${i}`]: [0, most], [`d${i}`]: [-most, most]},
      });
    });
    const q = tfl.model({inputs: x, outputs: parts.map(part => part.apply(x) as Symbolic)});
    const file = await toTFLite(q);
    const expected = (q.predict(tf.tensor2d([[0.5, 7, 1, 2]])) as tf.Tensor[]).map(each => [...each.dataSync()]);
    for (const runtime of RUNTIMES) {
      const [outputs] = await run(file, runtime, [[Float32Array.of(0.5, 7, 1, 2)]]);
      [3, 30].forEach((most, i) =>
        expected[i]!.forEach((value, j) =>
          expect(Math.abs(outputs![i]![j]! - value))
            .withContext(runtime)
            .toBeLessThanOrEqual((most * 2.01) / 255),
        ),
      );
    }
    await expectAsync(toTFLite(q, {inputType: 'int8'})).toBeRejectedWithError(/input x: it goes to several places/);
  });

  it('is of int32, and moved as that, if it is for Embeddings alone', async () => {
    const x = tfl.input({shape: [3], name: 'x'});
    const q = quantizeModel(tfl.model({inputs: x, outputs: chain(x, layers.reshape({targetShape: [3, 1]}), rows())}));
    const file = await toTFLite(q, {inputType: 'int8'});
    for (const runtime of RUNTIMES) {
      const [[values]] = (await run(file, runtime, [[Int32Array.of(1, 777, 1999)]])) as [[Float32Array]];
      const expected = (q.predict(tf.tensor2d([[1, 777, 1999]])) as tf.Tensor).dataSync();
      expected.forEach((value, i) => expect(values[i]).withContext(runtime).toBeCloseTo(value, 6));
    }
  });

  it('is refused where row numbers are computed, or an input is computed with and not rounded', async () => {
    const x = tfl.input({shape: [3], name: 'x'});
    const computed = tfl.model({inputs: x, outputs: chain(x, layers.rescaling({scale: 2, offset: 0}), rows())});
    await expectAsync(toTFLite(quantizeModel(computed))).toBeRejectedWithError(
      /layer rows: it looks rows up by numbers that are computed/,
    );
    const q = quantizeModel(tfl.model({inputs: x, outputs: chain(x, dense('d'))}), {layers: {x: false}});
    await calibrate(q, tf.ones([1, 3]));
    await expectAsync(toTFLite(q)).toBeRejectedWithError(/input x: it is computed with, but has no range/);
  });
});

describe('two models piped in int8', () => {
  scoped();

  it('have one grid between them where their ranges are pinned, whatever the recipe', async () => {
    const pixels = tfl.input({shape: [4, 4, 2], name: 'pixels'});
    const convolution = layers.conv2d({filters: 3, kernelSize: 2, name: 'c', kernelInitializer: uniform(3)});
    const first = tfl.model({inputs: pixels, outputs: chain(pixels, convolution, layers.flatten())});
    const features = tfl.input({shape: [27], name: 'features'});
    const second = tfl.model({inputs: features, outputs: chain(features, dense('d'))});
    const between = [-3, 4] as const;
    const [q1, q2] = [
      quantizeModel(first, {recipe: 'learned', ranges: {c: between}}),
      quantizeModel(second, {recipe: 'minMax', ranges: {features: between}}),
    ];
    const x = tf.randomUniform([16, 4, 4, 2], -1, 1, 'float32', 4);
    await calibrate(q1, x);
    await calibrate(q2, q1.predict(x) as tf.Tensor);
    const files = [await toTFLite(q1, {outputType: 'int8'}), await toTFLite(q2, {inputType: 'int8'})] as const;
    const grids = await Promise.all(files.map(async file => (await parse(file)).tensors));
    const [out, into] = [
      grids[0]!.filter(({type}) => type === 'INT8').at(-1)!,
      grids[1]!.find(({name}) => name === 'features')!,
    ];
    // TensorFlow's nudging: 7 / 255 a level, and 0 on the 109th.
    expect(out.scale).toEqual([Math.fround(7 / 255)]);
    expect(out.zeroPoint).toEqual([-128 + 109]);
    expect([into.scale, into.zeroPoint, into.type]).toEqual([out.scale, out.zeroPoint, 'INT8']);
    const expected = q2.predict(q1.predict(x)) as tf.Tensor2D;
    const level = ((expected.max().dataSync()[0]! - expected.min().dataSync()[0]!) * 2) / 255;
    for (const [i, sample] of tf.unstack(x).entries()) {
      const [[levels]] = (await run(files[0], 'reference', [[sample.dataSync<'float32'>()]])) as [[Int8Array]];
      const [[values]] = (await run(files[1], 'reference', [[levels]])) as [[Float32Array]];
      expected.arraySync()[i]!.forEach((value, j) => expect(Math.abs(values[j]! - value)).toBeLessThan(2 * level));
    }
  });
});
