/** Recurrent layers in files: in float as the model, in integers as the fake-quantized one, at every call. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import fc from 'fast-check';
import {calibrate, type FakeQuantizer, quantizeModel, type QuantizeOptions} from '../../src/entries/qat';
import {toTFLite, type TFLiteOptions} from '../../src/entries/tflite';
import {artifactsOf} from '../support/saved';
import {scoped} from '../support/scoped';
import {loadDigits, train} from './digits';
import {CASES, modelOf, RANDOM, samplesOf, seedWeights, SIGMOID} from './random_recurrent';
import {parse, run, type Runtime, stopRuntimes} from './runtimes';

afterAll(stopRuntimes);

type Model = tfl.LayersModel;
type Symbolic = tfl.SymbolicTensor;

const {layers} = tfl;
const WHOLE = 'UNIDIRECTIONAL_SEQUENCE_LSTM';

const one = (x: tf.Tensor, i: number) => tf.tidy(() => x.slice(i, 1).dataSync<'float32'>());

/** What a file gives of each sample, one call after the other: for each output of all samples. */
async function filed(bytes: Uint8Array, runtime: Runtime, samples: readonly tf.Tensor[]): Promise<number[][]> {
  const runs = Array.from({length: samples[0]!.shape[0]}, (_, i) => samples.map(x => one(x, i)));
  const results = await run(bytes, runtime, runs);
  return results[0]!.map((_, output) => results.flatMap(each => [...each[output]!]));
}

const predicted = (model: Model, samples: readonly tf.Tensor[]) =>
  tf.tidy(() => [model.predict([...samples])].flat().map(y => [...y.dataSync<'float32'>()]));

/** LiteRT.js loads no file with an LSTM as one operator, TensorFlow's own neither. */
async function runtimesFor(bytes: Uint8Array): Promise<Runtime[]> {
  const isWhole = (await parse(bytes)).operators.some(({name}) => name === WHOLE);
  return ['reference', 'xnnpack', 'micro', ...(isWhole ? [] : (['litert.js'] as const))];
}

const RUNS = Number(process.env['RUNS'] ?? 6);

describe('toTFLite of a float recurrent layer', () => {
  scoped();

  for (const name of Object.keys(CASES)) {
    it(`gives what the model gives: ${name}`, async () => {
      const runs = fc.asyncProperty(RANDOM, fc.boolean(), async (random, unroll) => {
        const model = modelOf(name, random);
        const samples = samplesOf(model, 3, random.seed);
        const bytes = await toTFLite(model, {unroll});
        const expected = predicted(model, samples);
        for (const runtime of await runtimesFor(bytes)) {
          (await filed(bytes, runtime, samples)).forEach((output, i) => {
            const most = expected[i]!.reduce((largest, each) => Math.max(largest, Math.abs(each)), 0);
            expect(output.length).toBe(expected[i]!.length);
            const off = output.reduce((far, each, j) => Math.max(far, Math.abs(each - expected[i]![j]!)), 0);
            if (!(off <= 1e-5 * most)) throw new Error(`${runtime}, output ${i}: ${off} of ${most} off`);
          });
        }
      });
      await fc.assert(runs, {numRuns: RUNS, seed: 3, endOnFailure: true});
    });
  }
});

async function quantized(model: Model, samples: tf.Tensor[], options: QuantizeOptions = {}): Promise<Model> {
  const q = quantizeModel(model, options);
  await calibrate(q, samples.length === 1 ? samples[0]! : samples, {method: 'minMax'});
  return q;
}

/**
 * The share of values that are off by no more than 2 levels, of an output that may be off by more of its own: an LSTM's inner
 * state has levels of 16 bits, but follows from a hidden one of 8.
 */
async function within(bytes: Uint8Array, outputs: number[][], expected: number[][], levels = 2): Promise<number> {
  const {operators, tensors} = await parse(bytes);
  const shares = outputs.map((output, i) => {
    const {inputs} = operators[operators.length - outputs.length + i]!;
    const {scale, type} = tensors[inputs[0]!]!;
    const level = scale[0]! * (type === 'INT16' ? 256 : 1);
    return (
      output.filter((each, j) => Math.abs(each - expected[i]![j]!) <= (levels + 0.01) * level).length / output.length
    );
  });
  return Math.min(...shares);
}

describe('toTFLite of a quantized recurrent layer', () => {
  scoped();

  for (const name of Object.keys(CASES)) {
    it(`gives what the model gives: ${name}`, async () => {
      const runs = fc.asyncProperty(RANDOM, async random => {
        const model = modelOf(name, random);
        const samples = samplesOf(model, 64, random.seed);
        const q = await quantized(model, samples);
        const bytes = await toTFLite(q);
        const expected = predicted(q, samples);
        for (const runtime of await runtimesFor(bytes)) {
          const share = await within(bytes, await filed(bytes, runtime, samples), expected);
          // From gates that go below 0, steps that differ by a level grow apart.
          if (!(share >= (random.recurrentActivation === 'tanh' ? 0.95 : 0.99)))
            throw new Error(`${runtime}: ${share} within 2 levels`);
        }
      });
      await fc.assert(runs, {numRuns: RUNS, seed: 4, endOnFailure: true});
    });
  }
});

/** An LSTM that is written whole, of a size, with the samples that it was calibrated with. */
async function wholeOf(units: number, steps: number, count: number) {
  const x = tfl.input({shape: [steps, 6]});
  const layer = layers.lstm({units, ...SIGMOID, returnSequences: true, name: 'lstm'});
  const model = tfl.model({inputs: x, outputs: layer.apply(x) as Symbolic});
  seedWeights(model, 5);
  const [samples] = samplesOf(model, count, 7) as [tf.Tensor];
  return {model, samples, q: await quantized(model, [tf.slice(samples, 0, Math.min(count, 64))])};
}

/** Has a model's LSTM round its inner state as if it had been so large. */
function setCellRange({layers: all}: Model, size: number): void {
  const roundings = all.flatMap(
    layer => (layer as {roundings?: {what: string; quantizer: FakeQuantizer}[]}).roundings ?? [],
  );
  roundings.find(({what}) => what === 'cell state')!.quantizer.setRange(-size, size);
}

const operatorsIn = async (bytes: Uint8Array) => (await parse(bytes)).operators.map(({name}) => name);

/** The step of the one output of a file, which is dequantized last. */
async function scaleOf(bytes: Uint8Array): Promise<number> {
  const {operators, tensors} = await parse(bytes);
  return tensors[operators[operators.length - 1]!.inputs[0]!]!.scale[0]!;
}

const farthest = (one: readonly number[], other: readonly number[]) =>
  one.reduce((most, each, i) => Math.max(most, Math.abs(each - other[i]!)), 0);

describe('toTFLite of a whole LSTM in integers', () => {
  scoped();

  it('is within 2 levels of the model for 99 % of the values of 1000 sequences', async () => {
    const {q, samples} = await wholeOf(8, 12, 1000);
    const bytes = await toTFLite(q);
    const expected = predicted(q, [samples]);
    for (const runtime of ['reference', 'xnnpack', 'micro'] as const) {
      const outputs = await filed(bytes, runtime, [samples]);
      expect(await within(bytes, outputs, expected))
        .withContext(runtime)
        .toBeGreaterThanOrEqual(0.99);
      expect(await within(bytes, outputs, expected, 0))
        .withContext(runtime)
        .toBeGreaterThanOrEqual(0.9);
    }
  });

  it('has an inner state of any size, or is unrolled where runtimes have none so large', async () => {
    for (const [size, isWhole] of [
      [0.1, true],
      [0.9, true],
      [30, true],
      [100, false],
    ] as const) {
      // prettier-ignore
      const x = tfl.input({shape: [4, 1]});
      const lstm = layers.lstm({units: 1, ...SIGMOID, returnSequences: true});
      const model = tfl.model({inputs: x, outputs: lstm.apply(x) as Symbolic});
      // Each step adds tanh(x), or some of it.
      const gates = size < 1 ? [Math.log(size / 4), 9, 0, 9] : [9, 9, 0, 9];
      model.setWeights([tf.tensor2d([[0, 0, 1, 0]]), tf.zeros([1, 4]), tf.tensor1d(gates)]);
      const sequence = tf.mul(tf.ones([1, 4, 1]), 3);
      const q = await quantized(model, [sequence]);
      if (size > 1) setCellRange(q, size);
      const bytes = await toTFLite(q);
      expect((await operatorsIn(bytes)).includes(WHOLE))
        .withContext(`${size}`)
        .toBe(isWhole);
      for (const runtime of ['reference', 'xnnpack', 'micro'] as const) {
        const outputs = await filed(bytes, runtime, [sequence]);
        expect(await within(bytes, outputs, predicted(q, [sequence])))
          .withContext(`${size}, ${runtime}`)
          .toBe(1);
      }
    }
  });

  it('has the tensors that TensorFlow gives it', async () => {
    const {q} = await wholeOf(5, 7, 64);
    const {operators, tensors} = await parse(await toTFLite(q, {inputType: 'int8', outputType: 'int8'}));
    const lstm = operators.find(({name}) => name === WHOLE)!;
    const of = (place: number) => tensors[lstm.inputs[place]!]!;
    const absent = [9, 10, 11, 16, 17, 20, 21, 22, 23];
    expect([lstm.version, lstm.inputs.length]).toEqual([1, 24]);
    expect(lstm.inputs.flatMap((tensor, place) => (tensor < 0 ? [place] : []))).toEqual(absent);
    const [x, hidden, cell, y] = [of(0), of(18), of(19), tensors[lstm.outputs[0]!]!];
    const shown = ({type, shape, isVariable}: typeof x) => [type, shape, isVariable];
    expect([x, hidden, cell, y].map(shown)).toEqual([
      ['INT8', [1, 7, 6], false],
      ['INT8', [1, 5], true],
      ['INT16', [1, 5], true],
      ['INT8', [1, 7, 5], false],
    ]);
    expect([hidden.scale, hidden.zeroPoint]).toEqual([y.scale, y.zeroPoint]);
    expect([Number.isInteger(Math.log2(cell.scale[0]!)), cell.zeroPoint]).toEqual([true, [0]]);
    for (let gate = 0; gate < 4; ++gate) {
      const [kernel, recurrent, bias] = [of(1 + gate), of(5 + gate), of(12 + gate)];
      expect([kernel, recurrent, bias].map(shown)).toEqual([
        ['INT8', [5, 6], false],
        ['INT8', [5, 5], false],
        ['INT32', [5], false],
      ]);
      const ofOneStep = [kernel, recurrent, bias].map(({scale, zeroPoint}) => [scale.length, zeroPoint]);
      expect(ofOneStep).toEqual(new Array(3).fill([1, [0]]));
      expect(bias.scale[0]! / (x.scale[0]! * kernel.scale[0]!)).toBeCloseTo(1, 6);
    }
    const between = lstm.intermediates.map(tensor => tensors[tensor]!);
    expect(between.map(({type}) => type)).toEqual(['FLOAT32', 'FLOAT32', 'FLOAT32', 'FLOAT32', 'INT8']);
    expect([between[4]!.scale, between[4]!.zeroPoint]).toEqual([hidden.scale, hidden.zeroPoint]);
    expect(lstm.options).toEqual({activation: 4, cellClip: 0, projClip: 0, timeMajor: false});
  });
});

describe('toTFLite of a recurrent layer', () => {
  scoped();

  it('begins each call anew, unless it is stateful', async () => {
    for (const stateful of [false, true]) {
      const args = {returnSequences: true, name: 'lstm', stateful, batchInputShape: [1, 4, 6]};
      const model = tfl.sequential({layers: [layers.lstm({units: 3, ...SIGMOID, ...args})]});
      seedWeights(model, 1);
      const x = tf.randomNormal([1, 4, 6], 0, 1, 'float32', 8);
      const q = await quantized(model, [x]);
      for (const each of [model, q]) {
        const bytes = await toTFLite(each);
        expect(await operatorsIn(bytes)).toContain(WHOLE);
        if (stateful) each.resetStates();
        const expected = [1, 2, 3].map(() => predicted(each, [x])[0]!);
        const level = each === q ? 2.01 * (await scaleOf(bytes)) : 1e-6;
        for (const runtime of ['reference', 'builtin', 'xnnpack', 'micro'] as const) {
          const calls = [1, 2, 3].map(() => [one(x, 0)]);
          const outputs = (await run(bytes, runtime, calls)).map(([y]) => [...y!]);
          outputs.forEach((output, call) =>
            expect(farthest(output, expected[call]!))
              .withContext(`${runtime}, call ${call}`)
              .toBeLessThanOrEqual(level),
          );
          if (stateful) expect(outputs[1]).not.toEqual(outputs[0]);
          else expect(outputs[1]).toEqual(outputs[0]);
        }
      }
      for (const {layers: made} of [model, q])
        tf.dispose(made.flatMap(layer => (layer as unknown as {states?: tf.Tensor[]}).states ?? []));
    }
  });

  it('works step by step where it is told to, or the batch is open', async () => {
    const {model, q, samples} = await wholeOf(4, 3, 6);
    for (const each of [model, q]) {
      const expected = predicted(each, [samples])[0]!;
      const level = each === q ? 2.01 * (await scaleOf(await toTFLite(each))) : 1e-6;
      const unrolled = await toTFLite(each, {unroll: true});
      expect(await operatorsIn(unrolled)).not.toContain(WHOLE);
      for (const runtime of ['reference', 'litert.js', 'micro'] as const) {
        const [output] = await filed(unrolled, runtime, [samples]);
        expect(farthest(output!, expected)).withContext(runtime).toBeLessThanOrEqual(level);
      }
      const open = await toTFLite(each, {batchSize: null});
      for (const runtime of ['reference', 'xnnpack'] as const) {
        const [outputs] = await run(open, runtime, [[samples.dataSync<'float32'>()]], 6);
        expect(farthest([...outputs![0]!], expected))
          .withContext(runtime)
          .toBeLessThanOrEqual(level);
      }
    }
  });

  it('has its weights once, however many steps there are', async () => {
    const sizes: number[] = [];
    for (const steps of [10, 20]) {
      const x = tfl.input({shape: [steps, 40]});
      const model = tfl.model({inputs: x, outputs: layers.gru({units: 40}).apply(x) as Symbolic});
      sizes.push((await toTFLite(model)).length);
    }
    // 9600 floats of 4 bytes, and some 2 kB for a step.
    expect(sizes[1]! - sizes[0]!).toBeLessThan(30_000);
    expect(sizes[0]).toBeLessThan(70_000);
  });

  it('stores the weights of a float model in fewer bytes, where they are large', async () => {
    const x = tfl.input({shape: [5, 32]});
    const layer = layers.lstm({units: 32, ...SIGMOID, returnSequences: true});
    const model = tfl.model({inputs: x, outputs: layer.apply(x) as Symbolic});
    seedWeights(model, 2);
    const samples = samplesOf(model, 8, 2);
    const [expected] = predicted(model, samples);
    const most = Math.max(...expected!.map(Math.abs));
    for (const [weights, type, share, runtimes] of [
      ['float16', 'FLOAT16', 1e-3, ['reference', 'xnnpack']],
      ['int8', 'INT8', 0.03, ['reference', 'xnnpack']],
    ] as const) {
      const bytes = await toTFLite(model, {weights});
      const {tensors, operators} = await parse(bytes);
      expect(tensors.filter(tensor => tensor.type === type && tensor.shape.join() === '32,32').length).toBe(8);
      if (weights === 'int8') expect(operators.find(({name}) => name === WHOLE)!.version).toBe(3);
      for (const runtime of runtimes) {
        const [outputs] = await filed(bytes, runtime, samples);
        expect(farthest(outputs!, expected!) / most)
          .withContext(`${weights} ${runtime}`)
          .toBeLessThan(share);
      }
    }
  });

  it('is within a TimeDistributed as alone', async () => {
    const x = tfl.input({shape: [3, 4, 2]});
    const inner = layers.lstm({units: 3, ...SIGMOID});
    const model = tfl.model({inputs: x, outputs: layers.timeDistributed({layer: inner}).apply(x) as Symbolic});
    seedWeights(model, 3);
    const samples = samplesOf(model, 12, 3);
    const q = await quantized(model, samples);
    const bytes = await toTFLite(q);
    expect(await operatorsIn(bytes)).toContain(WHOLE);
    for (const runtime of ['reference', 'micro'] as const)
      expect(await within(bytes, await filed(bytes, runtime, samples), predicted(q, samples))).toBe(1);
  });

  it('learns digits row by row, which the file then knows as well as the model', async () => {
    const {train: learned, test} = await loadDigits();
    const rows = ({images, labels}: typeof test) => ({images: tf.reshape(images, [-1, 8, 8]) as never, labels});
    const initializer = (seed: number) => tfl.initializers.glorotUniform({seed});
    const [kernelInitializer, recurrentInitializer] = [initializer(1), initializer(2)];
    const lstm = layers.lstm({units: 16, ...SIGMOID, inputShape: [8, 8], kernelInitializer, recurrentInitializer});
    const dense = layers.dense({units: 10, activation: 'softmax', kernelInitializer: initializer(3)});
    const model = tfl.sequential({layers: [lstm, dense]});
    await train(model, rows(learned), 8, 2e-2);
    const q = await quantized(model, [tf.slice(rows(learned).images, 0, 200)]);
    await train(q, rows(learned), 2, 3e-3);
    const {images, labels} = rows(test);
    const bytes = await toTFLite(q);
    expect(await operatorsIn(bytes)).toContain(WHOLE);
    const classes = tf.argMax(labels, -1).dataSync();
    const accuracy = (scores: number[]) => {
      const found = tf.argMax(tf.tensor2d(scores, [classes.length, 10]), -1).dataSync();
      return found.filter((each, i) => each === classes[i]).length / classes.length;
    };
    const expected = accuracy(predicted(q, [images])[0]!);
    expect(expected).toBeGreaterThan(0.85);
    for (const runtime of ['reference', 'micro'] as const) {
      const [scores] = await filed(bytes, runtime, [images]);
      expect(Math.abs(accuracy(scores!) - expected))
        .withContext(runtime)
        .toBeLessThanOrEqual(0.005);
    }
  });
});

describe('toTFLite refuses a recurrent layer', () => {
  scoped();

  const messageOf = (model: Model, options: TFLiteOptions = {}) =>
    toTFLite(model, options).then(
      () => 'no error',
      (error: unknown) => (error as Error).message,
    );

  it('whose steps are masked', async () => {
    const words = tfl.input({shape: [5], name: 'words'});
    const embedded = layers.embedding({inputDim: 9, outputDim: 4, maskZero: true, name: 'rows'}).apply(words);
    const dropped = layers.dropout({rate: 0.1}).apply(embedded);
    const first = layers.gru({units: 3, returnSequences: true, name: 'first'}).apply(dropped);
    const second = layers.lstm({units: 3, name: 'second'}).apply(first);
    const model = tfl.model({inputs: words, outputs: layers.dense({units: 2}).apply(second) as Symbolic});
    const message = await messageOf(model);
    for (const name of ['first', 'second'])
      expect(message).toContain(
        `layer ${name}: its steps are masked by layer rows, and a file computes all steps. Build`,
      );
    const x = tfl.input({shape: [5, 4]});
    const both = layers.bidirectional({layer: layers.gru({units: 3}), name: 'both', mergeMode: 'sum'});
    const outputs = both.apply(layers.masking({name: 'mask'}).apply(x)) as Symbolic;
    expect(await messageOf(tfl.model({inputs: x, outputs}))).toContain(
      'layer both: its steps are masked by layer mask',
    );
  });

  it('that is stateful, unless it is an LSTM in one operator', async () => {
    const args = {units: 2, stateful: true, batchInputShape: [1, 3, 2], name: 'kept'};
    for (const layer of [layers.gru(args), layers.lstm(args), layers.lstm({...args, ...SIGMOID, returnState: true})]) {
      const x = tfl.input({batchShape: [1, 3, 2]});
      const [y] = [layer.apply(x) as Symbolic | Symbolic[]].flat();
      const message = await messageOf(tfl.model({inputs: x, outputs: y!}));
      expect(message).toContain('layer kept: it is stateful, and only an LSTM keeps states between calls of a file');
      tf.dispose((layer as unknown as {states: tf.Tensor[]}).states);
    }
    const whole = layers.lstm({...args, ...SIGMOID});
    const model = tfl.sequential({layers: [whole]});
    for (const options of [{unroll: true}, {batchSize: null}])
      expect(await messageOf(model, options)).toContain(
        'layer kept: it is stateful, and what is written step by step keeps no states between calls of a file. Build it not',
      );
    tf.dispose((whole as unknown as {states: tf.Tensor[]}).states);
  });

  it('in integers with an activation that has none, which it computes in float if asked', async () => {
    const x = tfl.input({shape: [3, 2]});
    const layer = layers.lstm({units: 2, activation: 'elu', name: 'l'});
    const q = await quantized(tfl.model({inputs: x, outputs: layer.apply(x) as Symbolic}), [tf.ones([2, 3, 2])]);
    expect(await messageOf(q)).toContain('layer l: the activation elu has no integer operator within a cell. Have it');
    expect(await messageOf(q, {floatFallback: true})).toBe('no error');
  });

  it('of a model that was saved before states were rounded', async () => {
    const x = tfl.input({shape: [3, 2]});
    const model = tfl.model({inputs: x, outputs: layers.lstm({units: 2, name: 'l'}).apply(x) as Symbolic});
    const q = await quantized(model, [tf.ones([2, 3, 2])]);
    const text = JSON.stringify((await artifactsOf(q)).modelTopology).replace('"states":true', '"states":false');
    const before = await tfl.models.modelFromJSON(JSON.parse(text) as never);
    await calibrate(before, tf.ones([2, 3, 2]));
    expect(await messageOf(before)).toContain(
      'layer l: its states are not rounded on every step, as they are in models',
    );
  });

  it('with a cell that it does not know', async () => {
    class OwnCell extends layers.RNNCell {
      static className = 'OwnCell';
      override stateSize = 2;
      override call(inputs: tf.Tensor | tf.Tensor[]) {
        const [x] = inputs as tf.Tensor[];
        return [x!, x!];
      }
    }
    tf.serialization.registerClass(OwnCell);
    const x = tfl.input({shape: [3, 2]});
    const y = layers.rnn({cell: new OwnCell({}), name: 'own'}).apply(x) as Symbolic;
    expect(await messageOf(tfl.model({inputs: x, outputs: y}))).toContain(
      'layer own: there are no operators for its cell of the class OwnCell. Use a cell of tfjs',
    );
  });
});
