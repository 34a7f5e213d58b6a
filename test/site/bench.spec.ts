/** The bench as the page asks it, on the example and on made models. */
import {unzipSync} from 'fflate';
import {readFile} from 'node:fs/promises';
import {Bench} from '../../site/quantize/worker/bench';
import type {CurvePoint, GivenFile, Settings} from '../../site/quantize/worker/contract';
import {teachableMachineProject} from './teachable_machine';
import {calibrate, quantizeModel} from '../../src/entries/qat';
import * as tf from '../../src/entries/tf';

const SITE = new URL('http://site.test/');

const FOLDER = 'site/public/examples/digits/';

const SETTINGS: Settings = {
  weights: 8,
  activations: 8,
  keepEnds8bit: false,
  layers: {},
  method: 'mse',
  reestimateBatchNorm: false,
};

const DIGITS = Array.from({length: 10}, (_, i) => String(i));

const nothing = () => undefined;

/** What the host of the site answers. */
async function answer(input: URL | RequestInfo): Promise<Response> {
  const {pathname} = new URL(input as URL);
  if (pathname === '/page/model.json') return new Response('<html>', {headers: {'content-type': 'text/html'}});
  try {
    return new Response(await readFile(`site/public${pathname}`));
  } catch {
    return new Response('', {status: 404});
  }
}

const fileOf = async (name: string): Promise<GivenFile> => ({
  path: name,
  data: new Blob([await readFile(FOLDER + name)]),
});

describe('The bench', () => {
  let bench: Bench;

  beforeEach(() => {
    spyOn(globalThis, 'fetch').and.callFake(answer);
    bench = new Bench(SITE);
  });

  afterEach(() => {
    bench.dispose();
  });

  async function openDigits() {
    const model = await bench.openModel({kind: 'example', name: 'digits'}, nothing);
    return {model, samples: await bench.openSamples({kind: 'example'}, nothing)};
  }

  it('describes the example and its samples', async () => {
    const {model, samples} = await openDigits();
    expect(model.layers.map(({name, hasWeights}) => `${name}${hasWeights ? '*' : ''}`).join(' ')).toBe(
      'conv* depthwise* norm relu down* pool flat hidden* classes*',
    );
    expect(model.layers.filter(({float}) => float)).toEqual([]);
    expect(model.labels).toEqual(DIGITS);
    expect(samples.count).toBe(360);
    expect(samples.classes!.reduce((sum, {count}) => sum + count, 0)).toBe(360);
    expect(samples.values).toEqual(jasmine.objectContaining({min: 0, max: 1}));
  });

  it('quantizes, teaches, trains and writes, and keeps no tensor of it', async () => {
    await openDigits();
    const scores = await bench.quantize({...SETTINGS, weights: 3, activations: 4}, nothing);
    expect(scores.confusion!.flat().reduce((sum, count) => sum + count, 0)).toBe(69);
    expect(scores.accuracy!.float).toBeGreaterThan(0.85);
    const {numTensors} = tf.memory();
    const points: CurvePoint[] = [];
    const taught = await bench.improve({kind: 'distil', steps: 30}, point => points.push(point));
    expect(taught.divergence).toBeLessThan(scores.divergence);
    expect(points.at(-1)!.step).toBe(30);
    points.length = 0;
    await bench.improve({kind: 'train', epochs: 1, learningRate: 1e-3}, point => points.push(point));
    expect(points.filter(({accuracy}) => accuracy !== undefined).length).toBe(1);
    const report = await bench.analyze(nothing);
    expect(report.map(({layer}) => layer)).toEqual(
      jasmine.arrayContaining(['conv', 'depthwise', 'down', 'hidden', 'classes']),
    );
    const {counts} = await bench.histogram('conv', 'kernel');
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(72);
    for (const kind of ['tflite', 'tflite-int8', 'onnx', 'tfjs', 'cpp', 'arduino', 'integers'] as const) {
      expect((await bench.write(kind, nothing)).data.size)
        .withContext(kind)
        .toBeGreaterThan(1000);
    }
    const run = await bench.runSamples(3);
    expect([run.inputs.length, run.quantized.length, run.float.length]).toEqual([3 * 64, 30, 30]);
    await bench.quantize({...SETTINGS, weights: 4}, nothing);
    await bench.suggestWidths(4, SETTINGS, nothing);
    expect(tf.memory().numTensors).toBe(numTensors);
  });

  it('writes sketches that lie in a folder of their name, and models that load', async () => {
    await openDigits();
    await bench.quantize(SETTINGS, nothing);
    const {data, name, note} = await bench.write('arduino', nothing);
    expect(name).toBe('digits_arduino.zip');
    expect(note).toMatch(/Needs \d+ bytes of RAM/);
    const files = Object.keys(unzipSync(new Uint8Array(await data.arrayBuffer())));
    expect(files).toContain('digits/digits.ino');
    const small = unzipSync(new Uint8Array(await (await bench.write('tfjs', nothing)).data.arrayBuffer()));
    const again = Object.entries(small).map(([path, bytes]) => ({path, data: new Blob([bytes])}));
    expect((await bench.openModel({kind: 'files', files: again}, nothing)).labels).toEqual(DIGITS);
  });

  it('leaves all as it was where something is cancelled or fails', async () => {
    await openDigits();
    await bench.quantize({...SETTINGS, weights: 4}, nothing);
    const before = await bench.write('tflite', nothing);
    // Which forgets what the prediction before it kept.
    await bench.analyze(nothing);
    const {numTensors} = tf.memory();
    const cancelled = jasmine.objectContaining({name: 'AbortError'});
    const cancel = () => bench.cancel();
    await expectAsync(bench.improve({kind: 'distil', steps: 50}, ({step}) => step > 2 && cancel())).toBeRejectedWith(
      cancelled,
    );
    await expectAsync(
      bench.improve({kind: 'train', epochs: 5, learningRate: 1e-3}, ({step}) => step > 2 && cancel()),
    ).toBeRejectedWith(cancelled);
    await expectAsync(bench.quantize({...SETTINGS, weights: 2}, cancel)).toBeRejectedWith(cancelled);
    await expectAsync(bench.analyze(cancel)).toBeRejectedWith(cancelled);
    await expectAsync(bench.suggestWidths(4, SETTINGS, cancel)).toBeRejectedWith(cancelled);
    const broken = {path: 'm.zip', data: new Blob(['nonsense'])};
    await expectAsync(bench.openModel({kind: 'files', files: [broken]}, nothing)).toBeRejectedWithError(/m\.zip/);
    await expectAsync(bench.openSamples({kind: 'files', files: [broken]}, nothing)).toBeRejectedWithError(/m\.zip/);
    const after = await bench.write('tflite', nothing);
    expect(Buffer.from(await after.data.arrayBuffer()).equals(Buffer.from(await before.data.arrayBuffer()))).toBeTrue();
    await bench.analyze(nothing);
    expect(tf.memory().numTensors).toBe(numTensors);
  });

  it('does one thing after the other, and cancels what waits', async () => {
    await openDigits();
    const all = [bench.quantize(SETTINGS, nothing), bench.runSamples(1), bench.histogram('conv', 'kernel')];
    expect((await Promise.allSettled(all)).map(({status}) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
    const more = [bench.runSamples(1), bench.runSamples(1)];
    bench.cancel();
    expect((await Promise.allSettled(more)).map(({status}) => status)).toEqual(['rejected', 'rejected']);
    expect((await bench.runSamples(1)).inputs.length).toBe(64);
  });

  it('says in words what is missing', async () => {
    await expectAsync(bench.openSamples({kind: 'example'}, nothing)).toBeRejectedWithError(/no model yet/);
    await bench.openModel(
      {kind: 'files', files: await Promise.all(['model.json', 'weights.bin'].map(fileOf))},
      nothing,
    );
    await expectAsync(bench.quantize(SETTINGS, nothing)).toBeRejectedWithError(/no samples yet/);
    const {warnings} = await bench.openSamples({kind: 'noise', count: 40}, nothing);
    expect(warnings).toEqual([jasmine.stringMatching(/random numbers/)]);
    await expectAsync(bench.runSamples(1)).toBeRejectedWithError(/no quantized model/);
    const {notes, accuracy} = await bench.quantize(SETTINGS, nothing);
    expect(accuracy).toBeUndefined();
    expect(notes).toEqual([]);
    const training = bench.improve({kind: 'train', epochs: 1, learningRate: 1e-3}, nothing);
    await expectAsync(training).toBeRejectedWithError(/needs a class for each sample/);
    const standard = {kind: 'standard', mean: [1, 2], deviation: [1]} as const;
    await expectAsync(bench.setScaling(standard, false)).toBeRejectedWithError(/one number/);
    for (const [url, message] of [
      ['http://site.test/none/', /answers 404/],
      ['http://site.test/page/', /is a web page/],
    ] as const) {
      await expectAsync(bench.openModel({kind: 'url', url}, nothing)).toBeRejectedWithError(message);
    }
  });

  it('takes what Teachable Machine gives, whole', async () => {
    const {zip} = await teachableMachineProject({side: 32, perClass: 4});
    const info = await bench.openModel(
      {kind: 'files', files: [{path: 'converted.zip', data: new Blob([zip])}]},
      nothing,
    );
    expect(info.kind).toBe('Teachable Machine image model');
    expect(info.labels).toEqual(['Red things', 'Green things', 'Blue things']);
    expect(info.scaling!.scaling.kind).toBe('symmetric');
    expect(info.layers.filter(({float}) => float)).toEqual([]);
    expect((await bench.openSamples({kind: 'noise', count: 16}, nothing)).values.min).toBe(-1);
    await bench.quantize(SETTINGS, nothing);
    expect((await bench.write('tflite-int8', nothing)).name).toBe('tm_my_image_model_int8.tflite');
  });

  const opened = async (model: tf.LayersModel) => {
    const files = await filesOf(model);
    model.dispose();
    return bench.openModel({kind: 'files', files}, nothing);
  };

  it('writes a model of open sizes with those of its samples, and keeps it', async () => {
    await opened(
      tf.sequential({
        layers: [
          tf.layers.conv2d({inputShape: [null, null, 3], filters: 2, kernelSize: 3}),
          tf.layers.globalMaxPooling2d({}),
        ],
      }),
    );
    await bench.openSamples({kind: 'noise', count: 2}, nothing);
    await bench.quantize(SETTINGS, nothing);
    const {numTensors} = tf.memory();
    for (const kind of ['tflite', 'tflite-int8', 'onnx', 'onnx-float32', 'cpp'] as const)
      expect((await bench.write(kind, nothing)).note)
        .withContext(kind)
        .toMatch(/224x224x3/);
    expect(tf.memory().numTensors).toBe(numTensors);
  });

  it('says where nothing can be quantized, and takes numbers for no classes', async () => {
    const dense = () => tf.sequential({layers: [tf.layers.dense({inputShape: [2], units: 1, name: 'dense'})]});
    await opened(dense());
    await bench.openSamples({kind: 'noise', count: 4}, nothing);
    const {confusion} = await bench.quantize(SETTINGS, nothing);
    expect(confusion).withContext('of a regression').toBeUndefined();
    const allFloat = {...SETTINGS, layers: {dense: {isFloat: true}}};
    await expectAsync(bench.quantize(allFloat, nothing)).toBeRejectedWithError(/All layers stay float/);
    await expectAsync(opened(tf.sequential({layers: [tf.layers.flatten({inputShape: [2, 2]})]}))).toBeRejectedWithError(
      /no layer that can be quantized/,
    );
    const float = dense();
    const topology = {
      path: 'model.json',
      data: new Blob([JSON.stringify({modelTopology: float.toJSON(null, false)})]),
    };
    await expectAsync(bench.openModel({kind: 'files', files: [topology]}, nothing)).toBeRejectedWithError(
      /without weights/,
    );
    float.dispose();
  });

  it('takes a model that is quantized, with its own ranges', async () => {
    const model = tf.sequential({
      layers: [
        tf.layers.dense({units: 8, inputShape: [4], activation: 'relu', name: 'first'}),
        tf.layers.dense({units: 3, activation: 'softmax'}),
      ],
    });
    const q = quantizeModel(model, {ranges: {first: [0, 7]}});
    const x = tf.randomUniform([64, 4], -1, 1);
    await calibrate(q, x);
    const files = await filesOf(q);
    for (const each of [model, q, x]) each.dispose();
    const info = await bench.openModel({kind: 'files', files}, nothing);
    expect(info.isQuantized).toBeTrue();
    await bench.openSamples({kind: 'noise', count: 64}, nothing);
    expect((await bench.quantize(SETTINGS, nothing)).sameClass).toBeGreaterThan(0.7);
    const rows = (await bench.analyze(nothing)).flatMap(({tensors}) => tensors.map(({max}) => max ?? 0));
    expect(Math.max(...rows)).toBeCloseTo(7, 0);
  });

  it('takes rows, several inputs, integers and two classes of one output', async () => {
    const model = twoInputs();
    const files = await filesOf(model);
    model.dispose();
    const info = await bench.openModel({kind: 'files', files}, nothing);
    expect(info.inputs.map(({name}) => name)).toEqual(['words', 'length']);
    const rows = [...Array(40).keys()].map(i => `${i % 7},${(i + 1) % 7},${i % 3},${i / 40},${i % 2 ? 'yes' : 'no'}`);
    const csv = {path: 't.csv', data: new Blob([`a,b,c,d,kind\n${rows.join('\n')}\n`])};
    const samples = await bench.openSamples({kind: 'files', files: [csv], labelColumn: 'kind'}, nothing);
    expect(samples.classes!.map(({count}) => count)).toEqual([20, 20]);
    const scores = await bench.quantize(SETTINGS, nothing);
    expect(scores.confusion!.length).toBe(2);
    await bench.improve({kind: 'train', epochs: 1, learningRate: 1e-2}, nothing);
    expect((await bench.write('tflite', nothing)).data.size).toBeGreaterThan(500);
    await expectAsync(bench.runSamples(1)).toBeRejectedWithError(/several inputs/);
    await bench.openSamples({kind: 'noise', count: 10}, nothing);
    await bench.quantize(SETTINGS, nothing);
  });
});

function twoInputs(): tf.LayersModel {
  const words = tf.input({shape: [3], dtype: 'int32', name: 'words'});
  const length = tf.input({shape: [1], name: 'length'});
  const looked = tf.layers.embedding({inputDim: 7, outputDim: 4}).apply(words) as tf.SymbolicTensor;
  const flat = tf.layers.flatten().apply(looked) as tf.SymbolicTensor;
  const both = tf.layers.concatenate().apply([flat, length]) as tf.SymbolicTensor;
  const outputs = tf.layers.dense({units: 1, activation: 'sigmoid'}).apply(both) as tf.SymbolicTensor;
  return tf.model({inputs: [words, length], outputs, name: 'two'});
}

async function filesOf(model: tf.LayersModel): Promise<GivenFile[]> {
  let files: GivenFile[] = [];
  await model.save(
    tf.io.withSaveHandler(({modelTopology, weightSpecs = [], weightData}) => {
      const json = {modelTopology, weightsManifest: [{paths: ['w.bin'], weights: weightSpecs}]};
      files = [
        {path: 'two.json', data: new Blob([JSON.stringify(json)])},
        {path: 'w.bin', data: new Blob([weightData as ArrayBuffer])},
      ];
      return Promise.resolve({modelArtifactsInfo: {dateSaved: new Date(), modelTopologyType: 'JSON'}});
    }),
  );
  return files;
}
