/** Graph segments between layers that are computed in integers, or in float as they are. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {calibrate, describeQuantization, quantizeModel} from '../../src/entries/qat';
import {toTFLite} from '../../src/entries/tflite';
import type {GraphSegment} from '../../src/graph_model/segment';
import {scoped} from '../support/scoped';
import {parse, run, type Runtime, stopRuntimes} from './runtimes';
import {Nodes, sample} from './segments';

afterAll(stopRuntimes);

const {layers} = tfl;
type Symbolic = tfl.SymbolicTensor;
type Dtype = 'float32' | 'int32';

const RUNTIMES: readonly Runtime[] = ['builtin', 'xnnpack', 'litert.js'];

const noise = (shape: readonly number[], shift = 0) => sample(shape, 'float32', i => Math.sin(7 * i + shift));

function call(layer: tfl.layers.Layer, ...inputs: Symbolic[]): Symbolic {
  return layer.apply(inputs.length === 1 ? inputs[0]! : inputs) as Symbolic;
}

function callMany(layer: GraphSegment, ...inputs: Symbolic[]): Symbolic[] {
  return [layer.apply(inputs.length === 1 ? inputs[0]! : inputs)].flat() as Symbolic[];
}

/** A segment on values of some shapes. */
function segmentOf(
  name: string,
  shapes: readonly (readonly number[])[],
  build: (graph: Nodes) => string | readonly string[],
  dtypes: readonly Dtype[] = shapes.map(() => 'float32' as const),
): GraphSegment {
  const graph = new Nodes();
  const built = build(graph);
  const outputs = typeof built === 'string' ? [built] : built;
  const names = shapes.map((_, i) => `x${i}`);
  const samples = shapes.map((shape, i) => tf.zeros([...shape], dtypes[i]));
  const segment = graph.segment(name, names, outputs, samples);
  tf.dispose(samples);
  return segment;
}

/** Adds 0.3, and takes every second column. */
const shifted = (name: string, shape: readonly number[]) =>
  segmentOf(name, [shape], graph =>
    graph.add(
      'StridedSlice',
      [
        graph.add('AddV2', ['x0', graph.floats(0.3)]),
        graph.ints([0, 0, 0]),
        graph.ints([1, 8, 8]),
        graph.ints([1, 1, 2]),
      ],
      {begin_mask: 7, end_mask: 7},
    ),
  );

const image = () => tfl.input({batchShape: [1, 8, 8, 3], name: 'image'});
const conv = (name: string, activation: 'linear' | 'relu' | 'sigmoid' = 'relu') =>
  layers.conv2d({filters: 4, kernelSize: 3, padding: 'same', activation, name});

interface Run {
  readonly q: tfl.LayersModel;
  readonly bytes: Uint8Array;
  readonly notes: Readonly<Record<string, string>>;
}

/** A model quantized and written; it and its copy are freed afterwards. */
async function written(
  outputs: Symbolic | Symbolic[],
  inputs: Symbolic[],
  x: tf.Tensor[],
  check: (run: Run) => Promise<void>,
  options: Parameters<typeof quantizeModel>[1] = {},
): Promise<void> {
  const model = tfl.model({inputs, outputs});
  const q = quantizeModel(model, options);
  try {
    await calibrate(q, x.length === 1 ? x[0]! : [x]);
    const rows = await describeQuantization(q).read();
    const notes = Object.fromEntries(
      rows.map(row => [`${row.layer} ${row.what}`, row.numBits ? `${row.numBits}` : row.note]),
    );
    await check({q, bytes: await toTFLite(q), notes});
  } finally {
    q.dispose();
    model.dispose();
  }
}

/** How far the outputs of a file are from the model's, at most, in each runtime. */
async function distances({q, bytes}: Run, x: readonly tf.Tensor[]): Promise<number[][]> {
  const expected = [q.predict(x.length === 1 ? x[0]! : [...x])].flat();
  const found: number[][] = [];
  for (const runtime of RUNTIMES) {
    const [got] = await run(bytes, runtime, [x.map(each => each.dataSync<'float32'>())]);
    found.push(
      expected.map((y, i) => {
        const values = Array.from(y.dataSync());
        expect(got![i]!.length).toBe(values.length);
        return values.reduce((most, value, n) => Math.max(most, Math.abs(value - got![i]![n]!)), 0);
      }),
    );
  }
  return found;
}

async function expectNear(made: Run, x: readonly tf.Tensor[], most: readonly number[]): Promise<void> {
  for (const [i, each] of (await distances(made, x)).entries()) {
    each.forEach((distance, output) => {
      expect(distance).withContext(`${RUNTIMES[i]!}, output ${output}`).toBeLessThanOrEqual(most[output]!);
    });
  }
}

const namesIn = async (bytes: Uint8Array) => (await parse(bytes)).operators.map(({name}) => name);

describe('A graph segment in a model', () => {
  scoped();

  it('is given what layers round, and rounded on the way to others', async () => {
    const x = image();
    const y = call(shifted('segment', [1, 8, 8, 4]), call(conv('first'), x));
    const out = call(conv('last', 'linear'), y);
    await written(out, [x], [noise([1, 8, 8, 3])], async made => {
      expect(made.notes['first output']).toBe('8');
      expect(made.notes['segment output']).toMatch(/^not rounded: computed in float: TensorFlow's operations/);
      expect(made.notes['segment_quantized output']).toBe('8');
      const {operators, tensors} = await parse(made.bytes);
      expect(operators.map(({name}) => name)).toEqual([
        'QUANTIZE',
        'CONV_2D',
        'DEQUANTIZE',
        'ADD',
        'STRIDED_SLICE',
        'QUANTIZE',
        'CONV_2D',
        'DEQUANTIZE',
      ]);
      const [scale] = tensors[operators.at(-1)!.inputs[0]!]!.scale as [number];
      await expectNear(made, [noise([1, 8, 8, 3], 1)], [3 * scale]);
    });
  });

  it('has the inputs as they are, whoever else rounds them', async () => {
    const x = image();
    const [y] = callMany(shifted('segment', [1, 8, 8, 3]), x);
    const other = call(layers.globalAveragePooling2d({dataFormat: 'channelsLast'}), call(conv('conv'), x));
    await written([y!, other], [x], [noise([1, 8, 8, 3])], async made => {
      expect(made.notes['image_quantized output']).toBe('8');
      await expectNear(made, [noise([1, 8, 8, 3], 1)], [1e-6, 0.05]);
    });
  });

  it('has whole numbers as they are, and gives such', async () => {
    const x = tfl.input({batchShape: [1, 8], dtype: 'int32', name: 'numbers'});
    const segment = segmentOf(
      'segment',
      [[1, 8]],
      graph => [graph.add('FloorMod', ['x0', graph.ints(5)]), graph.add('Cast', ['x0'], {DstT: {type: 'DT_FLOAT'}})],
      ['int32'],
    );
    const [rest, float] = callMany(segment, x);
    const dense = call(layers.dense({units: 3, name: 'dense'}), float!);
    const numbers = sample([1, 8], 'int32', i => 3 * i - 9);
    await written([rest!, dense], [x], [numbers], async made => {
      const {tensors, operators} = await parse(made.bytes);
      expect(tensors[0]!.type).toBe('INT32');
      expect(operators.map(({name}) => name)).toContain('FLOOR_MOD');
      await expectNear(made, [numbers], [0, 0.2]);
      const inInt8 = await toTFLite(made.q, {outputType: 'int8', inputType: 'int8'});
      expect((await parse(inInt8)).tensors[0]!.type).toBe('INT32');
    });
  });

  it('is given sigmoids on the grid that runtimes have them on', async () => {
    const x = image();
    const y = call(shifted('segment', [1, 8, 8, 4]), call(conv('conv', 'sigmoid'), x));
    await written(y, [x], [noise([1, 8, 8, 3])], async made => {
      expect(made.notes['conv output']).toBe('8');
      await expectNear(made, [noise([1, 8, 8, 3], 1)], [1 / 256 + 1e-6]);
    });
  });

  it('has layers without kernels computed in float, between it and others, and before it', async () => {
    const x = image();
    const [first] = callMany(
      shifted('one', [1, 8, 8, 3]),
      call(layers.rescaling({scale: 0.5, offset: -0.1, name: 'rescaling'}), x),
    );
    const norm = call(layers.batchNormalization({name: 'norm', gammaInitializer: 'randomNormal'}), first!);
    const parts = [
      call(layers.activation({activation: 'sigmoid', name: 'sigmoid'}), norm),
      call(layers.reLU({maxValue: 0.5, name: 'relu'}), norm),
      call(layers.leakyReLU({alpha: 0.1, name: 'leaky'}), norm),
      call(layers.prelu({name: 'prelu', alphaInitializer: 'ones'}), norm),
      call(layers.elu({name: 'elu'}), norm),
      call(layers.activation({activation: 'hardSigmoid', name: 'hard'}), norm),
      call(layers.activation({activation: 'swish', name: 'swish'}), norm),
      call(layers.activation({activation: 'tanh', name: 'tanh'}), norm),
    ];
    const sums = [
      layers.add({name: 'add'}),
      layers.multiply({name: 'multiply'}),
      layers.maximum({name: 'max'}),
      layers.minimum({name: 'min'}),
    ];
    const all = call(
      layers.concatenate({name: 'concat'}),
      ...parts,
      ...sums.map(layer => call(layer, parts[0]!, parts[1]!)),
    );
    const pooled = call(
      layers.averagePooling2d({poolSize: 2, name: 'average'}),
      call(layers.zeroPadding2d({padding: 1, name: 'pad'}), all),
    );
    const most = call(
      layers.maxPooling2d({poolSize: 2, strides: 1, padding: 'same', name: 'most'}),
      call(layers.upSampling2d({size: [2, 2], interpolation: 'bilinear', name: 'up'}), pooled),
    );
    const turned = call(layers.permute({dims: [3, 1, 2], name: 'permute'}), most);
    const flat = call(layers.reshape({targetShape: [-1], name: 'flat'}), turned);
    const mean = call(layers.globalAveragePooling2d({dataFormat: 'channelsLast', name: 'mean'}), most);
    const size = flat.shape[1]!;
    const end = segmentOf(
      'end',
      [
        [1, size],
        [1, mean.shape[1]!],
      ],
      graph => ['Square', 'Neg'].map((op, i) => graph.add(op, [`x${i}`])),
    );
    const outputs = callMany(end, flat, mean);
    const dense = call(layers.dense({units: 2, name: 'dense'}), mean);
    await written([...outputs, dense], [x], [noise([1, 8, 8, 3])], async made => {
      for (const name of ['rescaling', 'norm', 'sigmoid', 'swish', 'concat', 'average', 'mean']) {
        expect(made.notes[`${name} output`])
          .withContext(name)
          .toMatch(/^not rounded: computed in float, as the segments/);
      }
      expect(made.notes['mean_quantized output']).toBe('8');
      expect((await namesIn(made.bytes)).filter(name => /QUANTIZE/.test(name))).toEqual(['QUANTIZE', 'DEQUANTIZE']);
      await expectNear(made, [noise([1, 8, 8, 3], 1)], [1e-5, 1e-5, 0.1]);
    });
  });

  it('gives the numbers of rows', async () => {
    const x = tfl.input({batchShape: [1, 6], name: 'x'});
    const [places] = callMany(
      segmentOf('segment', [[1, 6]], graph => `${graph.add('TopKV2', ['x0', graph.ints(3)])}:1`),
      x,
    );
    const rows = call(layers.embedding({inputDim: 6, outputDim: 4, name: 'rows'}), places!);
    const y = call(layers.dense({units: 2, name: 'dense'}), call(layers.flatten(), rows));
    await written(y, [x], [noise([1, 6])], async made => {
      expect(await namesIn(made.bytes)).toContain('GATHER');
      await expectNear(made, [noise([1, 6], 2)], [0.02]);
    });
  });

  it('stands between layers of 16 bits, too', async () => {
    const x = image();
    const y = call(conv('last', 'linear'), call(shifted('segment', [1, 8, 8, 4]), call(conv('first'), x)));
    const options = {activations: {numBits: 16, symmetric: true}} as const;
    await written(y, [x], [noise([1, 8, 8, 3])], made => expectNear(made, [noise([1, 8, 8, 3], 1)], [1e-3]), options);
  });

  it('has its trained weights in the file', async () => {
    const x = tfl.input({batchShape: [1, 4], name: 'x'});
    const graph = new Nodes();
    const kernel = graph.noise([4, 3]);
    graph.weights.push(kernel);
    const product = graph.add('MatMul', ['x0', kernel]);
    const segment = graph.segment('segment', ['x0'], [product], [noise([1, 4])]);
    const model = tfl.model({inputs: x, outputs: call(layers.dense({units: 2, name: 'dense'}), call(segment, x))});
    const q = quantizeModel(model);
    const before = q.getLayer('segment').getWeights()[0]!.dataSync();
    q.compile({optimizer: tf.train.sgd(0.1), loss: 'meanSquaredError'});
    await q.fit(noise([4, 4]), noise([4, 2], 1), {batchSize: 1, epochs: 1});
    const after = q.getLayer('segment').getWeights()[0]!.dataSync();
    expect(Array.from(after)).not.toEqual(Array.from(before));
    const made = {q, bytes: await toTFLite(q), notes: {}};
    await expectNear(made, [noise([1, 4], 2)], [0.05]);
    q.optimizer.dispose();
    q.dispose();
    model.dispose();
  });
});

describe('toTFLite refuses of graph segments', () => {
  scoped();

  async function refused(
    outputs: Symbolic | Symbolic[],
    inputs: Symbolic[],
    x: tf.Tensor[],
    options = {},
  ): Promise<string> {
    const model = tfl.model({inputs, outputs});
    const q = quantizeModel(model);
    await calibrate(q, x.length === 1 ? x[0]! : [x]);
    const error = await toTFLite(q, options).then(
      () => 'nothing',
      (thrown: unknown) => (thrown as Error).message,
    );
    q.dispose();
    model.dispose();
    return error;
  }

  it('operations that there is no operator for, of all segments at once, and says where to cut', async () => {
    const x = image();
    const first = call(conv('first'), x);
    const scores = call(
      layers.reshape({targetShape: [64], name: 'scores'}),
      call(layers.conv2d({filters: 1, kernelSize: 1, name: 'score'}), first),
    );
    const boxes = call(layers.reshape({targetShape: [64, 4], name: 'boxes'}), first);
    const segment = segmentOf(
      'chosen',
      [
        [1, 64, 4],
        [1, 64],
      ],
      graph => {
        const size = graph.ints(5);
        const [all, row] = [
          graph.add('Reshape', ['x0', graph.ints([64, 4])]),
          graph.add('Reshape', ['x1', graph.ints([64])]),
        ];
        return graph.add('NonMaxSuppressionV3', [all, row, size, graph.floats(0.5), graph.floats(-5)]);
      },
    );
    const [chosen] = callMany(segment, boxes, scores);
    const erf = call(
      segmentOf('erf', [[1, 8, 8, 4]], graph => graph.add('Erf', ['x0'])),
      first,
    );
    const message = await refused([chosen!, erf], [x], [noise([1, 8, 8, 3])]);
    expect(message).toMatch(
      /layer chosen: there is no operator for its nodes NonMaxSuppressionV3_\d+ \(NonMaxSuppressionV3\)/,
    );
    expect(message).toMatch(/layer erf: there is no operator for its nodes Erf_\d+ \(Erf\)/);
    expect(message).toContain("cutModel(model, {outputs: ['boxes', 'scores', 'first']})");
  });

  it('what operators do not take, by node and reason', async () => {
    const x = tfl.input({batchShape: [1, 4, 5], name: 'x'});
    const y = call(layers.dense({units: 5, name: 'dense'}), x);
    const segment = segmentOf('segment', [[1, 4, 5]], graph => {
      const place = graph.add('ArgMax', [graph.add('Reshape', ['x0', graph.ints([20])]), graph.ints(0)]);
      const end = graph.add('Pack', [graph.ints(1), graph.add('Maximum', [place, graph.ints(2)]), graph.ints(5)], {
        axis: 0,
        N: 3,
      });
      return graph.add('StridedSlice', ['x0', graph.ints([0, 0, 0]), end, graph.ints([1, 1, 1])]);
    });
    const message = await refused(call(segment, y), [x], [noise([1, 4, 5])]);
    expect(message).toMatch(/layer segment: its node StridedSlice_\d+ \(StridedSlice\): its end is computed\./);
    expect(message).toContain("cutModel(model, {outputs: ['dense']})");
  });

  it('another batch than the inputs have', async () => {
    const x = tfl.input({batchShape: [1, 4], name: 'x'});
    const y = call(
      segmentOf('segment', [[1, 4]], graph => graph.add('Sin', ['x0'])),
      call(layers.dense({units: 4, name: 'dense'}), x),
    );
    const message = await refused(y, [x], [noise([1, 4])], {batchSize: 2});
    expect(message).toMatch(/batchSize was 2, but input x has the shape \[1,4\]\. Leave it out\./);
  });

  it('batches of any size, and float outputs as integers', async () => {
    const x = tfl.input({shape: [4], name: 'x'});
    const y = call(
      segmentOf('segment', [[1, 4]], graph => graph.add('Sin', ['x0'])),
      call(layers.dense({units: 4, name: 'dense'}), x),
    );
    const message = await refused(y, [x], [noise([2, 4])], {batchSize: null});
    expect(message).toMatch(/batchSize must be a number, as the sizes in the graph segment segment are fixed/);
    const again = call(
      segmentOf('again', [[1, 4]], graph => graph.add('Sin', ['x0'])),
      call(layers.dense({units: 4, name: 'other'}), x),
    );
    expect(await refused(again, [x], [noise([2, 4])], {outputType: 'int8'})).toMatch(
      /outputType int8 is on a grid, but output again is float/,
    );
  });
});
