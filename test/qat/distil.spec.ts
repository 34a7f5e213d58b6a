/** Training without labels: what it learns, what it leaves alone, and what becomes of it when something goes wrong. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {
  calibrate,
  distil,
  type DistilOptions,
  freezeBatchNorm,
  quantizeModel,
  setFakeQuant,
} from '../../src/entries/qat';
import {valuesOf} from '../support/environment';
import {needsSpeed, needsTraining, scoped} from '../support/scoped';

const {layers} = tfl;

/** A network of random weights, which is as good a teacher as any: it says something else to each sample. */
function network(seed: number, activation: 'softmax' | 'sigmoid' | 'linear' = 'softmax') {
  const kernel = (offset: number) => tfl.initializers.randomNormal({stddev: 0.7, seed: 10 * seed + offset});
  const model = tfl.sequential({
    layers: [
      layers.dense({units: 12, inputShape: [6], kernelInitializer: kernel(1), name: 'hidden'}),
      layers.batchNormalization({name: 'norm'}),
      layers.activation({activation: 'relu', name: 'relu'}),
      layers.dense({units: 4, kernelInitializer: kernel(2), activation, name: 'out'}),
    ],
  });
  return {model, x: tf.randomNormal([256, 6], 0, 1, 'float32', seed)};
}

const FEW_BITS = {weights: {numBits: 2}, activations: {numBits: 4}} as const;
const QUICK: DistilOptions = {steps: 60, batchSize: 32};

async function states(model: tfl.LayersModel): Promise<number[][]> {
  return Promise.all(model.getWeights().map(async each => [...(await valuesOf(each))]));
}

/** Mean squared difference of what two models say. */
async function difference(q: tfl.LayersModel, model: tfl.LayersModel, x: tf.Tensor): Promise<number> {
  const [value] = await valuesOf(
    tf.tidy(() => tf.squaredDifference(q.predict(x) as tf.Tensor, model.predict(x) as tf.Tensor).mean()),
  );
  return value!;
}

/** The same model with its statistics of these samples: what teaches. */
function reestimated(seed: number, activation?: 'softmax' | 'sigmoid' | 'linear') {
  const {model, x} = network(seed, activation);
  const own = model.getLayer('norm').getWeights();
  const moments = tf.tidy(() => tf.moments(model.layers[0]!.apply(x) as tf.Tensor, 0));
  model.getLayer('norm').setWeights([own[0]!, own[1]!, moments.mean, moments.variance]);
  return {model, x};
}

function warnings(): string[] {
  return (console.warn as jasmine.Spy).calls.allArgs().map(([text]) => String(text));
}

describe('distil', () => {
  scoped();
  beforeEach(() => needsTraining());

  for (const activation of ['softmax', 'sigmoid', 'linear'] as const) {
    it(`brings a network of ${activation} outputs near its teacher`, async () => {
      needsSpeed();
      for (const seed of [1, 2, 3]) {
        const {model, x} = reestimated(seed, activation);
        const q = quantizeModel(model, FEW_BITS);
        await calibrate(q, x, {method: 'minMax'});
        const before = await difference(q, model, x);
        const {loss, undone} = await distil(q, model, x, {...QUICK, steps: 120});
        expect(undone).toBe(0);
        expect(loss.after).toBeLessThan(loss.before);
        expect(await difference(q, model, x))
          .withContext(`seed ${seed}`)
          .toBeLessThan(0.8 * before);
      }
    });
  }

  it('leaves the teacher and what it holds as they are, and no tensor', async () => {
    needsSpeed();
    const {model, x} = network(1);
    const q = quantizeModel(model, FEW_BITS);
    const before = await states(model);
    const {numTensors} = tf.memory();
    await distil(q, model, x, QUICK);
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(await states(model)).toEqual(before);
  });

  it('is the same for the same seed', async () => {
    const {model, x} = network(1);
    const losses: number[][] = [];
    for (const seed of [5, 5, 6]) {
      const q = quantizeModel(model, FEW_BITS);
      const seen: number[] = [];
      const onProgress: DistilOptions['onProgress'] = ({loss}) => loss !== undefined && void seen.push(loss);
      await distil(q, model, x, {steps: 4, seed, onProgress});
      losses.push(seen);
    }
    expect(losses[0]!.length).toBe(4);
    expect(losses[0]).toEqual(losses[1]);
    expect(losses[0]).not.toEqual(losses[2]);
  });

  it('takes batches, a generator, a dataset and a function', async () => {
    needsSpeed();
    const {model, x} = network(1);
    const batches = tf.split(x, 4);
    const dataset = () => {
      let at = 0;
      const next = () =>
        Promise.resolve(at < 4 ? {done: false, value: batches[at++]!.clone()} : {done: true, value: null});
      return {iterator: () => Promise.resolve({next} as never)};
    };
    function* generator() {
      yield* batches.map(xs => ({xs, ys: 'left alone'}));
    }
    const {numTensors} = tf.memory();
    for (const samples of [batches.map(each => [each]), generator(), dataset(), () => batches[0]!.clone()]) {
      const q = quantizeModel(model, FEW_BITS);
      const {loss} = await distil(q, model, samples, QUICK);
      expect(loss.after).toBeLessThan(loss.before);
      q.dispose();
    }
    expect(tf.memory().numTensors).toBe(numTensors);
  });

  it('trains no frozen layer, and leaves noise and regularizers out', async () => {
    needsSpeed();
    const {model, x} = network(1);
    const noisy = tfl.sequential({
      layers: [...model.layers.slice(0, 3), layers.dropout({rate: 0.9}), model.layers[3]!],
    });
    noisy.getLayer('hidden').trainable = false;
    const q = quantizeModel(noisy, FEW_BITS);
    const frozen = () =>
      valuesOf((q.getLayer('hidden') as unknown as {layer: tfl.layers.Layer}).layer.getWeights()[0]!);
    const before = [...(await frozen())];
    const seen: number[] = [];
    await distil(q, noisy, x, {...QUICK, onProgress: ({loss}) => loss !== undefined && void seen.push(loss)});
    expect([...(await frozen())]).toEqual(before);
    // Nine of ten values dropped would keep it far above.
    expect(seen.at(-1)!).toBeLessThan(0.3);
  });

  it('teaches several outputs, each by its kind', async () => {
    needsSpeed();
    const input = tfl.input({shape: [6]});
    const kernel = (seed: number) => tfl.initializers.randomNormal({stddev: 0.7, seed});
    const hidden = layers.dense({units: 8, activation: 'relu', kernelInitializer: kernel(3)}).apply(input);
    const outputs = (['softmax', 'sigmoid', 'linear'] as const).map(
      (activation, i) =>
        layers.dense({units: 3, activation, kernelInitializer: kernel(4 + i)}).apply(hidden) as tfl.SymbolicTensor,
    );
    const model = tfl.model({inputs: input, outputs});
    const x = tf.randomNormal([128, 6], 0, 1, 'float32', 3);
    const q = quantizeModel(model, FEW_BITS);
    const {loss} = await distil(q, model, x, QUICK);
    expect(loss.after).toBeLessThan(0.7 * loss.before);
  });

  it('stops at a signal with the best so far, and rejects with its reason', async () => {
    needsSpeed();
    const {model, x} = network(1);
    const q = quantizeModel(model, FEW_BITS);
    const reason = new Error('enough');
    const stop = new AbortController();
    const {numTensors} = tf.memory();
    const onProgress: DistilOptions['onProgress'] = ({step}) => {
      if (step === 20) stop.abort(reason);
    };
    await expectAsync(distil(q, model, x, {...QUICK, onProgress, signal: stop.signal})).toBeRejectedWith(reason);
    expect(tf.memory().numTensors).toBe(numTensors);
    const prepared = quantizeModel(model, FEW_BITS);
    await calibrate(prepared, x, {method: 'mse'});
    const {model: teacher} = reestimated(1);
    expect(await difference(q, teacher, x)).toBeLessThan(await difference(prepared, teacher, x));
  });

  it('touches nothing at a signal that came before', async () => {
    const {model, x} = network(1);
    const q = quantizeModel(model, FEW_BITS);
    const before = await states(q);
    const signal = AbortSignal.abort(new Error('never mind'));
    await expectAsync(distil(q, model, x, {signal})).toBeRejectedWithError('never mind');
    expect(await states(q)).toEqual(before);
  });

  it('undoes a step that makes NaN, and says so once', async () => {
    needsSpeed();
    const {model, x} = network(1);
    const q = quantizeModel(model, FEW_BITS);
    let calls = 0;
    const samples = () => (++calls % 20 === 0 ? tf.fill([64, 6], NaN) : x.slice(0, 64));
    const {loss, undone} = await distil(q, model, samples, {...QUICK, steps: 40});
    expect(undone).toBeGreaterThan(1);
    expect(loss.after).toBeLessThan(loss.before);
    expect(warnings().filter(text => text.includes('undone')).length).toBe(1);
    for (const values of await states(q)) expect(values.every(Number.isFinite)).toBeTrue();
  });

  it('leaves the model as it was before where training made it worse', async () => {
    needsSpeed();
    const {model, x} = network(1, 'linear');
    const q = quantizeModel(model, {weights: {numBits: 8}, activations: {numBits: 8}});
    const {numTensors} = tf.memory();
    const result = await distil(q, model, x, {...QUICK, learningRate: 1e30}).catch((error: unknown) => error);
    expect(tf.memory().numTensors).toBe(numTensors);
    if (result instanceof Error) expect(result.message).toContain('learningRate');
    else expect(warnings().join()).toContain('lower learningRate');
    const {model: teacher} = reestimated(1, 'linear');
    expect(await difference(q, teacher, x)).toBeLessThan(0.01);
  });

  it('leaves frozen statistics to normalize', async () => {
    needsSpeed();
    const {model, x} = network(1);
    const q = quantizeModel(model, FEW_BITS);
    freezeBatchNorm(q);
    const {loss} = await distil(q, model, x, QUICK);
    expect(loss.after).toBeLessThan(loss.before);
  });

  it('tells what is wrong, and leaves the model as it was', async () => {
    const {model, x} = network(1);
    const q = quantizeModel(model, FEW_BITS);
    await calibrate(q, x);
    const before = await states(q);
    const {numTensors} = tf.memory();
    const small = tfl.sequential({layers: [layers.dense({units: 2, inputShape: [5]})]});
    const wrong = async (message: string, run: () => Promise<unknown>) => {
      await expectAsync(run()).withContext(message).toBeRejectedWithError(Error, new RegExp(message));
    };
    await wrong('is the quantized one itself', () => distil(q, q, x));
    await wrong('is quantized itself', () => distil(q, quantizeModel(model), x));
    await wrong('inputs of the teacher.*outputs of the teacher', () =>
      distil(q, small, x).catch((e: unknown) => {
        throw new Error((e as Error).message.replace(/\n/g, ' '));
      }),
    );
    await wrong('not quantized', () => distil(model, q, x));
    await wrong('there are no samples', () => distil(q, model, []));
    await wrong('input .* takes samples of shape', () => distil(q, model, tf.zeros([4, 5])));
    await wrong('% of the values are outside', () => distil(q, model, x.mul(255)));
    await wrong('no value is larger', () => distil(q, model, x.div(255)));
    await wrong('steps must be', () => distil(q, model, x, {steps: 0}));
    await wrong('loss must be', () => distil(q, model, x, {loss: 'hinge' as never}));
    await wrong('is of no output', () => distil(q, model, x, {loss: {other: 'meanSquaredError'}}));
    small.dispose();
    expect(await states(q)).toEqual(before);
    expect(numTensors).toBeGreaterThan(0);
    q.getLayer('hidden').trainable = false;
    for (const layer of q.layers) layer.trainable = false;
    await wrong('is trainable', () => distil(q, model, x));
  });

  it('leaves nothing behind whatever goes wrong while it trains', async () => {
    needsSpeed();
    const {model, x} = network(1);
    const mine = new Error('mine');
    const fails = () => {
      throw mine;
    };
    let calls = 0;
    const later = (after: number, run: () => never) => () => (++calls > after ? run() : undefined);
    const cases: [string, unknown, DistilOptions, RegExp][] = [
      ['a callback, early', x, {onProgress: later(1, fails)}, /mine/],
      ['a callback, late', x, {onProgress: later(6, fails)}, /mine/],
      ['a loss, in the midst', x, {loss: (_, b) => (++calls > 9 ? fails() : tf.mean(b))}, /mine/],
      ['a loss of no scalar', x, {loss: (_, b) => b as tf.Scalar}, /must give a scalar/],
      [
        'samples of another shape',
        () => (++calls > 11 ? tf.zeros([4, 5]) : x.slice(0, 64)),
        {},
        /takes samples of shape/,
      ],
      ['no samples', () => x.slice(0, ++calls > 11 ? 0 : 64), {}, /no samples/],
      ['targets as tensors', () => ({xs: x.slice(0, 64), ys: tf.zeros([++calls > 11 ? fails() : 64])}), {}, /mine/],
    ];
    for (const [what, samples, options, message] of cases) {
      calls = 0;
      const q = quantizeModel(model, FEW_BITS);
      const before = tf.memory().numTensors;
      const given = typeof samples === 'function' ? () => tf.tidy(samples as () => tf.Tensor) : x;
      const run = distil(q, model, given, {steps: 12, batchSize: 32, learningRate: 1e-3, ...options});
      await expectAsync(run).withContext(what).toBeRejectedWithError(message);
      expect(tf.memory().numTensors).withContext(what).toBe(before);
      q.dispose();
    }
  });

  it('is one call at a time with either model', async () => {
    const {model, x} = network(1);
    const [q, other] = [quantizeModel(model, FEW_BITS), quantizeModel(model, FEW_BITS)];
    const first = distil(q, model, x, {steps: 2});
    await expectAsync(distil(q, model, x)).toBeRejectedWithError(/^distil: distil is at work/);
    await expectAsync(distil(other, model, x)).toBeRejectedWithError(/^distil: distil is at work/);
    await expectAsync(first).toBeResolved();
  });

  it('takes samples as they were at calibration, also where few bits cut off many of them', async () => {
    needsSpeed();
    const {model, x} = network(1);
    const q = quantizeModel(model, {weights: {numBits: 2}, activations: {numBits: 2}});
    await calibrate(q, x);
    for (const steps of [60, 2]) await expectAsync(distil(q, model, x, {steps})).toBeResolved();
  });

  it('tells inputs in another order, and that nothing is rounded', async () => {
    const both = (names: string[]) => {
      const inputs = names.map(name => tfl.input({shape: [3], name}));
      return tfl.model({inputs, outputs: layers.concatenate().apply(inputs) as tfl.SymbolicTensor});
    };
    const withDense = (names: string[]) => {
      const {inputs, outputs} = both(names);
      const last = layers.dense({units: 2}).apply(outputs) as tfl.SymbolicTensor;
      return tfl.model({inputs, outputs: last});
    };
    const q = quantizeModel(withDense(['a', 'b']));
    const x = [tf.ones([64, 3]), tf.zeros([64, 3])];
    await expectAsync(distil(q, withDense(['b', 'a']), x)).toBeRejectedWithError(/in the order b, a/);
    const {model, x: samples} = network(1);
    const off = quantizeModel(model, FEW_BITS);
    setFakeQuant(off, false);
    await expectAsync(distil(off, model, samples)).toBeRejectedWithError(/setFakeQuant\(q, true\)/);
  });

  it('warns of few samples', async () => {
    const {model, x} = network(1);
    const q = quantizeModel(model, FEW_BITS);
    await distil(q, model, x.slice(0, 10), {steps: 2});
    expect(warnings().some(text => text.includes('10 samples only'))).toBeTrue();
  });
});
