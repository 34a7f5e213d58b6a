/** Models of other kinds that distil teaches, and what becomes of them when something goes wrong meanwhile. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {distil, type DistilOptions, quantizeModel} from '../../src/entries/qat';
import {valuesOf} from '../support/environment';
import {needsTraining, scoped} from '../support/scoped';
import {Nodes, sample} from '../tflite/segments';

const {layers} = tfl;

const BITS = {weights: {numBits: 3}, activations: {numBits: 4}} as const;
const QUICK: DistilOptions = {steps: 40, batchSize: 16};

const kernel = (seed: number) => tfl.initializers.randomNormal({stddev: 0.7, seed});
const normal = (shape: readonly number[]) => tf.randomNormal([...shape], 0, 1, 'float32', 1);

function small(...more: tfl.layers.Layer[]): tfl.LayersModel {
  return tfl.sequential({
    layers: [
      layers.dense({units: 6, inputShape: [4], activation: 'relu', kernelInitializer: kernel(1), name: 'hidden'}),
      ...more,
      layers.dense({units: 3, activation: 'softmax', kernelInitializer: kernel(2), name: 'out'}),
    ],
  });
}

async function states(model: tfl.LayersModel): Promise<number[][]> {
  return Promise.all(model.getWeights().map(async each => [...(await valuesOf(each))]));
}

describe('distil teaches', () => {
  scoped();
  beforeEach(() => needsTraining());

  async function learns(model: tfl.LayersModel, x: tf.Tensor, options: DistilOptions = {}): Promise<tfl.LayersModel> {
    const q = quantizeModel(model, BITS);
    const before = await states(model);
    const {numTensors} = tf.memory();
    const {loss, undone} = await distil(q, model, x, {...QUICK, ...options});
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(undone).toBe(0);
    expect(loss.after).toBeLessThan(loss.before);
    expect(await states(model)).toEqual(before);
    return q;
  }

  it('sequences of numbers of tokens', async () => {
    const model = tfl.sequential({
      layers: [
        layers.embedding({inputDim: 10, outputDim: 4, inputLength: 5, embeddingsInitializer: kernel(1)}),
        layers.gru({units: 4, kernelInitializer: kernel(2), returnSequences: true}),
        layers.dense({units: 3, activation: 'softmax', kernelInitializer: kernel(3)}),
      ],
    });
    await learns(model, tf.randomUniform([32, 5], 0, 10, 'int32', 1), {learningRate: 3e-3});
  });

  it('images at each place', async () => {
    const model = tfl.sequential({
      layers: [
        layers.conv2d({
          filters: 3,
          kernelSize: 3,
          padding: 'same',
          inputShape: [4, 4, 2],
          kernelInitializer: kernel(1),
        }),
        layers.batchNormalization(),
        layers.reLU(),
        layers.conv2d({filters: 2, kernelSize: 1, activation: 'softmax', kernelInitializer: kernel(2)}),
      ],
    });
    await learns(model, normal([32, 4, 4, 2]));
  });

  it('outputs that are the same for all samples', async () => {
    const model = tfl.sequential({
      layers: [layers.dense({units: 3, inputShape: [4], kernelInitializer: 'zeros', biasInitializer: 'ones'})],
    });
    const q = quantizeModel(model, BITS);
    const {loss} = await distil(q, model, normal([32, 4]), QUICK);
    expect(loss.after).toBeLessThan(0.01);
  });

  it('weights of segments of a graph', async () => {
    const x = tfl.input({batchShape: [null, 4]});
    const graph = new Nodes();
    const weight = graph.noise([6, 3]);
    graph.weights.push(weight);
    const product = graph.add('MatMul', ['x', weight]);
    const example = sample([1, 6], 'float32', i => Math.sin(i));
    const segment = graph.segment('segment', ['x'], [graph.add('Softmax', [product])], [example], null);
    example.dispose();
    const hidden = layers.dense({units: 6, activation: 'relu', kernelInitializer: kernel(1), name: 'dense'}).apply(x);
    const model = tfl.model({inputs: x, outputs: segment.apply(hidden) as tfl.SymbolicTensor});
    const q = await learns(model, normal([64, 4]));
    const [before] = await states(tfl.model({inputs: model.inputs, outputs: model.outputs})).then(all => all.slice(-1));
    const after = (await states(q)).find(({length}) => length === 18)!;
    expect(after).not.toEqual(before!);
  });

  it('nothing to frozen layers, bit for bit', async () => {
    const model = small();
    model.getLayer('hidden').trainable = false;
    const q = quantizeModel(model, BITS);
    const weights = () => (q.getLayer('hidden') as unknown as {layer: tfl.layers.Layer}).layer.getWeights();
    const before = await Promise.all(weights().map(async each => [...(await valuesOf(each))]));
    await distil(q, model, normal([32, 4]), QUICK);
    expect(await Promise.all(weights().map(async each => [...(await valuesOf(each))]))).toEqual(before);
  });
});

describe('distil, when something goes wrong,', () => {
  scoped();
  beforeEach(() => needsTraining());

  /** Expects it to fail, and to leave no tensor. */
  async function fails(run: () => Promise<unknown>, message: RegExp): Promise<void> {
    const {numTensors} = tf.memory();
    await expectAsync(run()).toBeRejectedWithError(Error, message);
    expect(tf.memory().numTensors).toBe(numTensors);
  }

  it('leaves what a callback that throws left', async () => {
    const model = small();
    const x = normal([32, 4]);
    for (const at of [0, 1, 20]) {
      const q = quantizeModel(model, BITS);
      const onProgress: DistilOptions['onProgress'] = ({step, loss}) => {
        if (step === at && (at === 0 || loss !== undefined)) throw new Error('mine');
      };
      await fails(() => distil(q, model, x, {...QUICK, onProgress}), /^mine$/);
      for (const values of await states(q)) expect(values.every(Number.isFinite)).toBeTrue();
    }
  });

  it('stops in each phase', async () => {
    const model = small();
    const x = normal([32, 4]);
    for (let batches = 1; batches < 8; ++batches) {
      const q = quantizeModel(model, BITS);
      const stop = new AbortController();
      let seen = 0;
      const samples = () => {
        if (++seen === batches) stop.abort(new Error('enough'));
        return x.clone();
      };
      await fails(() => distil(q, model, samples, {...QUICK, signal: stop.signal}), /^enough$/);
      expect(seen).toBeLessThan(batches + 2);
    }
  });

  it('gives up where steps go on making NaN, in a good state', async () => {
    const model = small();
    const x = normal([64, 4]);
    const q = quantizeModel(model, BITS);
    let calls = 0;
    const samples = () => (++calls > 20 ? tf.fill([64, 4], NaN) : x.clone());
    await fails(() => distil(q, model, samples, {...QUICK, learningRate: 3e-3}), /went on being NaN/);
    for (const values of await states(q)) expect(values.every(Number.isFinite)).toBeTrue();
  });

  it('tells of NaN among the samples, of batches of none, and of others of the wrong shape', async () => {
    const model = small();
    const q = quantizeModel(model, BITS);
    const before = await states(q);
    const bad = tf.fill([64, 4], NaN);
    await fails(() => distil(q, model, bad, QUICK), /^distil: .*NaN/);
    await fails(() => distil(q, model, () => tf.zeros([0, 4]), QUICK), /^distil: there are no samples/);
    await fails(() => distil(q, model, () => tf.zeros([2, 5]), QUICK), /^distil: input .* takes samples of shape/);
    expect(await states(q)).toEqual(before);
  });

  it('is alone with both models', async () => {
    const model = small();
    const q = quantizeModel(model, BITS);
    const x = normal([32, 4]);
    const first = distil(q, model, x, QUICK);
    await expectAsync(distil(q, model, x, QUICK)).toBeRejectedWithError(/distil is at work on model/);
    const other = quantizeModel(model, BITS);
    await expectAsync(distil(other, model, x, QUICK)).toBeRejectedWithError(/distil is at work on model/);
    await first;
  });
});
