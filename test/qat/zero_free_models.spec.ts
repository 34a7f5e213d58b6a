/** Models with weights of 2 bits without a level at 0: when they have them, what they keep in files, what becomes of them. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {
  calibrate,
  dequantizeModel,
  describeQuantization,
  FakeQuantizer,
  packInt4,
  quantizedValues,
  quantizedWeights,
  quantizeModel,
  type QuantizeOptions,
  reestimateBatchNorm,
  setFakeQuant,
  type WeightOptions,
} from '../../src/entries/qat';
import {weightOf} from '../../src/layers/tfjs_internals';
import {onWebGL, onWebGPU, valuesOf} from '../support/environment';
import {artifactsOf, reloaded} from '../support/saved';
import {needsTraining, scoped} from '../support/scoped';

type Symbolic = tfl.SymbolicTensor;
const {layers} = tfl;

const TWO_BITS: QuantizeOptions = {weights: {numBits: 2}};

/** Layers in a row, with random weights. */
function chain(shape: number[], ...stack: tfl.layers.Layer[]): tfl.LayersModel {
  const inputs = tfl.input({shape, name: 'x'});
  const model = tfl.model({inputs, outputs: stack.reduce((y, layer) => layer.apply(y) as Symbolic, inputs)});
  tf.tidy(() =>
    model.setWeights(
      model.weights.map(({shape: each, name}, i) => {
        const values = tf.randomNormal(each as number[], 0, 1, 'float32', i + 1);
        return name.includes('variance') ? values.abs().add(0.2) : values;
      }),
    ),
  );
  return model;
}

const dense = (name: string, units = 3) => layers.dense({units, name});
const network = () =>
  chain([4], dense('a', 8), layers.batchNormalization({name: 'n'}), layers.reLU({name: 'r'}), dense('b', 2));

/** The layers whose weights are zero-free, as the table of the model says. */
async function zeroFree(q: tfl.LayersModel): Promise<string[]> {
  const rows = await describeQuantization(q).read();
  return rows.filter(({note}) => note.includes('zero-free')).map(({layer, what}) => `${layer}.${what}`);
}

const of = (weights: WeightOptions, others: QuantizeOptions = {}) =>
  zeroFree(quantizeModel(network(), {weights, ...others}));

async function predicted(model: tfl.LayersModel, x: tf.Tensor): Promise<Float32Array> {
  return valuesOf(tf.tidy(() => model.predict(x) as tf.Tensor));
}

describe('Zero-free weights', () => {
  scoped();

  it('are the default at 2 bits, and there alone', async () => {
    const all = ['a.kernel', 'b.kernel'];
    expect(await of({numBits: 2})).toEqual(all);
    expect(await of({numBits: 2, zeroFree: true})).toEqual(all);
    expect(await of({numBits: 2, symmetric: true, perChannel: false})).toEqual(all);
    expect(await of({numBits: 2, narrowRange: undefined} as never)).toEqual(all);
    expect(await of({numBits: 2, zeroFree: false})).toEqual([]);
    expect(await of({numBits: 2, symmetric: false})).toEqual([]);
    expect(await of({numBits: 2, narrowRange: true})).toEqual([]);
    expect(await of({numBits: 2, narrowRange: false})).toEqual([]);
    expect(await of({numBits: 2}, {recipe: 'minMax'})).toEqual([]);
    expect(await of({numBits: 3})).toEqual([]);
    expect(await of({})).toEqual([]);
  });

  it('are as each layer is told, which goes before what all are told', async () => {
    const layer = (weights: WeightOptions) => ({layers: {b: {weights}}});
    expect(await of({}, layer({numBits: 2}))).toEqual(['b.kernel']);
    expect(await of({numBits: 2}, layer({zeroFree: false}))).toEqual(['a.kernel']);
    expect(await of({numBits: 2, zeroFree: true}, layer({numBits: 8}))).toEqual(['a.kernel']);
    expect(await of({numBits: 2, zeroFree: true}, layer({narrowRange: true}))).toEqual(['a.kernel']);
    expect(await of({numBits: 2, zeroFree: false}, layer({zeroFree: true}))).toEqual(['b.kernel']);
    expect(await of({numBits: 2, zeroFree: true}, {keepEnds8bit: true})).toEqual([]);
  });

  const WRONG: readonly (readonly [QuantizeOptions, ...string[]])[] = [
    [
      {weights: {zeroFree: true}},
      'weights.zeroFree has 2 bits, but numBits was 8. Set numBits: 2, or leave zeroFree out.',
    ],
    [{weights: {numBits: 3, zeroFree: true}}, 'numBits was 3'],
    [{weights: {numBits: 2, zeroFree: true, symmetric: false}}, 'symmetric was false. Leave symmetric out'],
    [{weights: {numBits: 2, zeroFree: true, narrowRange: false}}, 'narrowRange was false. Leave narrowRange out'],
    [{weights: {numBits: 2, zeroFree: true}, recipe: 'minMax'}, "recipe was 'minMax'. Set recipe: 'learned'"],
    [{layers: {b: {weights: {zeroFree: true}}}}, 'layers.b.weights.zeroFree has 2 bits, but numBits was 8.'],
    [{weights: {numBits: 2, zeroFree: 1 as never}}, 'weights.zeroFree must be true or false'],
    [{activations: {zeroFree: true} as never}, 'activations.zeroFree is no option'],
    [{zeroFree: true} as never, 'zeroFree is no option. It belongs into weights.'],
    [
      {weights: {zeroFree: true, symmetric: false}, recipe: 'minMax'},
      '3 problems',
      'has 2 bits',
      'symmetric',
      'recipe',
    ],
  ];
  for (const [options, ...parts] of WRONG) {
    it(`are refused where they cannot be: ${JSON.stringify(options)}`, () => {
      let message = '';
      try {
        quantizeModel(network(), options);
      } catch (error) {
        message = (error as Error).message;
      }
      for (const part of parts) expect(message).toContain(part);
    });
  }

  it('are told by the name of the model around a layer, too', async () => {
    const inner = tfl.sequential({name: 'inner', layers: [layers.dense({units: 2, inputShape: [4], name: 'c'})]});
    const x = tfl.input({shape: [4]});
    const model = tfl.model({inputs: x, outputs: dense('d').apply(inner.apply(x)) as Symbolic});
    const told = {inner: {weights: {numBits: 2}}, c: {weights: {zeroFree: true}}};
    expect(await zeroFree(quantizeModel(model, {layers: told}))).toEqual(['c.kernel']);
  });

  /** Kernels of all kinds, and how many they are. */
  const KINDS: Readonly<Record<string, readonly [() => tfl.LayersModel, number, QuantizeOptions?]>> = {
    Conv2D: [() => chain([5, 5, 2], layers.conv2d({filters: 3, kernelSize: 2})), 1],
    Conv2DTranspose: [() => chain([3, 3, 2], layers.conv2dTranspose({filters: 3, kernelSize: 2})), 1],
    DepthwiseConv2D: [() => chain([5, 5, 2], layers.depthwiseConv2d({kernelSize: 3, depthMultiplier: 2})), 1],
    SeparableConv2D: [() => chain([5, 5, 2], layers.separableConv2d({filters: 3, kernelSize: 2})), 2],
    Embedding: [() => chain([4], layers.embedding({inputDim: 6, outputDim: 3, inputLength: 4})), 1],
    GRU: [() => chain([4, 3], layers.gru({units: 4})), 2],
    LSTM: [() => chain([4, 3], layers.lstm({units: 4})), 2],
    Bidirectional: [
      () => chain([4, 3], layers.bidirectional({layer: layers.simpleRNN({units: 3}), mergeMode: 'concat'})),
      4,
    ],
    TimeDistributed: [() => chain([4, 3], layers.timeDistributed({layer: dense('t')})), 1],
    "a class of one's own": [
      () => chain([3], new Scaled({name: 'own'})),
      1,
      {customLayers: {ZeroFreeScaled: {kernel: {axis: -1}}}},
    ],
    'BatchNormalization, folded': [
      () => chain([5, 5, 2], layers.conv2d({filters: 3, kernelSize: 2}), layers.batchNormalization()),
      1,
      {weights: {numBits: 2, perChannel: false}},
    ],
  };
  for (const [name, [make, count, options = {}]] of Object.entries(KINDS)) {
    it(`of ${name} are odd halves of steps, in the model, its integers, its float copy and its files`, async () => {
      const model = make();
      const q = quantizeModel(model, {...TWO_BITS, ...options});
      const shape = model.inputs[0]!.shape.slice(1) as number[];
      const x = tf.tidy(() => {
        const [low, high] = name === 'Embedding' ? [0, 6] : [-1, 1];
        const uniform = tf.randomUniform([6, ...shape], low, high, 'float32', 4);
        return name === 'Embedding' ? tf.floor(uniform) : uniform;
      });
      await calibrate(q, x);
      const {weights} = await quantizedWeights(q);
      expect(weights.length).toBe(count);
      for (const {levels, bits, spacing, zeroPoint} of weights) {
        expect([bits, spacing]).toEqual([3, 2]);
        expect(levels.every(level => Math.abs(level) === 1 || Math.abs(level) === 3)).toBeTrue();
        expect(zeroPoint.every(each => each === 0)).toBeTrue();
        expect(packInt4(levels as Int8Array).length).toBe(Math.ceil(levels.length / 2));
      }
      // With activations left as they are, the float copy computes what the model does.
      setFakeQuant(q, false, 'activations');
      const expected = await predicted(q, x);
      const slack = onWebGL || onWebGPU ? 1e-4 : 1e-5;
      const near = async (other: tfl.LayersModel, limit = slack) => {
        const found = await predicted(other, x);
        found.forEach((each, i) => expect(Math.abs(each - expected[i]!)).toBeLessThan(limit));
      };
      await near(dequantizeModel(q));
      await near(await reloaded(q));
      // Where nothing can take the steps, a small model has the nearest of 256 values.
      if (!name.startsWith('a class')) await near(await reloaded(q, {}), 0.1);
      const ofLevels = await reloaded(q, {fakeQuant: true});
      await near(ofLevels);
      const again = await quantizedWeights(ofLevels);
      weights.forEach(({levels}, i) => expect(again.weights[i]!.levels).toEqual(levels));
      // Four levels to a weight: from 0 to 3.
      const stored = (await artifactsOf(q, {fakeQuant: true})).weightSpecs!.filter(({quantization}) => quantization);
      expect(stored.length).toBe(count);
      stored.forEach(({quantization}) => expect([quantization!.scale, quantization!.min]).toEqual([1, 0]));
    });
  }

  it('are saved as they are, and trained on after that; files from before keep the grid that they had', async () => {
    const q = quantizeModel(network(), TWO_BITS);
    const x = tf.randomNormal([16, 4], 0, 1, 'float32', 1);
    await calibrate(q, x);
    expect(await zeroFree(await reloaded(q))).toEqual(['a.kernel', 'b.kernel']);
    const old = quantizeModel(network(), {weights: {numBits: 2, zeroFree: false}});
    await calibrate(old, x);
    const files = await artifactsOf(old);
    expect(JSON.stringify(files.modelTopology)).not.toMatch(/zero_?free/i);
    const loaded = await tfl.loadLayersModel(tf.io.fromMemory(files));
    expect(await zeroFree(loaded)).toEqual([]);
    const {weights} = await quantizedWeights(loaded);
    expect(new Set(weights.flatMap(({levels}) => [...levels]))).toEqual(new Set([-1, 0, 1]));
    expect(weights.map(({bits, spacing}) => [bits, spacing])).toEqual([
      [2, 1],
      [2, 1],
    ]);
  });

  it('train: the loss falls, every kernel and every scale moves, nothing is left behind', async () => {
    needsTraining();
    const q = quantizeModel(network(), TWO_BITS);
    const x = tf.randomNormal([32, 4], 0, 1, 'float32', 3);
    const y = tf.tidy(() => tf.stack([x.sum(1), x.abs().sum(1)], 1));
    await reestimateBatchNorm(q, x);
    await calibrate(q, x);
    q.compile({optimizer: tf.train.adam(0.02), loss: 'meanSquaredError'});
    const read = () => Promise.all(q.trainableWeights.map(async each => [...(await each.read().data())]));
    const before = await read();
    const first = (await q.trainOnBatch(x, y)) as number;
    const {numTensors} = tf.memory();
    let last = first;
    for (let i = 0; i < 40; ++i) last = (await q.trainOnBatch(x, y)) as number;
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(last).toBeLessThan(first / 2);
    const after = await read();
    q.trainableWeights.forEach(({originalName}, i) =>
      expect(after[i]).withContext(originalName).not.toEqual(before[i]),
    );
    q.optimizer.dispose();
  });

  it('of a channel of zeros stay as good as 0 in all files', async () => {
    const model = network();
    const kernel = weightOf(model.getLayer('a'), 'kernel')!;
    const mask = tf.tensor1d([1, 1, 0, 1, 0, 1, 1, 1]);
    tf.tidy(() => void kernel.write(tf.mul(kernel.read(), mask)));
    const q = quantizeModel(model, {...TWO_BITS, activations: false});
    const x = tf.randomNormal([8, 4], 0, 1, 'float32', 5);
    await calibrate(q, x);
    const float = dequantizeModel(q);
    const rounded = await valuesOf(weightOf(float.getLayer('a'), 'kernel')!.read());
    [...rounded].forEach((each, i) => {
      if ([2, 4].includes(i % 8)) expect(Math.abs(each)).toBeLessThan(1e-10);
      else expect(Math.abs(each)).toBeGreaterThan(1e-3);
    });
    const expected = await predicted(float, x);
    for (const again of [await reloaded(q), await reloaded(q, {}), await reloaded(q, {fakeQuant: true})]) {
      (await predicted(again, x)).forEach((each, i) => expect(each).toBeCloseTo(expected[i]!, 4));
    }
  });

  it('have the nearest odd levels while rounding is off', async () => {
    const quantizer = new FakeQuantizer({numBits: 2, zeroFree: true, symmetric: true, observer: 'learned'});
    quantizer.setRange(-3, 3);
    quantizer.quantizing = false;
    const x = tf.tensor1d([-9, -2.1, -1.9, -0.9, -0.1, 0.1, 0.9, 1.9, 2.1, 9]);
    const {levels, scale, bits, spacing} = await quantizedValues(x, quantizer);
    // Steps are of 2, and levels count halves of them.
    expect([...levels]).toEqual([-3, -3, -1, -1, -1, 1, 1, 1, 3, 3]);
    expect(scale[0]).toBeCloseTo(1, 6);
    expect([bits, spacing]).toEqual([3, 2]);
    quantizer.dispose();
  });

  it('follow a weight that was changed, and a part of a model without the BatchNormalization', async () => {
    const model = chain([5, 5, 2], layers.conv2d({filters: 3, kernelSize: 2, name: 'c'}), layers.batchNormalization());
    const q = quantizeModel(model, {weights: {numBits: 2, perChannel: false}, activations: false});
    await calibrate(q, tf.randomNormal([4, 5, 5, 2], 0, 1, 'float32', 2));
    const part = tfl.model({inputs: q.inputs, outputs: q.getLayer('c').output});
    for (const small of [undefined, {fakeQuant: true}]) {
      const alone = await reloaded(part, small);
      const x = tf.randomNormal([2, 5, 5, 2], 0, 1, 'float32', 6);
      expect((await predicted(alone, x)).every(Number.isFinite)).toBeTrue();
      const {weights} = await quantizedWeights(alone);
      expect(weights[0]!.folded).toBeFalse();
      expect(weights[0]!.levels.every(level => level % 2 !== 0)).toBeTrue();
    }
  });
});

/** A class of one's own, which multiplies with a matrix. */
class Scaled extends tfl.layers.Layer {
  static className = 'ZeroFreeScaled';
  kernel!: tfl.LayerVariable;

  override build(shape: tfl.Shape): void {
    this.kernel = this.addWeight('kernel', [shape[1]!, 2], 'float32', tfl.initializers.ones());
    this.built = true;
  }

  override computeOutputShape(shape: tfl.Shape): tfl.Shape {
    return [shape[0]!, 2];
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.matMul([inputs].flat()[0] as tf.Tensor2D, this.kernel.read());
  }
}
tf.serialization.registerClass(Scaled);
