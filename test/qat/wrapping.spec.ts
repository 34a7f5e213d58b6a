/** Quantized layers behave as the layers that they wrap: states, several outputs, integers, files. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {calibrate, dequantizeModel, describeQuantization, quantizeModel} from '../../src/entries/qat';
import {onWebGL, onWebGPU, readFile, valuesOf} from '../support/environment';
import {artifactsOf, reloaded} from '../support/saved';
import {needsTraining, scoped, skip} from '../support/scoped';

type Model = tfl.LayersModel;
type Symbolic = tfl.SymbolicTensor;
type Layer = tfl.layers.Layer;

const {layers} = tfl;

function seeded(shape: readonly number[], seed = 1): tf.Tensor {
  return tf.randomNormal([...shape], 0, 1, 'float32', seed);
}

/** A model with seeded weights. */
function seededModel(inputs: Symbolic | Symbolic[], outputs: Symbolic | Symbolic[]): Model {
  const model = tfl.model({inputs, outputs});
  tf.tidy(() => model.setWeights(model.weights.map(({shape}, i) => seeded(shape as number[], i + 1).mul(0.6))));
  return model;
}

function predicted(model: Model, inputs: tf.Tensor[]): tf.Tensor[] {
  return [model.predict(inputs)].flat();
}

async function expectEqual(actual: readonly tf.Tensor[], expected: readonly tf.Tensor[]): Promise<void> {
  expect(actual.length).toBe(expected.length);
  for (const [i, each] of expected.entries()) expect(await valuesOf(actual[i]!)).toEqual(await valuesOf(each));
}

async function expectDifferent(one: readonly tf.Tensor[], other: readonly tf.Tensor[]): Promise<void> {
  for (const [i, each] of one.entries()) expect(await valuesOf(each)).not.toEqual(await valuesOf(other[i]!));
}

/** A layer without weights that computes what it is told. */
function layerThat(className: string, compute: (x: tf.Tensor) => tf.Tensor | tf.Tensor[], outputs = 1): Layer {
  class Computing extends layers.Layer {
    static className = className;
    override computeOutputShape(shape: tfl.Shape | tfl.Shape[]) {
      return outputs === 1 ? shape : Array.from({length: outputs}, () => [...shape] as tfl.Shape);
    }
    override call(inputs: tf.Tensor | tf.Tensor[]) {
      return tf.tidy(() => compute([inputs].flat()[0]!));
    }
  }
  tf.serialization.registerClass(Computing);
  return new Computing({name: className.toLowerCase()});
}

/** Leaves out what is the same on every backend where it takes long: each step of a recurrent layer is many programs. */
function needsSpeed(): void {
  if (onWebGL || onWebGPU) skip('takes long on a renderer that is no GPU; the same runs on cpu and wasm');
}

describe('a quantized recurrent layer', () => {
  scoped();

  interface Case {
    readonly layer: () => Layer;
    readonly states: readonly number[][];
    readonly sample?: readonly number[];
  }

  const args = {returnSequences: true, returnState: true, name: 'decoder'};
  const CASES: Readonly<Record<string, Case>> = {
    LSTM: {layer: () => layers.lstm({units: 4, ...args}), states: [[4], [4]]},
    GRU: {layer: () => layers.gru({units: 4, ...args, returnSequences: false}), states: [[4]]},
    SimpleRNN: {layer: () => layers.simpleRNN({units: 4, ...args}), states: [[4]]},
    'an RNN of stacked cells': {
      layer: () => layers.rnn({cell: [layers.lstmCell({units: 3}), layers.gruCell({units: 2})] as never, ...args}),
      states: [[2], [3], [3]],
    },
    'a Bidirectional LSTM': {
      layer: () =>
        layers.bidirectional({layer: layers.lstm({units: 3, ...args}), name: 'decoder', mergeMode: 'concat'}),
      states: [[3], [3], [3], [3]],
    },
    'a Bidirectional GRU of two outputs': {
      layer: () =>
        layers.bidirectional({
          layer: layers.gru({units: 3, ...args}),
          name: 'decoder',
          mergeMode: null as never,
        }),
      states: [[3], [3]],
    },
  };

  for (const [name, {layer, states, sample = [3, 5]}] of Object.entries(CASES)) {
    const inputsOf = () => [sample, ...states].map(shape => tfl.input({shape: [...shape]}));
    const valuesFor = (scale = 1) =>
      [sample, ...states].map((shape, i) => seeded([2, ...shape], i + 70).mul(i === 0 ? 1 : scale));
    /** The layer of a model in a model of its own, called with its states as arguments or as further inputs. */
    const alone = (model: Model, asArguments: boolean) => {
      const [x, ...given] = inputsOf();
      const decoder = model.getLayer('decoder');
      const outputs = asArguments ? decoder.apply(x!, {initialState: given}) : decoder.apply([x!, ...given]);
      return tfl.model({inputs: [x!, ...given], outputs: outputs as Symbolic[]});
    };

    it(`takes the states that ${name} takes`, async () => {
      if (name !== 'LSTM') needsSpeed();
      const [x, ...given] = inputsOf();
      const model = seededModel([x!, ...given], layer().apply(x!, {initialState: given}) as Symbolic[]);
      const q = quantizeModel(model, {activations: false});
      const float = dequantizeModel(q);
      const expected = predicted(float, valuesFor());
      await expectDifferent(expected, predicted(model, valuesFor()));
      await expectDifferent(expected, predicted(float, valuesFor(100)));
      for (const each of [q, alone(q, true), alone(q, false), await reloaded(q), await reloaded(alone(q, true))]) {
        await expectEqual(predicted(each, valuesFor()), expected);
        await expectEqual(predicted(each, valuesFor(100)), predicted(float, valuesFor(100)));
      }
      const [values, ...initialState] = valuesFor();
      const decoder = q.getLayer('decoder');
      await expectEqual(decoder.apply(values!, {initialState}) as tf.Tensor[], expected);
      await expectEqual(decoder.apply([values!, ...initialState]) as tf.Tensor[], expected);
    });
  }
});

describe('a quantized layer whose class has its own apply', () => {
  scoped();

  /** As recurrent layers do with their states, makes an input of an argument. */
  class Attend extends layers.Layer {
    static className = 'Attend';
    kernel: tfl.LayerVariable | undefined;

    override apply(inputs: tf.Tensor | Symbolic, kwargs: Record<string, unknown> = {}) {
      const {memory} = kwargs as {memory?: Symbolic};
      return super.apply(memory ? ([inputs, memory] as Symbolic[]) : inputs, kwargs);
    }

    override build(shape: tfl.Shape | tfl.Shape[]): void {
      const depth = (shape as number[][])[0]![1]!;
      this.kernel = this.addWeight('kernel', [depth, depth], 'float32', tfl.initializers.ones());
      super.build(shape);
    }

    override computeOutputShape(shape: tfl.Shape | tfl.Shape[]) {
      return (shape as tfl.Shape[])[0]!;
    }

    override call(inputs: tf.Tensor | tf.Tensor[]) {
      const [query, memory] = inputs as tf.Tensor[];
      return tf.tidy(() => tf.add(tf.matMul(query!, this.kernel!.read()), memory!));
    }
  }
  tf.serialization.registerClass(Attend);

  it('is called with what that makes of its arguments', async () => {
    const inputsOf = () => [tfl.input({shape: [3]}), tfl.input({shape: [3]})] as const;
    const [query, memory] = inputsOf();
    const model = seededModel([query, memory], new Attend({name: 'attend'}).apply(query, {memory}) as Symbolic);
    const q = quantizeModel(model, {activations: false, customLayers: {Attend: {kernel: {axis: -1}}}});
    const other = inputsOf();
    const alone = tfl.model({
      inputs: [...other],
      outputs: q.getLayer('attend').apply(other[0], {memory: other[1]}) as Symbolic,
    });
    const values = [seeded([2, 3]), seeded([2, 3], 2)];
    const float = dequantizeModel(q);
    await expectDifferent(predicted(float, values), predicted(model, values));
    for (const each of [q, alone, await reloaded(q)])
      await expectEqual(predicted(each, values), predicted(float, values));
  });
});

describe('a quantized layer that changes the shape that it is given', () => {
  scoped();

  class Twice extends layers.Layer {
    static className = 'Twice';
    override computeOutputShape(shape: tfl.Shape | tfl.Shape[]) {
      const given = shape as number[];
      given[1]! *= 2;
      return given;
    }
    override call(inputs: tf.Tensor | tf.Tensor[]) {
      const [x] = [inputs].flat();
      return tf.tidy(() => tf.concat([x!, x!], 1));
    }
  }
  tf.serialization.registerClass(Twice);

  it('gives what it gives', async () => {
    const x = tfl.input({shape: [3]});
    const reshaped = layers.reshape({targetShape: [3]}).apply(x) as Symbolic;
    const twice = new Twice({name: 'twice'}).apply(reshaped) as Symbolic;
    const model = seededModel(x, layers.dense({units: 2}).apply(twice) as Symbolic);
    const q = quantizeModel(model, {customLayers: {Twice: {}}});
    const values = seeded([4, 3]);
    await calibrate(q, values);
    expect((q.getLayer('twice').output as Symbolic).shape).toEqual([null, 6]);
    const [actual, expected] = [
      await valuesOf(predicted(q, [values])[0]!),
      await valuesOf(predicted(model, [values])[0]!),
    ];
    expected.forEach((value, i) => expect(Math.abs(actual[i]! - value)).toBeLessThan(0.1));
  });
});

describe('a quantized recurrent layer that is stateful or masked', () => {
  scoped();

  it('keeps, tells and takes its states', async () => {
    const layer = layers.gru({units: 3, stateful: true, batchInputShape: [2, 4, 5], name: 'stateful'});
    const model = tfl.sequential({layers: [layer]});
    const q = quantizeModel(model, {activations: false});
    const x = seeded([2, 4, 5]);
    const runs = [];
    for (const each of [q, dequantizeModel(q)]) {
      const recurrent = each.getLayer('stateful') as unknown as {
        states: tf.Tensor[];
        resetStates: (states?: tf.Tensor[]) => void;
      };
      const outputs = [predicted(each, [x]), predicted(each, [x]), recurrent.states.map(state => state.clone())];
      recurrent.resetStates([tf.ones([2, 3])]);
      outputs.push(predicted(each, [x]));
      each.resetStates();
      outputs.push(predicted(each, [x]));
      runs.push(outputs.flat());
      tf.dispose(recurrent.states);
    }
    tf.dispose((layer as unknown as {states: tf.Tensor[]}).states);
    await expectEqual(runs[0]!, runs[1]!);
    await expectDifferent([runs[0]![0]!, runs[0]![3]!], [runs[0]![1]!, runs[0]![4]!]);
  });

  it("passes an encoder's states to a decoder, in Keras's example and in models made of its layers", async () => {
    if (onWebGPU) skip("tfjs's transpose of a mask is not valid WGSL: it gives an i32 for an f32");
    const words = tfl.input({shape: [4], name: 'words'});
    const embedded = layers.embedding({inputDim: 6, outputDim: 3, maskZero: true, name: 'embedded'}).apply(words);
    const [, ...states] = layers.lstm({units: 3, returnState: true, name: 'encoder'}).apply(embedded) as Symbolic[];
    const given = tfl.input({shape: [2, 3], name: 'given'});
    const decoder = layers.lstm({units: 3, returnSequences: true, returnState: true, name: 'decoder'});
    const [sequence] = decoder.apply(given, {initialState: states}) as Symbolic[];
    const model = seededModel([words, given], layers.dense({units: 2, name: 'scores'}).apply(sequence!) as Symbolic);
    const q = quantizeModel(model, {activations: false});
    const float = dequantizeModel(q);
    const [ids, x] = [tf.tensor2d([[1, 2, 0, 0], [3, 4, 5, 0]]), seeded([2, 2, 3], 5)]; // prettier-ignore
    const expected = predicted(float, [ids, x]);
    await expectEqual(predicted(q, [ids, x]), expected);

    const encoding = tfl.model({inputs: q.inputs[0]!, outputs: (q.getLayer('encoder').output as Symbolic[]).slice(1)});
    const [step, h, c] = [tfl.input({shape: [1, 3]}), tfl.input({shape: [3]}), tfl.input({shape: [3]})];
    const [y, ...next] = q.getLayer('decoder').apply(step, {initialState: [h, c]}) as Symbolic[];
    const decoding = tfl.model({inputs: [step, h, c], outputs: [q.getLayer('scores').apply(y!) as Symbolic, ...next]});
    const scores: tf.Tensor[] = [];
    let state = predicted(encoding, [ids]);
    for (const each of tf.split(x, 2, 1)) {
      const [score, ...after] = predicted(decoding, [each, ...state]);
      scores.push(score!);
      state = after;
    }
    const [together, whole] = [await valuesOf(tf.concat(scores, 1)), await valuesOf(expected[0]!)];
    whole.forEach((value, i) => expect(together[i]).toBeCloseTo(value, 5));
  });

  it('of convolutions takes states as arguments', async () => {
    needsSpeed();
    const layer = layers.convLstm2d({filters: 2, kernelSize: 2, returnState: true, name: 'rows'});
    const x = tfl.input({shape: [2, 3, 3, 1]});
    const q = quantizeModel(seededModel(x, layer.apply(x) as Symbolic[]), {activations: false});
    const [values, initialState] = [seeded([1, 2, 3, 3, 1]), [seeded([1, 2, 2, 2], 2), seeded([1, 2, 2, 2], 3)]];
    const given = q.getLayer('rows').apply(values, {initialState}) as tf.Tensor[];
    await expectEqual(given, dequantizeModel(q).getLayer('rows').apply(values, {initialState}) as tf.Tensor[]);
    await expectDifferent(given, predicted(q, [values]));
  });
});

describe('a quantized layer of several outputs', () => {
  scoped();

  const FOUR_BITS = {activations: {numBits: 4}, layers: {x: false as const}};

  it('rounds each to a grid of its own', async () => {
    const x = tfl.input({shape: [4], name: 'x'});
    const split = layerThat('Split', given => [given, given.mul(10), given.mul(1000).toInt()], 3);
    const model = tfl.model({inputs: x, outputs: split.apply(x) as Symbolic[]});
    const q = quantizeModel(model, {...FOUR_BITS, customLayers: {Split: {}}});
    const values = tf.tensor2d([[-1, -0.33, 0.71, 2]]);
    await calibrate(q, values, {method: 'minMax'});
    for (const each of [q, await reloaded(q)]) {
      const [first, second, counts] = predicted(each, [values]);
      // Steps of 0.2 and of 2. Integers are numbers of things.
      const [firsts, seconds] = [await valuesOf(first!), await valuesOf(second!)];
      [-1, -0.4, 0.8, 2].forEach((value, i) => expect(firsts[i]).toBeCloseTo(value, 5));
      [-10, -4, 8, 20].forEach((value, i) => expect(seconds[i]).toBeCloseTo(value, 4));
      expect([...(await valuesOf(counts!))]).toEqual([-1000, -330, 710, 2000]);
      const rows = await describeQuantization(each).read();
      const ranges = rows.filter(({what}) => what.startsWith('output')).map(({what, min, max}) => [what, min, max]);
      expect(ranges).toEqual([
        ['output', -1, 2],
        ['output 2', -10, 20],
        ['output 3', undefined, undefined],
      ]);
    }
  });

  it('rounds the states of cells as an integer runtime does, and tells of each', async () => {
    needsSpeed();
    const args = {units: 3, returnState: true, returnSequences: true};
    const x = tfl.input({shape: [4, 2], name: 'x'});
    const summed = layers.bidirectional({layer: layers.gru(args), mergeMode: 'sum', name: 'summed'});
    const joined = layers.bidirectional({layer: layers.lstm(args), mergeMode: 'concat', name: 'joined'});
    const outputs = [layers.lstm({...args, name: 'lstm'}), summed, joined].map(layer => layer.apply(x) as Symbolic[]);
    const q = quantizeModel(seededModel(x, outputs.flat()), FOUR_BITS);
    const values = seeded([8, 4, 2]);
    await calibrate(q, values, {method: 'minMax'});
    const [y, h, c, sum, forward, backward, both, hf, cf, hb, cb] = predicted(q, [values]);
    const levelsOf = async (...tensors: tf.Tensor[]) =>
      new Set((await Promise.all(tensors.map(valuesOf))).flatMap(each => [...each])).size;
    // What is a step of the output is on the output's grid.
    await expectEqual([h!], [tf.slice(y!, [0, 3, 0], [8, 1, 3]).reshape([8, 3])]);
    await expectEqual([hf!, hb!], [tf.slice(both!, [0, 3, 0], [8, 1, 3]), tf.slice(both!, [0, 0, 3], [8, 1, 3])]);
    for (const each of [[y!, h!], [sum!], [forward!], [backward!], [both!, hf!, hb!]])
      expect(await levelsOf(...each)).toBeLessThanOrEqual(16);
    // Of 16 bits, in steps of 2^-15 or 2^-14.
    const cells = await valuesOf(tf.concat([c!, cf!, cb!]));
    cells.forEach(value => expect(value * 2 ** 15).toBe(Math.round(value * 2 ** 15)));
    expect(new Set(cells).size).toBeGreaterThan(cells.length / 2);
    const rows = await describeQuantization(q).read();
    const told = rows
      .filter(({what}) => what.startsWith('output') || what.endsWith('state'))
      .map(({layer, what, note, numBits}) => `${layer} ${what}: ${numBits} ${note}`);
    expect(told).toEqual([
      'lstm output: 4 ',
      'lstm cell state: 16 ',
      'summed output: 4 ',
      'summed forward hidden state: 4 ',
      'summed backward hidden state: 4 ',
      'joined output: 4 ',
      'joined forward cell state: 16 ',
      'joined backward cell state: 16 ',
    ]);
  });

  it('learns the grids of all, those that nobody takes too', async () => {
    needsTraining();
    const x = tfl.input({shape: [3], name: 'x'});
    const [one, two] = layerThat('Pair', given => [given.mul(2), given.mul(3), given.mul(4)], 3).apply(x) as Symbolic[];
    const y = layers.dense({units: 1}).apply(layers.add().apply([one!, two!])) as Symbolic;
    const q = quantizeModel(tfl.model({inputs: x, outputs: y}), {recipe: 'learned', customLayers: {Pair: {}}});
    q.compile({optimizer: 'adam', loss: 'meanSquaredError'});
    const data = seeded([8, 3]);
    const ranges = async () =>
      (await describeQuantization(q).read())
        .filter(({layer, numBits}) => layer === 'pair' && numBits)
        .map(({max}) => max);
    await q.trainOnBatch(data, tf.ones([8, 1]));
    const before = await ranges();
    await q.trainOnBatch(data, tf.ones([8, 1]));
    const after = await ranges();
    expect(after.slice(0, 2)).not.toEqual(before.slice(0, 2));
    expect(after.every(Number.isFinite)).toBeTrue();
    expect(after[2]).toBeDefined();
  });
});

describe('integers that a quantized layer is given', () => {
  scoped();

  const ids = () => tf.tensor2d([[1, 7, 3], [0, 5, 9]], [2, 3], 'int32'); // prettier-ignore
  const dense = (name = 'dense') => layers.dense({units: 2, name});
  const integers = () => tfl.input({shape: [3], dtype: 'int32', name: 'x'});
  const through = (input: Symbolic, ...stack: Layer[]) =>
    seededModel(
      input,
      stack.reduce<Symbolic>((x, layer) => layer.apply(x) as Symbolic, input),
    );

  const MODELS: Readonly<Record<string, () => Model>> = {
    'an int32 input': () => through(integers(), dense()),
    'an int32 input of a convolution': () =>
      through(integers(), layers.reshape({targetShape: [3, 1]}), layers.conv1d({filters: 2, kernelSize: 2})),
    'an int32 input of a sum': () => {
      const x = integers();
      return seededModel(x, layers.add().apply([x, layers.dense({units: 3}).apply(x) as Symbolic]) as Symbolic);
    },
    'an int32 input of an LSTM': () =>
      through(integers(), layers.reshape({targetShape: [3, 1]}), layers.lstm({units: 2})),
    'a float32 input': () => through(tfl.input({shape: [3], name: 'x'}), dense()),
    'a layer that gives integers': () =>
      through(
        tfl.input({shape: [3], name: 'x'}),
        layerThat('Whole', x => tf.cast(tf.round(x), 'int32')),
        dense(),
      ),
    'a layer that gives booleans': () =>
      through(
        integers(),
        layerThat('Positive', x => tf.greater(x, 2)),
        dense(),
      ),
  };

  for (const [name, make] of Object.entries(MODELS)) {
    it(`are as floats: ${name}`, async () => {
      const model = make();
      const own = model.layers.filter(layer => ['Whole', 'Positive'].includes(layer.getClassName()));
      const customLayers = Object.fromEntries(own.map(layer => [layer.getClassName(), {}]));
      const left = Object.fromEntries(own.map(({name}) => [name, false as const]));
      for (const options of [{}, {layers: left}, {recipe: 'learned'}] as const) {
        const q = quantizeModel(model, {...options, customLayers});
        await calibrate(q, ids());
        await expectEqual(predicted(q, [ids()]), predicted(q, [ids().toFloat()]));
        const [actual, expected] = [
          await valuesOf(predicted(q, [ids()])[0]!),
          await valuesOf(predicted(model, [ids()])[0]!),
        ];
        // Two roundings of the values, one of the weights.
        expected.forEach((value, i) => expect(Math.abs(actual[i]! - value)).toBeLessThan(0.2));
      }
    });
  }

  it("are as floats in tfmot's scheme", async () => {
    const q = quantizeModel(through(integers(), dense()), {scheme: 'tfmot'});
    await calibrate(q, ids());
    await expectEqual(predicted(q, [ids()]), predicted(q, [ids().toFloat()]));
    expect((await valuesOf(predicted(q, [ids()])[0]!)).every(value => value !== 0)).toBeTrue();
  });

  it('train', async () => {
    needsTraining();
    const q = quantizeModel(MODELS['an int32 input']!());
    q.compile({optimizer: 'adam', loss: 'meanSquaredError'});
    const loss = (await q.trainOnBatch(ids(), tf.ones([2, 2]))) as number;
    expect((await q.trainOnBatch(ids(), tf.ones([2, 2]))) as number).toBeLessThan(loss);
  });

  it('stay what they are where an Embedding takes them', async () => {
    const table = layers.embedding({inputDim: 2000, outputDim: 2, name: 'table'});
    const q = quantizeModel(through(tfl.input({shape: [3], dtype: 'int32'}), table));
    const far = tf.tensor2d([[1, 777, 1999]], [1, 3], 'int32');
    await calibrate(q, far);
    await expectEqual(predicted(q, [far]), predicted(dequantizeModel(q), [far]));
  });
});

describe('the file of a quantized model', () => {
  scoped();

  interface FirstFormat {
    readonly modelTopology: object;
    readonly weightSpecs: tf.io.WeightsManifestEntry[];
    readonly weightData: string;
    readonly input: number[];
    readonly outputs: number[][];
  }

  /** A model that version 0.1 saved, and what it computed. */
  async function firstFormat() {
    const text = new TextDecoder().decode(await readFile('test/qat/first_format.json'));
    const {modelTopology, weightSpecs, weightData, input, outputs} = JSON.parse(text) as FirstFormat;
    const bytes = Uint8Array.from(atob(weightData), character => character.charCodeAt(0));
    const load = (rename: (topology: string) => string = topology => topology) => {
      const topology = JSON.parse(rename(JSON.stringify(modelTopology))) as object;
      return tfl.loadLayersModel(tf.io.fromMemory({modelTopology: topology, weightSpecs, weightData: bytes.buffer}));
    };
    return {load, outputs, input: tf.tensor(input, [1, 4, 4, 1])};
  }

  it('of version 0.1 loads, computes what it did, and is saved anew with the names of now', async () => {
    const {load, input, outputs} = await firstFormat();
    const q = await load();
    const actual = predicted(q, [input]);
    for (const [i, expected] of outputs.entries()) {
      const values = await valuesOf(actual[i]!);
      // A GPU's products may fall to the other side of a tie.
      expected.forEach((value, j) => expect(values[j]).toBeCloseTo(value, 2));
    }
    const rows = await describeQuantization(q).read();
    const further = rows.filter(({what}) => what.startsWith('output '));
    expect(further.map(({layer, what}) => `${layer} ${what}`)).toEqual(['rnn output 2', 'rnn output 3']);
    for (const {note} of further) expect(note).toMatch(/^not rounded: made by version 0.1/);
    expect(q.toJSON() as string).toContain('"tfjs-quantization>QuantizedLayer"');
    expect(q.toJSON() as string).toContain('"tfjs-quantization>QuantizedInput"');
    await expectEqual(predicted(await reloaded(q), [input]), actual);
  });

  it('tells, where this package is not imported, what is missing', async () => {
    const {load} = await firstFormat();
    const {classNameMap} = tf.serialization.SerializationMap.getMap();
    const name = 'tfjs-quantization>QuantizedInput';
    const registered = classNameMap[name]!;
    Reflect.deleteProperty(classNameMap, name);
    const loading = load(topology => topology.replace('"QuantizedInput"', `"${name}"`));
    await expectAsync(loading).toBeRejectedWithError(/Unknown layer: tfjs-quantization>QuantizedInput/);
    classNameMap[name] = registered;
  });

  const DAMAGE: Readonly<Record<string, readonly [from: RegExp, to: string, message: RegExp]>> = {
    'no layer within': [
      /"layer":\{"class_name":"Conv2D"/,
      '"lay":{"class_name":"Conv2D"',
      /conv cannot.*layer must be an object, but was undefined/,
    ],
    'a layer within that is null': [
      /("name":"conv","trainable":true,"version":1,)"layer":\{/,
      '$1"layer":null,"lay":{',
      /conv cannot.*layer must be an object, but was null/,
    ],
    'no config within': [
      /("class_name":"Conv2D",)"config"/,
      '$1"conf"',
      /conv cannot.*layer.config must be an object, but was undefined/,
    ],
    'an unknown class within': [/"Conv2D"/, '"Conv9D"', /conv cannot.*Conv9D.*registerClass/],
    'a wrong option within': [/"filters":2/, '"filters":-2', /conv cannot.*filters/],
    'weights that are none': [
      /"weights":\{[^}]*\}/,
      '"weights":"x"',
      /conv cannot.*weights must be an object, but was the string 'x'/,
    ],
    'a width that is none': [
      /"weights":\{"num_bits":8/,
      '"weights":{"num_bits":99',
      /conv cannot.*weights.numBits must be an integer between 2 and 16, inclusive, but was 99/,
    ],
    'an observer that is none': [/"last_value"/, '"ema"', /conv cannot.*weights.observer.*'ema'/],
    'two things at once': [
      /"weights":\{"num_bits":8(.*?)"folds":false/,
      '"weights":{"num_bits":1$1"folds":3',
      /conv cannot[^]*2 problems[^]*numBits[^]*folds/,
    ],
    'a version that is none': [/("name":"conv","trainable":true,"version":)1/, '$1"x"', /conv cannot.*version must be/],
    'a newer version': [/("name":"conv","trainable":true,"version":)1/, '$199', /conv was saved by a newer version/],
    'weights of its own that are none': [
      /"custom_weights":null/,
      '"custom_weights":"x"',
      /conv cannot.*customWeights must be a list/,
    ],
    'weights of its own without a name': [
      /"custom_weights":null/,
      '"custom_weights":[{"axis":1}]',
      /conv cannot.*customWeights\[0\].name must be a string, but was undefined/,
    ],
    'a weight that it does not have': [
      /"custom_weights":null/,
      '"custom_weights":[{"name":"depth"}]',
      /conv cannot.*no weight depth/,
    ],
    'an axis that it does not have': [
      /"custom_weights":null/,
      '"custom_weights":[{"name":"kernel","axis":4}]',
      /conv cannot.*kernel of rank 4 has no axis 4/,
    ],
    'a place between that it does not have': [
      /"between":null/,
      '"between":{"num_bits":8}',
      /conv cannot.*SeparableConv2D/,
    ],
    'an input that is not rounded': [
      /"quantizer":\{[^}]*\}/,
      '"quantizer":null',
      /image_quantized cannot.*quantizer must be an object, but was null/,
    ],
    'an input of a wrong width': [
      /"quantizer":\{"num_bits":8/,
      '"quantizer":{"num_bits":"8"',
      /image_quantized cannot.*numBits.*'8'/,
    ],
  };

  for (const [name, [from, to, message]] of Object.entries(DAMAGE)) {
    it(`names the layer that is damaged: ${name}`, async () => {
      const {load} = await firstFormat();
      const damaged = (topology: string) => {
        const result = topology.replace(from, to);
        expect(result).not.toBe(topology);
        return result;
      };
      await expectAsync(load(damaged)).toBeRejectedWithError(message);
    });
  }

  it("names the layer that is damaged in tfmot's files", async () => {
    const model = tfl.sequential({layers: [layers.dense({units: 2, inputShape: [3], name: 'dense'})]});
    const artifacts = await artifactsOf(quantizeModel(model, {scheme: 'tfmot'}));
    const load = (from: RegExp, to: string) => {
      const modelTopology = JSON.parse(JSON.stringify(artifacts.modelTopology).replace(from, to)) as object;
      return tfl.loadLayersModel(tf.io.fromMemory({...artifacts, modelTopology}));
    };
    await expectAsync(load(/"quantize_config":\{/, '"quantize_config":null,"q":{')).toBeRejectedWithError(
      /quant_dense cannot.*quantizeConfig must be an object, but was null/,
    );
    await expectAsync(load(/"Dense"/, '"Denser"')).toBeRejectedWithError(/quant_dense cannot.*Denser/);
    await expectAsync(load(/"config":\{"activation":"linear"\}/, '"config":{}')).toBeRejectedWithError(
      /quant_dense cannot.*layer.config.activation.config.activation must be an object, but was undefined/,
    );
    await expectAsync(load(/AllValuesQuantizer/, 'NoQuantizer')).toBeRejectedWithError(
      /quantize_layer cannot.*NoQuantizer/,
    );
  });
});

describe('a copy of a model that cannot be made', () => {
  scoped();

  /** Holds a variable, a tensor and a kept one, and fails where it is told to. */
  class Failing extends layers.Layer {
    static className = 'Failing';
    static at: 'constructor' | 'build' | 'computeOutputShape' | 'name' | undefined;
    kernel: tfl.LayerVariable | undefined;

    constructor(args: object) {
      super(Failing.at === 'name' ? {...args, name: 'dense'} : args);
      tf.variable(tf.ones([2]));
      this.#fail('constructor');
    }

    override build(shape: tfl.Shape | tfl.Shape[]): void {
      this.kernel = this.addWeight('kernel', [2], 'float32', tfl.initializers.ones());
      if (Failing.at) tf.keep(tf.ones([3]));
      tf.ones([4]);
      this.#fail('build');
      super.build(shape);
    }

    override computeOutputShape(shape: tfl.Shape | tfl.Shape[]) {
      this.#fail('computeOutputShape');
      return shape;
    }

    override call(inputs: tf.Tensor | tf.Tensor[]) {
      return [inputs].flat()[0]!.clone();
    }

    #fail(where: typeof Failing.at): void {
      if (Failing.at === where) throw new Error(`fails in ${where}`);
    }
  }
  tf.serialization.registerClass(Failing);

  afterEach(() => (Failing.at = undefined));

  const modelOf = () =>
    tfl.sequential({
      layers: [
        layers.lstm({units: 3, returnSequences: true, stateful: true, batchInputShape: [2, 2, 3], name: 'rnn'}),
        layers.dense({units: 3, name: 'dense'}),
        new Failing({name: 'failing'}),
      ],
    });

  const OPTIONS = {customLayers: {Failing: {kernel: {}}}};

  for (const at of ['constructor', 'build', 'computeOutputShape'] as const) {
    it(`leaves nothing behind: ${at}`, async () => {
      const model = modelOf();
      const q = quantizeModel(model, OPTIONS);
      await calibrate(q, tf.ones([2, 2, 3]));
      const copies: (() => unknown)[] = [
        () => quantizeModel(model, OPTIONS),
        () => quantizeModel(model, {layers: {failing: false}}),
        () => quantizeModel(model, {layers: {failing: false, rnn: false}, scheme: 'tfmot'}),
        () => dequantizeModel(q),
      ];
      const {numTensors, numBytes} = tf.memory();
      Failing.at = at;
      for (const copy of copies) {
        expect(copy).toThrowError(new RegExp(`fails in ${at}`));
        expect([tf.memory().numTensors, tf.memory().numBytes]).toEqual([numTensors, numBytes]);
      }
      Failing.at = undefined;
      // And what it is a copy of still is.
      expect(predicted(model, [tf.ones([2, 2, 3])])[0]!.shape).toEqual([2, 2, 3]);
      for (const each of [model, q]) tf.dispose((each.getLayer('rnn') as unknown as {states: tf.Tensor[]}).states);
    });
  }

  it('leaves nothing behind: two layers of one name', () => {
    const model = modelOf();
    const {numTensors} = tf.memory();
    Failing.at = 'name';
    expect(() => quantizeModel(model, OPTIONS)).toThrowError(/"dense" is used 2 times/);
    expect(tf.memory().numTensors).toBe(numTensors);
    tf.dispose((model.getLayer('rnn') as unknown as {states: tf.Tensor[]}).states);
  });
});
