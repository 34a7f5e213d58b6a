/** Held to what the real tfmot does (test/tfmot): its quantizers, its placement, its models, its training. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {describeQuantization, FakeQuantizer, type Observer, quantizeModel} from '../../src/entries/qat';
import {readFile, valuesOf} from '../support/environment';
import {artifactsOf} from '../support/saved';
import {needsTraining, scoped} from '../support/scoped';

type Json = Record<string, unknown>;

async function readJson<T>(name: string): Promise<T> {
  return JSON.parse(new TextDecoder().decode(await readFile(`test/tfmot/${name}`))) as T;
}

interface Step {
  readonly min: number | number[];
  readonly max: number | number[];
  readonly y: number[];
  readonly passed: string;
}

interface Trace {
  readonly quantizer: 'LastValue' | 'MovingAverage' | 'AllValues';
  readonly numBits: number;
  readonly symmetric: boolean;
  readonly narrowRange: boolean;
  readonly perAxis: boolean;
  readonly inputs: string;
  readonly steps: readonly Step[];
}

interface Quantizers {
  readonly inputs: Record<string, {readonly shape: number[]; readonly steps: readonly number[][]}>;
  readonly traces: readonly Trace[];
}

interface PlacedLayer {
  readonly name: string;
  readonly className: string;
  readonly config: Json;
  readonly activation?: unknown;
  readonly variables: readonly [string, number[]][];
}

interface Training {
  readonly quantized: Json;
  readonly float: Json;
  readonly learningRate: number;
  readonly variables: readonly {readonly name: string; readonly shape: number[]; readonly trainable: boolean}[];
  readonly batches: readonly {readonly x: number[]; readonly labels: number[]}[];
  readonly states: readonly Record<string, number[]>[];
  readonly losses: readonly number[];
  readonly probe: readonly number[];
  readonly predictions: readonly number[][];
}

const quantizers = await readJson<Quantizers>('quantizers.json');
const placement =
  await readJson<Record<string, {float: Json; layers?: PlacedLayer[]; error?: string}>>('placement.json');
const training = await readJson<Training>('training.json');

const OBSERVER_OF: Record<Trace['quantizer'], Observer> = {
  LastValue: 'lastValue',
  MovingAverage: 'movingAverage',
  AllValues: 'allValues',
};

function quantizerOf({quantizer, numBits, symmetric, narrowRange, perAxis}: Trace, rank: number): FakeQuantizer {
  const observer = OBSERVER_OF[quantizer];
  const isAll = observer === 'allValues';
  return new FakeQuantizer({
    numBits,
    symmetric,
    narrowRange,
    observer,
    decay: 0.999,
    debias: false,
    ...(!isAll && {initialRange: [-6, 6]}),
    ...(perAxis && !isAll && {axis: rank - 1}),
  });
}

async function replay(trace: Trace): Promise<void> {
  const {shape, steps} = quantizers.inputs[trace.inputs]!;
  const quantizer = quantizerOf(trace, shape.length);
  for (const [i, values] of steps.entries()) {
    const {min, max, y, passed} = trace.steps[i]!;
    const mode = {training: i < steps.length - 1};
    const x = tf.tensor(values, shape);
    const of = JSON.stringify({...trace, steps: i});
    const grad = tf.tidy(() => tf.grad((input: tf.Tensor) => quantizer.apply(input, mode).sum())(x));
    const [low, high] = quantizer.range();
    // Of nothing but zeros a symmetric range may be -0.
    const ends = async (end: tf.Tensor) => [...(await valuesOf(end))].map(v => v + 0);
    expect(await ends(low))
      .withContext(of)
      .toEqual([min].flat().map(Math.fround));
    expect(await ends(high))
      .withContext(of)
      .toEqual([max].flat().map(Math.fround));
    expect([...(await valuesOf(grad))].join(''))
      .withContext(of)
      .toBe(passed);
    const again = quantizer.apply(x);
    expect([...(await valuesOf(again))].map(v => v + 0))
      .withContext(of)
      .toEqual(y.map(Math.fround));
    tf.dispose([x, grad, low, high, again]);
  }
  quantizer.dispose();
}

describe("tfmot's quantizers", () => {
  for (const name of Object.keys(OBSERVER_OF) as Trace['quantizer'][]) {
    const traces = quantizers.traces.filter(({quantizer}) => quantizer === name);
    it(`${name}: ${traces.length} traces, bit for bit`, async () => {
      expect(traces.length).toBeGreaterThan(10);
      for (const trace of traces) await replay(trace);
    });
  }
});

/** Config keys as Keras writes them. */
function pythonic(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(pythonic);
  const snake = (text: string) => text.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase();
  if (typeof value === 'string') return /^[a-z]/.test(value) ? snake(value) : value;
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [snake(key), pythonic(each)]));
}

function placedLayers(model: tfl.LayersModel): Record<string, unknown> {
  const layers = model.layers.filter(layer => layer.getClassName() !== 'InputLayer');
  return Object.fromEntries(
    layers.map(layer => {
      const {quantizeConfig, quantizer, layer: inner} = layer.getConfig() as Record<string, Json | undefined>;
      const activation = (inner?.['config'] as Json | undefined)?.['activation'];
      const variables = layer.weights.map(({originalName, shape}) => [originalName, shape]);
      const config = pythonic(quantizeConfig ?? quantizer);
      return [
        layer.name,
        {className: layer.getClassName(), config, activation: pythonic(activation), variables: variables.sort()},
      ];
    }),
  );
}

function expectedLayers(layers: readonly PlacedLayer[]): Record<string, unknown> {
  return Object.fromEntries(
    layers.map(({name, className, config, activation, variables}) => [
      name,
      {className, config, activation, variables: [...variables].sort()},
    ]),
  );
}

/** From Keras' config, less the fields of SeparableConv2D that tfjs does not take. */
function floatModel(config: Json): Promise<tfl.LayersModel> {
  const isForeign = (key: string, of: Json) =>
    key.startsWith('kernel_') && key !== 'kernel_size' && 'pointwise_initializer' in of;
  const cleaned = (value: unknown): unknown => {
    if (value === null || typeof value !== 'object') return value;
    if (Array.isArray(value)) return value.map(cleaned);
    const kept = Object.entries(value).filter(([key]) => !isForeign(key, value as Json));
    return Object.fromEntries(kept.map(([key, each]) => [key, cleaned(each)]));
  };
  return tfl.models.modelFromJSON(cleaned(config) as tfl.ModelAndWeightsConfig);
}

describe("tfmot's placement", () => {
  scoped();
  for (const [name, {float, layers, error}] of Object.entries(placement)) {
    it(`${name}: ${layers ? 'every quantizer and variable' : 'refused'}`, async () => {
      const model = await floatModel(float);
      if (!layers) {
        expect(error).toBeTruthy();
        expect(() => quantizeModel(model, {scheme: 'tfmot'})).toThrowError(/quantizeModel: /);
        return;
      }
      const q = quantizeModel(model, {scheme: 'tfmot'});
      expect(placedLayers(q)).toEqual(expectedLayers(layers));
    });
  }
});

async function convertedArtifacts(): Promise<tf.io.ModelArtifacts> {
  const {modelTopology, weightsManifest} = await readJson<tf.io.ModelJSON>('converted/model.json');
  const weightData = await readFile(`test/tfmot/converted/${weightsManifest[0]!.paths[0]!}`);
  return {modelTopology, weightSpecs: weightsManifest.flatMap(({weights}) => weights), weightData};
}

async function predicted(model: tfl.LayersModel, x: readonly number[], shape: number[]): Promise<Float32Array> {
  const y = tf.tidy(() => model.predict(tf.tensor([...x], shape)) as tf.Tensor);
  const values = await valuesOf(y);
  y.dispose();
  return values;
}

function worst(one: ArrayLike<number>, other: ArrayLike<number>): number {
  return Array.from(one).reduce((most, value, i) => Math.max(most, Math.abs(value - other[i]!)), 0);
}

describe('a model quantized by tfmot and converted', () => {
  scoped();
  const expected = readJson<{shape: number[]; x: number[]; predictions: number[]}>('converted/expected.json');

  it('loads, and predicts what Keras predicts', async () => {
    const {shape, x, predictions} = await expected;
    const model = await tfl.loadLayersModel(tf.io.fromMemory(await convertedArtifacts()));
    const difference = worst(await predicted(model, x, shape), predictions);
    expect(difference).toBeLessThan(1e-6);
    expect((await describeQuantization(model).read()).filter(({numBits}) => numBits === 8).length).toBeGreaterThan(10);
    const again = await tfl.loadLayersModel(tf.io.fromMemory(await artifactsOf(model)));
    expect(await predicted(again, x, shape)).toEqual(await predicted(model, x, shape));
    const names = (artifacts: tf.io.ModelArtifacts) => artifacts.weightSpecs!.map(({name}) => name).sort();
    expect(names(await artifactsOf(again))).toEqual(names(await convertedArtifacts()));
  });

  it("loads as well with the wrappers' names on the weights, as Keras writes models that it has loaded", async () => {
    const {shape, x, predictions} = await expected;
    const artifacts = await convertedArtifacts();
    const weightSpecs = artifacts.weightSpecs!.map(spec =>
      spec.name.startsWith('quant') ? spec : {...spec, name: `quant_${spec.name}`},
    );
    const model = await tfl.loadLayersModel(tf.io.fromMemory({...artifacts, weightSpecs}));
    expect(worst(await predicted(model, x, shape), predictions)).toBeLessThan(1e-6);
  });

  it('trains on', async () => {
    needsTraining();
    const {shape, x} = await expected;
    const model = await tfl.loadLayersModel(tf.io.fromMemory(await convertedArtifacts()));
    const inputs = tf.tensor(x, shape);
    const labels = tf.tidy(() => tf.oneHot(tf.range(0, shape[0]!, 1, 'int32').mod(10).toInt(), 10).toFloat());
    model.compile({optimizer: tf.train.sgd(0.05), loss: 'categoricalCrossentropy'});
    const {history} = await model.fit(inputs, labels, {epochs: 8, shuffle: false});
    expect(history['loss']![7] as number).toBeLessThan(history['loss']![0] as number);
    model.optimizer.dispose();
  });
});

describe("tfmot's training", () => {
  scoped();

  function setState(model: tfl.LayersModel, state: Readonly<Record<string, number[]>>): void {
    const values = Object.fromEntries(
      training.variables.map(({name, shape}) => [
        name,
        tf.tensor(state[name]!, shape, name.endsWith('optimizer_step') ? 'int32' : 'float32'),
      ]),
    );
    model.loadWeights(values);
    tf.dispose(values);
  }

  async function stateOf(model: tfl.LayersModel): Promise<Record<string, ArrayLike<number>>> {
    const entries = model.weights.map(async weight => [weight.originalName, await weight.read().data()] as const);
    return Object.fromEntries(await Promise.all(entries));
  }

  it('of a Sequential that Keras wrote, with any of its states, predicts the same', async () => {
    const model = await floatModel(training.quantized);
    const shape = [training.probe.length / 64, 8, 8, 1];
    for (const i of [1, 5]) {
      setState(model, training.states[i]!);
      expect(worst(await predicted(model, training.probe, shape), training.predictions[i]!)).toBeLessThan(1e-6);
    }
    expect((await describeQuantization(model).read()).filter(({what}) => what === 'depthwiseKernel').length).toBe(1);
  });

  it('five steps, each from its state: loss, ranges and weights after each', async () => {
    needsTraining();
    const model = quantizeModel(await floatModel(training.float), {scheme: 'tfmot'});
    const optimizer = tf.train.sgd(training.learningRate);
    model.compile({optimizer, loss: 'categoricalCrossentropy'});
    let difference = 0;
    for (const [i, {x, labels}] of training.batches.entries()) {
      setState(model, training.states[i]!);
      const probe = await predicted(model, training.probe, [training.probe.length / 64, 8, 8, 1]);
      if (i > 0) difference = Math.max(difference, worst(probe, training.predictions[i]!));
      const inputs = tf.tensor(x, [labels.length, 8, 8, 1]);
      const targets = tf.oneHot(tf.tensor1d(labels, 'int32'), 10).toFloat();
      const loss = (await model.trainOnBatch(inputs, targets)) as number;
      difference = Math.max(difference, Math.abs(loss - training.losses[i]!));
      const state = await stateOf(model);
      for (const [name, values] of Object.entries(training.states[i + 1]!)) {
        const off = worst(state[name]!, values);
        expect(off).withContext(`${name} after step ${i}`).toBeLessThan(1e-4);
        difference = Math.max(difference, off);
      }
      tf.dispose([inputs, targets]);
    }
    setSpecProperty('difference', difference);
    expect(difference).toBeLessThan(1e-4);
    expect(difference).toBeGreaterThan(0);
    optimizer.dispose();
  });
});
