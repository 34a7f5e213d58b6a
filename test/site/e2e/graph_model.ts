/** A graph model with samples of numpy: every kind of file that is made of it is what it says. */
import {unzipSync} from 'fflate';
import * as tf from '../../../src/entries/tf';
import {GraphBuilder, ints, text} from '../../import/graphs';
import {run as runOnnx} from '../../onnx/runtimes';
import {run} from '../../tflite/runtimes';
import {npyOf} from './npy';
import {expectGoodState} from './states';
import {BITS, MODEL, RUN, SAMPLES, SEE} from './steps';
import {type Files, Visitor} from './visitor';

const SAMPLE = [8, 8, 2] as const;
const COUNT = 40;
const CLASSES = 4;

/** A convolutional network as the converter writes it. */
function network(): tf.io.ModelArtifacts {
  const graph = new GraphBuilder();
  const convolved = (x: string, from: number, to: number, stride: number) => {
    const y = graph.op('Conv2D', [x, graph.random([3, 3, from, to])], {
      strides: ints(1, stride, stride, 1),
      dilations: ints(1, 1, 1, 1),
      padding: text('SAME'),
      data_format: text('NHWC'),
    });
    return graph.op('Relu', [graph.op('BiasAdd', [y, graph.random([to])])]);
  };
  const features = convolved(convolved(graph.input('x', [null, ...SAMPLE]), 2, 8, 1), 8, 16, 2);
  const pooled = graph.op('Mean', [features, graph.ints(1, 2)]);
  const scores = graph.op('BiasAdd', [
    graph.op('MatMul', [pooled, graph.random([16, CLASSES])]),
    graph.random([CLASSES]),
  ]);
  graph.op('Softmax', [scores], {}, 'probabilities');
  return graph.artifacts();
}

function filesOf({weightData, weightSpecs, ...json}: tf.io.ModelArtifacts): Files {
  const weightsManifest = [{paths: ['group1-shard1of1.bin'], weights: weightSpecs}];
  return {
    'model.json': Buffer.from(JSON.stringify({...json, weightsManifest})),
    'group1-shard1of1.bin': new Uint8Array(weightData as ArrayBuffer),
  };
}

interface Integers {
  readonly weights: readonly {readonly shape: readonly number[]; readonly levels: readonly number[]}[];
}

const flat = (rows: readonly Float32Array[]) => rows.flatMap(row => [...row]);
const classesOf = (rows: readonly Float32Array[]) => rows.map(row => row.indexOf(Math.max(...row)));
const alike = (a: readonly Float32Array[], b: readonly Float32Array[]) =>
  classesOf(a).filter((each, i) => each === classesOf(b)[i]).length;
const difference = (a: readonly Float32Array[], b: readonly Float32Array[]) =>
  Math.max(...flat(a).map((each, i) => Math.abs(each - flat(b)[i]!)));

export function graphModel(): void {
  describe('for a graph model', () => {
    let visitor: Visitor;
    let inputs: Float32Array[];
    let float: Float32Array[];
    let inFile: Float32Array[];
    let shown: number;

    const download = async (title: string) => (await visitor.download(() => visitor.press(`Download ${title}`))).data;

    const inLiteRt = async (file: Uint8Array) => {
      const outputs = await run(
        file,
        'reference',
        inputs.map(input => [input]),
      );
      return outputs.map(([row]) => row as Float32Array);
    };

    const inTfjs = async (model: tf.GraphModel | tf.LayersModel) => {
      const rows = inputs.map(input =>
        tf.tidy(() => (model.predict(tf.tensor(input, [1, ...SAMPLE])) as tf.Tensor).dataSync<'float32'>().slice()),
      );
      model.dispose();
      return Promise.resolve(rows);
    };

    const inOnnxruntime = async (file: Uint8Array) => {
      const x = tf.tensor(flat(inputs), [COUNT, ...SAMPLE]);
      const [output] = await runOnnx(file, 'onnxruntime', [x]);
      x.dispose();
      return inputs.map((_, i) => (output!.values as Float32Array).slice(i * CLASSES, (i + 1) * CLASSES));
    };

    beforeAll(async () => {
      const artifacts = network();
      const all = tf.tidy(() =>
        tf
          .randomNormal([COUNT, ...SAMPLE], 0, 1, 'float32', 7)
          .dataSync<'float32'>()
          .slice(),
      );
      const size = all.length / COUNT;
      inputs = Array.from({length: COUNT}, (_, i) => all.slice(i * size, (i + 1) * size));
      float = await inTfjs(await tf.loadGraphModel(tf.io.fromMemory(artifacts)));
      visitor = await Visitor.come();
      await visitor.fill('Computes with', 'cpu');
      await visitor.choose(filesOf(artifacts), MODEL);
      await visitor.sees(/graph model/, MODEL);
      await visitor.choose({'samples.npy': npyOf(all, [COUNT, ...SAMPLE])}, SAMPLES);
      await visitor.sees(/40 samples/, SAMPLES);
    });
    afterAll(() => visitor.leave());

    it('shows what LiteRT finds in its file', async () => {
      await visitor.pick('Weights', '3 bits');
      await visitor.press('Quantize', BITS);
      const text = await visitor.sees(/the same class as the float model\s+\d+ of 40/, SEE);
      shown = Number(/(\d+) of/.exec(text)![1]);
      inFile = await inLiteRt(await download('.tflite, integers'));
      expect(alike(inFile, float)).toBe(shown);
      // Else nothing would be told by it.
      expect(shown).toBeLessThan(COUNT);
      await visitor.press('Run the file');
      const row = await visitor.sees(/Same class as the float model\s+\d+\s+\d+/, RUN);
      expect(row.match(/\d+/g)!.map(Number)).toEqual([shown, shown]);
    });

    it('gives files that runtimes agree on', async () => {
      expect(difference(await inOnnxruntime(await download('ONNX, integers')), inFile)).toBeLessThan(0.05);
      expect(difference(await inOnnxruntime(await download('ONNX, float32')), float)).toBeLessThan(1e-5);
      expect(difference(await inLiteRt(await download('.tflite, float32')), float)).toBeLessThan(1e-5);
      expect(difference(await inLiteRt(await download('.tflite, weights of 8 bits')), float)).toBeLessThan(0.05);
    });

    it('gives a small model that tfjs loads', async () => {
      const files = unzipSync(await download('Small tfjs model'));
      const json = JSON.parse(new TextDecoder().decode(files['model.json'])) as tf.io.ModelJSON;
      const artifacts = await tf.io.getModelArtifactsForJSON(json, manifest =>
        Promise.resolve([tf.io.getWeightSpecs(manifest), files['weights.bin']!.slice().buffer]),
      );
      const rows = await inTfjs(await tf.loadLayersModel(tf.io.fromMemory(artifacts)));
      expect(difference(rows, inFile)).toBeLessThan(0.1);
      // Its weights are the rounded ones.
      expect(difference(rows, float)).toBeGreaterThan(0.2);
    });

    it('gives sources for microcontrollers, and integers', async () => {
      const file = await download('.tflite, integers in and out');
      for (const [title, names] of [
        ['Arduino sketch', ['model1.ino', 'model1_model.cpp', 'model1_model.h']],
        ['C++', ['model1_model.cpp', 'model1_model.h']],
      ] as const) {
        const files = unzipSync(await download(title));
        expect(Object.keys(files).sort()).toEqual(names.map(each => `model1/${each}`));
        const source = new TextDecoder().decode(files['model1/model1_model.cpp']);
        const [, numbers = ''] = /model\[\] = \{([^}]*)\}/.exec(source) ?? [];
        const bytes = Uint8Array.from(numbers.match(/\w+/g) ?? [], Number);
        expect(bytes).withContext(title).toEqual(Uint8Array.from(file));
      }
      const {weights} = JSON.parse(Buffer.from(await download('Raw integers, JSON')).toString()) as Integers;
      const kernel = weights.find(({shape}) => shape.join() === '3,3,2,8')!;
      expect(new Set(kernel.levels)).toEqual(new Set([-3, -2, -1, 0, 1, 2, 3]));
      expect(kernel.levels.length).toBe(3 * 3 * 2 * 8);
    });

    it('tells how large all files are', async () => {
      await visitor.press('Write all, and compare their sizes');
      await visitor.sees(/All files are written/, '.spoken');
      await expectGoodState(visitor, 'all files');
    });
  });
}
