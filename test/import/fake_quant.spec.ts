/** Graphs with FakeQuant nodes: quantized models with their ranges, on the grids of their weights. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {describeQuantization, freezeRanges, quantizedWeights} from '../../src/entries/qat';
import {quantized} from '../../src/import/graph/fake_quant';
import {gridOfWeight} from '../../src/import/graph/weight_grids';
import {QuantizedInput} from '../../src/qat/quantized_layers/quantized_input';
import {reloaded} from '../support/saved';
import {scoped} from '../support/scoped';

/** Whole numbers from -most to most, of which the first reaches it. */
function levels(count: number, most: number, seed: number): number[] {
  const values = tf.tidy(() => tf.randomUniform([count], -most, most + 1, 'int32', seed).dataSync());
  return Array.from(values, (value, i) => (i === 0 ? most : value));
}

const CHANNELS = {count: 4, of: (i: number) => i % 4};

describe('gridOfWeight', () => {
  it('finds the steps of channels of any gain', () => {
    const steps = [0.003, -0.17, 12.5, 1e-6];
    const values = Float32Array.from(levels(36, 127, 1), (level, i) => level * Math.fround(steps[i % 4]!));
    for (const c of [1, 2, 3]) values[c] = -127 * steps[c]!;
    const grid = gridOfWeight(values, CHANNELS, [4, 8])!;
    expect([grid.numBits, grid.symmetric]).toEqual([8, true]);
    grid.max.forEach((max, c) => expect(max / 127 / Math.abs(steps[c]!)).toBeCloseTo(1, 6));
    expect(grid.min).toEqual(grid.max.map(max => -max));
  });

  it('finds the one step of a tensor, and its width', () => {
    for (const [most, numBits] of [
      [7, 4],
      [127, 8],
      [100, 8],
    ] as const) {
      const grid = gridOfWeight(
        Float32Array.from(levels(36, most, 2), level => level * 0.01),
        CHANNELS,
        [4],
      )!;
      const top = 2 ** (numBits - 1) - 1;
      expect(grid.numBits).toBe(numBits);
      expect(grid.max.length).toBe(1);
      expect(grid.max[0]! / top).toBeCloseTo(0.01, 8);
    }
  });

  it('takes a channel of even levels for one of the width of the others', () => {
    const values = Float32Array.from(
      levels(36, 127, 3),
      (level, i) => (i % 4 === 2 ? 2 * (level % 60) : level) * (1 + (i % 4)),
    );
    for (const c of [0, 1, 3]) values[c] = 127 * (1 + c);
    values[2] = 3 * 126;
    const grid = gridOfWeight(values, CHANNELS, [4])!;
    grid.max.forEach((max, c) => expect(max / (1 + c)).toBeCloseTo(127, 4));
  });

  it('holds levels that are not symmetric, and channels of zeros', () => {
    const stepOf = (c: number) => 0.1 * (1 + 0.37 * c);
    const values = Float32Array.from(levels(36, 7, 4), (level, i) => (i % 4 === 1 ? 0 : (level + 3) * stepOf(i % 4)));
    const {numBits, symmetric, min, max} = gridOfWeight(values, CHANNELS, [4])!;
    expect([numBits, symmetric]).toEqual([4, false]);
    expect([min[1], max[1]]).toEqual([0, 0]);
    for (const c of [0, 2, 3]) expect((max[c]! - min[c]!) / 15 / stepOf(c)).toBeCloseTo(1, 6);
  });

  it('finds none of values that were never rounded', () => {
    const values = tf.tidy(() => tf.randomNormal([36], 0, 1, 'float32', 5).dataSync());
    expect(gridOfWeight(values, CHANNELS, [4, 8])).toBeUndefined();
    expect(gridOfWeight([NaN, 1], undefined, [8])).toBeUndefined();
  });

  it('tells no width from a few values', () => {
    expect(gridOfWeight([0.3, 0.7, 0.1], {count: 3, of: i => i}, [4])!.numBits).toBe(8);
  });
});

/** As a graph is imported: FakeQuant nodes are layers. */
function rounds(name: string, min: number, max: number, numBits = 8): QuantizedInput {
  return new QuantizedInput({name, quantizer: {numBits, narrowRange: false, fixed: [min, max], pinned: true}});
}

function apply(layer: tfl.layers.Layer, x: tfl.SymbolicTensor | tfl.SymbolicTensor[]): tfl.SymbolicTensor {
  return layer.apply(x) as tfl.SymbolicTensor;
}

/** A network whose conv and dense weights are on grids; the second conv's are not. */
function importedModel(): tfl.LayersModel {
  const input = tfl.input({shape: [6, 6, 2], name: 'image'});
  const x = apply(rounds('image/quant', -1, 1), input);
  const conv = apply(
    tfl.layers.conv2d({filters: 4, kernelSize: 3, padding: 'same', activation: 'relu', name: 'conv'}),
    x,
  );
  const once = apply(rounds('conv/quant', 0, 6), conv);
  const float = apply(tfl.layers.conv2d({filters: 4, kernelSize: 1, name: 'float'}), once);
  const joined = apply(rounds('add/quant', -3, 3), apply(tfl.layers.add({name: 'add'}), [float, once]));
  const pooled = apply(tfl.layers.globalAveragePooling2d({name: 'pool'}), joined);
  const y = apply(tfl.layers.dense({units: 3, name: 'dense'}), apply(rounds('pool/quant', -1, 2), pooled));
  const model = tfl.model({inputs: input, outputs: apply(rounds('scores', -4, 4, 4), y), name: 'imported'});
  const conv2d = levels(72, 127, 6).map((level, i) => level * 0.002 * (1 + (i % 4)));
  for (const c of [1, 2, 3]) conv2d[c] = 127 * 0.002 * (1 + c);
  const weights = {
    conv: tf.tensor(conv2d, [3, 3, 2, 4]),
    dense: tf.tensor(
      levels(12, 127, 7).map(level => level * 0.01),
      [4, 3],
    ),
  };
  for (const [name, kernel] of Object.entries(weights)) {
    const layer = model.getLayer(name);
    layer.setWeights([kernel, layer.getWeights()[1]!]);
    kernel.dispose();
  }
  return model;
}

function predict(model: tfl.LayersModel, x: tf.Tensor): number[] {
  return tf.tidy(() => Array.from((model.predict(x) as tf.Tensor).dataSync()));
}

function furthest(one: readonly number[], other: readonly number[]): number {
  return Math.max(...one.map((value, i) => Math.abs(value - other[i]!)));
}

describe('A graph with FakeQuant nodes', () => {
  scoped();

  it('becomes a model that rounds in the layers that compute, as it did', async () => {
    const x = tf.randomUniform([3, 6, 6, 2], -1, 1, 'float32', 8);
    const model = importedModel();
    const expected = predict(model, x);
    const q = await quantized(model);
    expect(furthest(predict(q, x), expected)).toBeLessThan(1e-5);
    expect(q.outputNames).toEqual(['scores']);
    const rows = await describeQuantization(q).read();
    expect(
      rows.map(({layer, what, numBits, ranges, min}) => [layer, what, numBits, ranges, min && +min.toFixed(4)]),
    ).toEqual([
      ['image/quant', 'output', 8, 1, -1],
      ['conv', 'kernel', 8, 4, -1.016],
      ['conv', 'output', 8, 1, 0],
      ['float', 'weights', undefined, 0, undefined],
      ['float', 'output', undefined, 0, undefined],
      ['add', 'output', 8, 1, -3],
      ['pool', 'output', 8, 1, -1],
      ['dense', 'kernel', 8, 1, -1.27],
      ['dense', 'output', undefined, 0, undefined],
      ['scores', 'output', 4, 1, -4],
    ]);
    const again = await reloaded(q);
    expect(predict(again, x)).toEqual(predict(q, x));
    for (const each of [q, again]) each.dispose();
  });

  it('keeps the grids of its weights until their ranges may move', async () => {
    const q = await quantized(importedModel());
    const steps = async () => (await quantizedWeights(q)).weights.flatMap(({scale}) => Array.from(scale));
    const before = await steps();
    [0.002, 0.004, 0.006, 0.008, 0.01].forEach((step, i) => expect(before[i]! / step).toBeCloseTo(1, 6));
    q.compile({optimizer: 'sgd', loss: 'meanSquaredError'});
    const [x, y] = [tf.randomUniform([8, 6, 6, 2], -1, 1, 'float32', 9), tf.ones([8, 3])];
    await q.fit(x, y, {epochs: 2});
    expect(await steps()).toEqual(before);
    freezeRanges(q, false, 'all');
    await q.fit(x, y, {epochs: 2});
    expect(await steps()).not.toEqual(before);
    q.dispose();
  });

  it('is as it was without such nodes', async () => {
    const model = tfl.sequential({layers: [tfl.layers.dense({units: 2, inputShape: [3]})]});
    expect(await quantized(model)).toBe(model);
    model.dispose();
  });
});
