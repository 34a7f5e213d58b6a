/** The integers of a quantized model, and its small form in tfjs's own files. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {
  calibrate,
  dequantizeModel,
  FakeQuantizer,
  packInt4,
  quantizedSaveHandler,
  quantizedValues,
  quantizedWeights,
  quantizeModel,
  type QuantizeOptions,
} from '../../src/entries/qat';
import {onWebGL, onWebGPU, valuesOf} from '../support/environment';
import {artifactsOf, reloaded} from '../support/saved';
import {needsSpeed, scoped} from '../support/scoped';

const {layers} = tfl;

/** A convolution with a BatchNormalization, one without, a depthwise, dense ones with and without bias. */
function float(): tfl.LayersModel {
  const model = tfl.sequential({
    name: 'net',
    layers: [
      layers.conv2d({inputShape: [8, 8, 3], filters: 16, kernelSize: 3, useBias: true, name: 'conv'}),
      layers.batchNormalization({name: 'norm'}),
      layers.reLU({name: 'relu'}),
      layers.depthwiseConv2d({kernelSize: 3, depthMultiplier: 2, activation: 'relu', name: 'depthwise'}),
      layers.conv2d({filters: 24, kernelSize: 1, useBias: false, activation: 'relu6', name: 'pointwise'}),
      layers.flatten({name: 'flat'}),
      layers.dense({units: 40, activation: 'relu', name: 'hidden'}),
      layers.dense({units: 10, activation: 'softmax', name: 'classes'}),
    ],
  });
  tf.tidy(() =>
    model.setWeights(
      model.weights.map(({shape, name}, i) => {
        const values = tf.randomNormal(shape as number[], 0, 0.3, 'float32', i + 1);
        return name.includes('variance') ? tf.add(tf.abs(values), 0.5) : values;
      }),
    ),
  );
  return model;
}

async function calibrated(options: QuantizeOptions = {}): Promise<tfl.LayersModel> {
  const q = quantizeModel(float(), options);
  await calibrate(q, tf.randomNormal([16, 8, 8, 3], 0, 1, 'float32', 50));
  return q;
}

function distance(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, each, i) => Math.max(most, Math.abs(each - b[i]!)), 0);
}

const bytesOf = ({weightData}: tf.io.ModelArtifacts) => (weightData as ArrayBuffer).byteLength;

async function predicted(model: tfl.LayersModel): Promise<Float32Array> {
  return valuesOf(tf.tidy(() => model.predict(tf.randomNormal([4, 8, 8, 3], 0, 1, 'float32', 60)) as tf.Tensor));
}

/** The channel of an element of a tensor seen as [outer, channels, inner]. */
function channel(i: number, view: readonly number[], axis: number | undefined): number {
  if (axis === undefined) return 0;
  const inner = view.slice(axis + 1).reduce((size, dim) => size * dim, 1);
  return Math.floor(i / inner) % view[axis]!;
}

const WIDTHS: readonly QuantizeOptions[] = [
  {},
  {weights: {numBits: 4}},
  // Without a level at 0.
  {weights: {numBits: 2}},
  {weights: {numBits: 2, perChannel: false}, layers: {conv: {weights: {perChannel: true}}}},
  {weights: {numBits: 12}},
  {weights: {perChannel: false, symmetric: false, narrowRange: false}, layers: {conv: {weights: {perChannel: true}}}},
];

describe('quantizedWeights', () => {
  scoped();

  for (const options of WIDTHS) {
    it(`gives back the training's bits: ${JSON.stringify(options)}`, async () => {
      const q = await calibrated(options);
      const rounded = dequantizeModel(q);
      const {weights, activations} = await quantizedWeights(q);
      expect(weights.map(({layer}) => layer)).toEqual(['conv', 'depthwise', 'pointwise', 'hidden', 'classes']);
      for (const {layer, name, levels, view, shape, axis, scale, zeroPoint, bits} of weights) {
        const expected = await valuesOf(
          (rounded.getLayer(layer) as unknown as Record<string, tfl.LayerVariable>)[name]!.read(),
        );
        expect(levels).toBeInstanceOf(bits <= 8 ? Int8Array : Int16Array);
        expect(shape.reduce((size, dim) => size * dim, 1)).toBe(levels.length);
        const values = Float32Array.from(levels, (level, i) => {
          const c = channel(i, view, axis);
          return Math.fround((level - zeroPoint[c]!) * scale[c]!);
        });
        // +0 and -0 are one level.
        expect(values.map(each => each + 0))
          .withContext(layer)
          .toEqual(expected.map(each => each + 0));
        const bound = 2 ** (bits - 1);
        expect(levels.every(level => level >= -bound && level < bound))
          .withContext(layer)
          .toBeTrue();
      }
      expect(activations.map(({layer, what}) => `${layer} ${what}`)).toEqual([
        'conv_input_quantized output',
        'relu output',
        'depthwise output',
        'pointwise output',
        'hidden output',
        'classes before activation',
      ]);
      for (const {min, max} of activations) expect(max - min).toBeGreaterThan(0);
    });
  }

  it('takes arrays of tf-core, too', async () => {
    const x = tf.tensor1d([-1, -0.5, 0, 0.3, 2]);
    const quantizer = new FakeQuantizer({numBits: 4, symmetric: true, narrowRange: true, initialRange: [-0.7, 0.7]});
    const {levels, scale, zeroPoint} = await quantizedValues(x, quantizer);
    expect([...levels]).toEqual([-7, -5, 0, 3, 7]);
    expect([scale[0], zeroPoint[0]]).toEqual([Math.fround(Math.fround(1.4) / 14), 0]);
    expect([...packInt4(levels as Int8Array)]).toEqual([0xb9, 0x30, 0x07]);
    await expectAsync(quantizedValues(x, new FakeQuantizer())).toBeRejectedWithError(/the range is not set yet/);
  });

  it('refuses a model that is not quantized', async () => {
    await expectAsync(quantizedWeights(float())).toBeRejectedWithError(/model net is not quantized.*quantizeModel/);
  });
});

describe('quantizedSaveHandler', () => {
  scoped();

  it('saves a model of a quarter of the size that computes the same, of layers that tfjs has', async () => {
    const q = await calibrated();
    const rounded = dequantizeModel(q);
    const artifacts = await artifactsOf(q, {});
    const again = await tfl.loadLayersModel(tf.io.fromMemory(artifacts));
    expect(again.layers.filter(({constructor}) => /Quantiz/.test(constructor.name))).toEqual([]);
    expect(again.outputNames).toEqual(rounded.outputNames);
    expect(bytesOf(artifacts) / bytesOf(await artifactsOf(rounded))).toBeLessThan(0.27);
    const [expected, found] = [await predicted(rounded), await predicted(again)];
    expect(distance(found, expected)).toBeLessThan(onWebGPU ? 1e-4 : 1e-5);
  });

  it('brings weights with one range back bit for bit, and the levels of the others', async () => {
    const q = await calibrated({weights: {perChannel: false}, layers: {hidden: {weights: {perChannel: true}}}});
    const rounded = dequantizeModel(q);
    const artifacts = await artifactsOf(q, {});
    const again = await tfl.loadLayersModel(tf.io.fromMemory(artifacts));
    for (const name of ['depthwise', 'pointwise', 'classes']) {
      const [expected, found] = [rounded.getLayer(name).getWeights()[0]!, again.getLayer(name).getWeights()[0]!];
      expect(await valuesOf(found))
        .withContext(name)
        .toEqual(await valuesOf(expected));
    }
    const {weights} = await quantizedWeights(q);
    const {levels, scale} = weights.find(({layer}) => layer === 'hidden')!;
    // In units of a power of two, the rest of each step behind the layer: both are exact.
    const unit = artifacts.weightSpecs!.find(({name}) => name === 'hidden_levels/kernel')!.quantization!.scale!;
    expect(Math.log2(unit) % 1).toBe(0);
    const kernel = await valuesOf(again.getLayer('hidden_levels').getWeights()[0]!);
    expect(kernel).toEqual(Float32Array.from(levels, level => level * unit));
    const factors = again.getLayer('hidden_steps').getConfig()['scale'] as number[];
    expect(Float32Array.from(factors, factor => Math.fround(factor) * unit)).toEqual(scale);
  });

  it('stores 12 bits as uint16', async () => {
    const q = await calibrated({weights: {numBits: 12, perChannel: false}});
    const {weightSpecs, ...artifacts} = await artifactsOf(q, {});
    const kernels = weightSpecs!.filter(({name}) => name.includes('hidden/kernel'));
    expect(kernels.map(({quantization}) => quantization?.dtype)).toEqual(['uint16']);
    const again = await tfl.loadLayersModel(tf.io.fromMemory({weightSpecs: weightSpecs!, ...artifacts}));
    const [expected, found] = [dequantizeModel(q), again].map(model => model.getLayer('hidden').getWeights()[0]!);
    expect(await valuesOf(found!)).toEqual(await valuesOf(expected!));
  });

  it('saves recurrent models, to the nearest of 256 values', async () => {
    needsSpeed();
    const model = tfl.sequential({
      layers: [layers.gru({units: 8, inputShape: [5, 4], name: 'gru'}), layers.dense({units: 2, name: 'out'})],
    });
    const q = quantizeModel(model);
    await calibrate(q, tf.randomNormal([8, 5, 4], 0, 1, 'float32', 1));
    const artifacts = await artifactsOf(q, {});
    const kernels = artifacts.weightSpecs!.filter(({quantization}) => quantization?.dtype === 'uint8');
    expect(kernels.map(({name}) => name.split('/').pop())).toEqual(
      jasmine.arrayContaining(['kernel', 'recurrent_kernel', 'kernel']),
    );
    const again = await tfl.loadLayersModel(tf.io.fromMemory(artifacts));
    const x = tf.randomNormal([3, 5, 4], 0, 1, 'float32', 2);
    const [expected, found] = await Promise.all(
      [dequantizeModel(q), again].map(each => valuesOf(each.predict(x) as tf.Tensor)),
    );
    expect(Math.max(...found!.map((each, i) => Math.abs(each - expected![i]!)))).toBeLessThan(0.02);
  });

  for (const options of [...WIDTHS, {weights: {numBits: 4, symmetric: false}}, {weights: {perChannel: false}}]) {
    it(`keeps the rounding if asked, and the bits: ${JSON.stringify(options)}`, async () => {
      needsSpeed();
      const q = await calibrated(options);
      const expected = await predicted(q);
      const artifacts = await artifactsOf(q, {fakeQuant: true});
      const bytes = options.weights && options.weights.numBits === 12 ? 2 : 1;
      expect(bytesOf(artifacts) / bytesOf(await artifactsOf(q))).toBeLessThan(0.28 * bytes);
      const again = await tfl.loadLayersModel(tf.io.fromMemory(artifacts));
      const found = await predicted(again);
      // Learned ranges are exponentials: see model.spec.ts.
      const slack = onWebGL || onWebGPU ? 1e-6 : 0;
      expect(distance(found, expected)).toBeLessThanOrEqual(slack);
      const [before, after] = await Promise.all([q, again].map(async each => (await quantizedWeights(each)).weights));
      for (const [i, {scale, ...weight}] of before!.entries()) {
        const {scale: loaded, ...others} = after![i]!;
        expect(others).toEqual(weight);
        expect(distance(loaded, scale)).toBeLessThanOrEqual(slack);
      }
      expect(bytesOf(await artifactsOf(again, {fakeQuant: true}))).toBe(bytesOf(artifacts));
    });
  }

  it('passes on what a handler fails with, leaves nothing behind, and refuses what it cannot save', async () => {
    const q = await calibrated();
    const {numTensors} = tf.memory();
    const full = tf.io.withSaveHandler(() => Promise.reject(new Error('the disk is full')));
    await expectAsync(q.save(quantizedSaveHandler(full))).toBeRejectedWithError('the disk is full');
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(() => quantizedSaveHandler('nowhere://x')).toThrowError(/0 handlers of tf\.io save to 'nowhere:\/\/x'/);
    await expectAsync(artifactsOf(float(), {})).toBeRejectedWithError(/is not quantized.*quantizeModel/);
  });
});

describe("a small model of scheme 'tfmot'", () => {
  scoped();

  it('has the steps of a depthwise layer, one for each multiplier, at its outputs', async () => {
    const q = quantizeModel(float(), {scheme: 'tfmot', layers: {pointwise: false}});
    const x = tf.randomNormal([4, 8, 8, 3], 0, 1, 'float32', 50);
    await calibrate(q, x);
    const small = await reloaded(q, {});
    const right = await valuesOf(dequantizeModel(q).predict(x) as tf.Tensor);
    const values = await valuesOf(small.predict(x) as tf.Tensor);
    right.forEach((value, i) => expect(values[i]).toBeCloseTo(value, 4));
  });
});
