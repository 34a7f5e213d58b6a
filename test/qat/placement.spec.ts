/** What gets values as they are, what gets them rounded, on which ranges, and what is told of it. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {
  calibrate,
  dequantizeModel,
  describeQuantization,
  freezeBatchNorm,
  freezeRanges,
  quantizeModel,
  type QuantizeOptions,
} from '../../src/entries/qat';
import {kindOf} from '../../src/layers/kinds';
import {onWebGPU, valuesOf} from '../support/environment';
import {reloaded} from '../support/saved';
import {needsTraining, scoped, skip} from '../support/scoped';

const {layers} = tfl;
type Layer = tfl.layers.Layer;
type Symbolic = tfl.SymbolicTensor;

const apply = (layer: Layer, ...x: Symbolic[]) => layer.apply(x.length === 1 ? x[0]! : x) as Symbolic;
const chain = (x: Symbolic, ...all: Layer[]) => all.reduce((y, layer) => apply(layer, y), x);
const uniform = (seed: number) => tfl.initializers.randomUniform({minval: -0.5, maxval: 0.5, seed});
const lstm = (name = 'lstm') =>
  layers.lstm({units: 4, name, kernelInitializer: uniform(1), recurrentInitializer: uniform(2), unitForgetBias: false});
const dense = (name: string, units = 2, activation = 'linear') =>
  layers.dense({units, name, activation: activation as 'relu', kernelInitializer: uniform(3)});
const embedding = (name = 'rows', inputDim = 2000, maskZero = false) =>
  layers.embedding({inputDim, outputDim: 4, name, maskZero, embeddingsInitializer: uniform(4)});

async function predicted(model: tfl.LayersModel, x: tf.Tensor | tf.Tensor[]): Promise<number[][]> {
  const y = [model.predict(x)].flat();
  return Promise.all(y.map(async each => [...(await valuesOf(each))]));
}

/** How far two models are apart, as a share of the largest output of the first. */
async function distance(model: tfl.LayersModel, q: tfl.LayersModel, x: tf.Tensor | tf.Tensor[]): Promise<number> {
  const [one, other] = [(await predicted(model, x)).flat(), (await predicted(q, x)).flat()];
  const error = Math.max(...one.map((value, i) => Math.abs(value - other[i]!)));
  return error / Math.max(...one.map(Math.abs));
}

const masksOnGpu = () => {
  if (onWebGPU) skip("tfjs's transpose of a mask is not valid WGSL: it gives an i32 for an f32");
};

const countsOnGpu = () => {
  if (onWebGPU)
    skip("tfjs's CategoryEncoding reads its input at once, which WebGPU does by way of a canvas, if at all");
};

/** Three real steps, three of padding; the last real value is nearer to 0 than any level. */
function padded(maskValue: number, features = 1): tf.Tensor {
  const real = tf.concat(
    [tf.randomUniform([8, 2, features], 0.5, 2.3, 'float32', 5), tf.fill([8, 1, features], 1e-7)],
    1,
  );
  return tf.concat([real, tf.fill([8, 3, features], maskValue)], 1);
}

describe('Masking compares exact values', () => {
  scoped();

  const input = (features = 1) => tfl.input({shape: [6, features], name: 'x'});
  const model = (inputs: Symbolic | Symbolic[], outputs: Symbolic | Symbolic[]) => tfl.model({inputs, outputs});
  const MODELS: Readonly<Record<string, (mask: Layer) => tfl.LayersModel>> = {
    'right after the input': mask => {
      const x = input();
      return model(x, chain(x, mask, lstm()));
    },
    'after layers that move values': mask => {
      const x = input();
      const moved = [
        layers.reshape({targetShape: [1, 6]}),
        layers.permute({dims: [2, 1]}),
        layers.dropout({rate: 0.5}),
      ];
      return model(x, chain(x, ...moved, mask, lstm()));
    },
    'after a concatenation': mask => {
      const x = input();
      const both = apply(layers.concatenate(), x, apply(layers.dropout({rate: 0.1}), x));
      return model(x, chain(both, mask, lstm()));
    },
    'after scaling': mask => {
      const x = input();
      return model(x, chain(x, layers.rescaling({scale: 1, offset: 0}), mask, lstm()));
    },
    'called step by step': mask => {
      const x = input();
      const steps = layers.timeDistributed({layer: mask, name: 'steps'});
      return model(x, chain(x, layers.reshape({targetShape: [6, 1, 1]}), steps, layers.flatten(), dense('d')));
    },
    'beside others that take the input': mask => {
      const x = input();
      return model(x, [chain(x, mask, lstm()), chain(x, layers.flatten(), dense('d'))]);
    },
    'beside others that take what is moved': mask => {
      const x = input();
      const moved = apply(layers.dropout({rate: 0.5, name: 'moved'}), x);
      return model(x, [chain(moved, mask, lstm()), chain(moved, layers.flatten(), dense('d'))]);
    },
    'in a model within': mask => {
      const inner = input();
      const nested = tfl.model({inputs: inner, outputs: chain(inner, mask, lstm()), name: 'nested'});
      const x = tfl.input({shape: [6, 1], name: 'outer'});
      return model(x, [apply(nested, x), chain(x, layers.flatten(), dense('d'))]);
    },
    'in a model within that also computes with the input': mask => {
      const inner = input();
      const outputs = [chain(inner, mask, lstm()), chain(inner, layers.flatten(), dense('e'))];
      const nested = tfl.model({inputs: inner, outputs: apply(layers.concatenate(), ...outputs), name: 'nested'});
      const x = tfl.input({shape: [6, 1], name: 'outer'});
      return model(x, chain(x, layers.dropout({rate: 0.5}), nested, dense('d')));
    },
    'in a model called step by step': mask => {
      const inner = input();
      const nested = tfl.model({inputs: inner, outputs: chain(inner, mask, lstm()), name: 'nested'});
      const x = tfl.input({shape: [6, 1], name: 'outer'});
      const steps = chain(x, layers.reshape({targetShape: [1, 6, 1]}), layers.timeDistributed({layer: nested}));
      return model(x, chain(steps, layers.flatten(), dense('d')));
    },
  };

  for (const [name, make] of Object.entries(MODELS)) {
    for (const maskValue of [-1, 0]) {
      it(`${name}, with ${maskValue}`, async () => {
        masksOnGpu();
        const float = make(layers.masking({maskValue, name: 'mask'}));
        // Of so many bits that a mask that is another one stands out, and yet no level is -1.
        const q = quantizeModel(float, {weights: {numBits: 16}, activations: {numBits: 16}});
        const x = padded(maskValue);
        await calibrate(q, x);
        expect(await distance(float, q, x)).toBeLessThan(1e-3);
        expect(await distance(q, await reloaded(q), x)).toBe(0);
      });
    }
  }

  it('and is rounded after, once for all that compute with it', async () => {
    masksOnGpu();
    const x = input();
    const q = quantizeModel(model(x, chain(x, layers.masking({name: 'mask'}), lstm())));
    const rows = (await describeQuantization(q).read()).filter(({numBits}) => numBits);
    expect(rows.map(({layer, what}) => `${layer}.${what}`)).toEqual([
      'mask.output',
      'lstm.kernel',
      'lstm.recurrentKernel',
      'lstm.output',
      'lstm.cell state',
    ]);
  });

  for (const numBits of [4, 8]) {
    it(`and trains at ${numBits} bits`, async () => {
      needsTraining();
      masksOnGpu();
      const x = input();
      const frozen = dense('frozen', 3);
      frozen.trainable = false;
      const parts = {
        mask: layers.masking({maskValue: 0, name: 'mask'}),
        more: layers.masking({maskValue: 0, name: 'more'}),
      };
      const left = chain(x, parts.mask, lstm('one'));
      const right = chain(x, frozen, parts.more, lstm('two'));
      const steps = layers.timeDistributed({layer: layers.masking({maskValue: 0}), name: 'steps'});
      const split = layers.reshape({targetShape: [6, 1, 3]});
      const stepped = chain(apply(frozen, x), split, steps, layers.reshape({targetShape: [6, 3]}), lstm('three'));
      const float = model(x, apply(layers.concatenate(), left, right, stepped));
      const q = quantizeModel(float, {weights: {numBits}, activations: {numBits}});
      const data = padded(0);
      const y = tf.zeros([8, 12]);
      await calibrate(q, data);
      q.compile({optimizer: tf.train.sgd(0.1), loss: 'meanSquaredError'});
      const {history} = await q.fit(data, y, {epochs: 4});
      const losses = history['loss'] as number[];
      expect(losses.at(-1)).toBeLessThan(losses[0]!);
      q.optimizer.dispose();
    });
  }

  it('of an Embedding too, which then trains at 4 bits', async () => {
    needsTraining();
    masksOnGpu();
    const x = tfl.input({shape: [6], name: 'x'});
    const q = quantizeModel(model(x, chain(x, embedding('rows', 300, true), lstm(), dense('d'))), {
      weights: {numBits: 4},
      activations: {numBits: 4},
    });
    const ids = tf.tensor2d([[1, 2, 299, 4, 0, 0]]);
    await calibrate(q, ids);
    q.compile({optimizer: tf.train.sgd(0.1), loss: 'meanSquaredError'});
    const {history} = await q.fit(ids, tf.ones([1, 2]), {epochs: 3});
    const losses = history['loss'] as number[];
    expect(losses.at(-1)).toBeLessThan(losses[0]!);
    q.optimizer.dispose();
  });
});

describe('row numbers stay as they are', () => {
  scoped();

  const IDS = [[1, 777, 1999]];
  const MODELS: Readonly<Record<string, (x: Symbolic) => Symbolic | Symbolic[]>> = {
    'for an Embedding beside a Dense': x => {
      const zeros = layers.dense({units: 1, kernelInitializer: 'zeros'});
      return apply(layers.concatenate(), chain(x, zeros), chain(x, embedding(), layers.flatten()));
    },
    'for two Embeddings and a Dense': x => [
      chain(x, embedding('one')),
      chain(x, embedding('two')),
      chain(x, dense('d', 1)),
    ],
    'for an Embedding after layers that move them': x => {
      const moved = chain(x, layers.repeatVector({n: 2}), layers.permute({dims: [2, 1]}), layers.flatten({name: 'f'}));
      return [chain(moved, embedding()), chain(moved, dense('d', 1))];
    },
    'for an Embedding of computed numbers': x => {
      const sum = apply(layers.maximum({name: 'most'}), x, apply(layers.dropout({rate: 0.5}), x));
      return [chain(sum, embedding()), chain(sum, dense('d', 1))];
    },
    'for an Embedding called step by step': x => [
      chain(x, layers.reshape({targetShape: [3, 1]}), layers.timeDistributed({layer: embedding()})),
      chain(x, dense('d', 1)),
    ],
    'for CategoryEncoding beside a Dense': x => [
      // tfjs's writes its output's shape into its input's, which must not be the model's.
      chain(
        x,
        layers.reshape({targetShape: [3]}),
        layers.categoryEncoding({numTokens: 2000, outputMode: 'multiHot', name: 'hot'}),
        dense('e', 2),
      ),
      chain(x, dense('d', 1)),
    ],
    'for a layer that is left as it is': x => [
      chain(x, layers.activation({activation: 'relu', name: 'left'})),
      chain(x, dense('d', 1)),
    ],
  };

  for (const [name, make] of Object.entries(MODELS)) {
    it(name, async () => {
      if (name.includes('CategoryEncoding')) countsOnGpu();
      const x = tfl.input({shape: [3], name: 'x'});
      const float = tfl.model({inputs: x, outputs: make(x)});
      const left = float.layers.some(layer => layer.name === 'left');
      const q = quantizeModel(float, left ? {layers: {left: false}} : {});
      const ids = tf.tensor2d(IDS);
      await calibrate(q, ids);
      const [exact, rounded] = [await predicted(float, ids), await predicted(q, ids)];
      for (const [i, values] of exact.entries()) {
        const scale = Math.max(...values.map(Math.abs));
        values.forEach((value, j) => expect(Math.abs(value - rounded[i]![j]!)).toBeLessThan(0.02 * scale));
      }
      if (left) expect(rounded[0]).toEqual(IDS[0]);
      // The other one computes with rounded values: 777 is no level of 0 to 1999.
      const rows = await describeQuantization(q).read();
      expect(rows.filter(({layer, numBits}) => layer.endsWith('_quantized') && numBits === 8).length).toBe(1);
      expect(await distance(q, await reloaded(q), ids)).toBe(0);
      expect(await distance(float, dequantizeModel(q), ids)).toBeLessThan(0.02);
    });
  }
});

/** Tells values that equal -1, which no rounded value here does. */
class Equals extends layers.Layer {
  static className = 'Equals';

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.cast(tf.equal([inputs].flat()[0]!, -1), 'float32');
  }
}
tf.serialization.registerClass(Equals);

describe("a layer of one's own that is left as it is", () => {
  scoped();

  it('is given its values as they are: inputs, moved or not, and what others compute', async () => {
    const x = tfl.input({shape: [3], name: 'x'});
    const moved = chain(x, layers.reshape({targetShape: [3]}));
    const same = tfl.initializers.identity({gain: 1});
    const computed = chain(x, layers.dense({units: 3, kernelInitializer: same, name: 'same'}));
    const outputs = [moved, computed].map((value, i) => chain(value, new Equals({name: `equal${i}`})));
    const model = tfl.model({inputs: x, outputs: [...outputs, chain(moved, dense('d')), chain(computed, dense('e'))]});
    // The input goes rounded into the Dense, where -1 is a level; what that gives is not rounded on its own range.
    const q = quantizeModel(model, {
      weights: {numBits: 2},
      layers: {equal0: false, equal1: false, same: {weights: false}},
      ranges: {x: [-1, 2]},
    });
    await calibrate(q, tf.tensor2d([[-1, 0.3, 1.97]]));
    const data = tf.tensor2d([[-1, -0.9999, 1]]);
    expect((await predicted(q, data)).slice(0, 1)).toEqual([[1, 0, 0]]);
    expect(await reasons(q)).toEqual(
      jasmine.objectContaining({same: 'taken as it is by equal1', equal0: 'left out by the options'}),
    );
    expect(await rounded(q)).toEqual(jasmine.arrayContaining(['same_quantized.output', 'x_quantized.output']));
  });
});

const conv = (name: string, activation = 'linear') =>
  layers.conv2d({filters: 2, kernelSize: 1, name, activation: activation as 'relu', kernelInitializer: uniform(5)});
const image = (name = 'x') => tfl.input({shape: [4, 4, 2], name});
const IMAGES = () => tf.randomUniform([8, 4, 4, 2], -1, 1, 'float32', 6);

/** `layer: why its output is not rounded`, for all that are not. */
async function reasons(q: tfl.LayersModel, of = 'output'): Promise<Record<string, string>> {
  const rows = (await describeQuantization(q).read()).filter(({what, numBits}) => what === of && !numBits);
  return Object.fromEntries(
    rows.map(({layer, note}) => [layer, note.replace(/^not rounded: |; the statistics are .*/g, '')]),
  );
}

async function rounded(q: tfl.LayersModel): Promise<string[]> {
  const rows = (await describeQuantization(q).read()).filter(({numBits}) => numBits);
  return rows.map(({layer, what}) => `${layer}.${what}`);
}

/** A base of a convolution, BatchNormalization and relu, and a head. */
function transferred(name = 'base'): tfl.LayersModel {
  const inner = image('inner');
  const parts = [conv('c'), layers.batchNormalization({name: 'n'}), layers.reLU({name: 'r'})];
  const base = tfl.model({inputs: inner, outputs: chain(inner, ...parts), name});
  const x = image();
  return tfl.model({inputs: x, outputs: chain(x, base, layers.flatten({name: 'f'}), dense('d'))});
}

/** The same called step by step. */
function stepwise(): tfl.LayersModel {
  const inner = image('inner');
  const parts = [conv('c'), layers.reLU({name: 'r'}), layers.flatten({name: 'f'})];
  const base = tfl.model({inputs: inner, outputs: chain(inner, ...parts), name: 'base'});
  const x = tfl.input({shape: [3, 4, 4, 2], name: 'x'});
  return tfl.model({inputs: x, outputs: chain(x, layers.timeDistributed({layer: base, name: 'td'}), dense('d'))});
}

describe('describeQuantization tells why an output is not rounded', () => {
  scoped();

  const MODELS: Readonly<Record<string, () => tfl.LayersModel>> = {
    chain: () => {
      const x = image();
      const parts = [conv('c'), layers.batchNormalization({name: 'n'}), layers.reLU({name: 'r'})];
      return tfl.model({inputs: x, outputs: chain(x, ...parts, layers.flatten({name: 'f'}), dense('s', 2, 'softmax'))});
    },
    concat: () => {
      const x = image();
      const branches = [chain(x, conv('a'), layers.reLU({name: 'ar'})), chain(x, conv('b'))];
      const both = apply(layers.concatenate({name: 'both'}), ...branches);
      return tfl.model({inputs: x, outputs: chain(both, conv('d'), layers.softmax({name: 'soft'}))});
    },
    add: () => {
      const x = image();
      const sum = apply(layers.add({name: 'sum'}), chain(x, conv('a')), chain(x, conv('b')));
      return tfl.model({inputs: x, outputs: chain(sum, layers.reLU({name: 'r'}))});
    },
    words: () => {
      const x = tfl.input({shape: [3], name: 'x'});
      return tfl.model({inputs: x, outputs: chain(x, embedding('e', 9), lstm('l'), dense('y', 2, 'sigmoid'))});
    },
    transferred,
    stepwise,
  };
  const after = (name: string) => `rounded once, after ${name}`;
  const out = 'left out by the options';
  const moves = 'moves values only';
  const soft = 'softmax is an output: what it is given is rounded';
  const sigmoid = 'sigmoid is an output: what it is given is rounded';
  const chained = {f: moves, s: soft};
  const CASES: readonly [model: string, options: QuantizeOptions, expected: Record<string, string>][] = [
    ['chain', {}, {c: after('r'), n: after('r'), ...chained}],
    ['chain', {recipe: 'learned', keepEnds8bit: true}, {c: after('r'), n: after('r'), ...chained}],
    ['chain', {layers: {r: false}}, {c: after('n'), ...chained}],
    ['chain', {layers: {n: false}}, chained],
    ['chain', {layers: {c: false}}, {n: after('r'), ...chained}],
    ['chain', {layers: {r: {activations: false}}}, {c: out, n: out, r: out, ...chained}],
    ['chain', {layers: {n: {activations: false}}}, {c: after('r'), n: after('r'), ...chained}],
    ['chain', {layers: {s: {activations: false}}}, {c: after('r'), n: after('r'), f: moves, s: out}],
    ['chain', {layers: {s: false}}, {c: after('r'), n: after('r'), f: moves, s: out}],
    ['chain', {activations: false}, {c: out, n: out, r: out, f: moves, s: out}],
    ['chain', {weights: false}, {c: after('r'), n: after('r'), ...chained}],
    ['concat', {}, {a: after('both'), ar: after('both'), b: after('both'), soft: 'softmax is an output'}],
    ['concat', {layers: {both: false}}, {a: after('ar'), soft: 'softmax is an output'}],
    ['concat', {layers: {both: {activations: false}, soft: false}}, {a: out, ar: out, b: out, both: out, soft: out}],
    ['concat', {layers: {ar: false}}, {b: after('both'), soft: 'softmax is an output'}],
    ['add', {}, {sum: after('r')}],
    ['add', {layers: {r: false}}, {r: out}],
    ['words', {}, {e: "its rows are on the weights' grid", y: sigmoid}],
    ['words', {layers: {e: {weights: {perChannel: true}}}}, {y: sigmoid}],
    ['words', {weights: false}, {y: sigmoid}],
    ['words', {activations: false}, {e: "its rows are on the weights' grid", l: out, y: out}],
    ['transferred', {}, {c: after('r'), n: after('r'), f: moves}],
    ['transferred', {layers: {base: {activations: false}}}, {c: out, n: out, r: out, f: moves}],
    ['transferred', {layers: {base: false}}, {c: out, n: out, r: out, f: moves}],
    ['stepwise', {}, {td: 'see the layers that it calls', c: after('r'), f: moves}],
    ['stepwise', {layers: {r: false}}, {td: 'see the layers that it calls', r: out, f: moves}],
  ];

  for (const [name, options, expected] of CASES) {
    it(`${name} ${JSON.stringify(options)}`, async () => {
      const q = quantizeModel(MODELS[name]!(), options);
      expect(await reasons(q)).toEqual(expected);
      const done = await rounded(q);
      for (const reason of Object.values(expected)) {
        const [, by] = /^rounded once, after (.*)$/.exec(reason) ?? [];
        if (by) expect(done).toContain(`${by}.output`);
      }
      // Loaded again, and within another model, with metadata of one's own.
      q.setUserDefinedMetadata({mine: 1});
      const loaded = await reloaded(q);
      expect(await reasons(loaded)).toEqual(expected);
      expect(await rounded(loaded)).toEqual(done);
      const outer = tfl.input({batchShape: q.inputs[0]!.shape, name: 'outer'});
      expect(await reasons(tfl.model({inputs: outer, outputs: q.apply(outer) as Symbolic}))).toEqual(expected);
      expect(dequantizeModel(q).getConfig()).not.toEqual(jasmine.stringContaining('rounded once'));
    });
  }

  it('of names with capitals and underscores, loaded again', async () => {
    const x = image();
    const model = tfl.model({inputs: x, outputs: chain(x, conv('conv_A'), layers.reLU({name: 'theReLU_1'}))});
    expect(await reasons(await reloaded(quantizeModel(model)))).toEqual({conv_A: after('theReLU_1')});
  });

  it('of layers that are added later, which no option left out', async () => {
    const q = quantizeModel(MODELS['add']!(), {layers: {r: false}});
    const model = tfl.sequential({layers: [q, layers.flatten({name: 'f'}), dense('new')]});
    const expected = {r: out, f: moves, new: 'it is not quantized'};
    expect(await reasons(model)).toEqual(expected);
    expect(await reasons(await reloaded(model))).toEqual(expected);
    expect(await reasons(model, 'weights')).toEqual({new: 'it is not quantized'});
  });

  it("of tfmot's scheme", async () => {
    const q = quantizeModel(MODELS['chain']!(), {scheme: 'tfmot', layers: {r: false}});
    const not = "tfmot's scheme does not round here";
    expect(await reasons(q)).toEqual({
      quant_c: not,
      quant_n: not,
      r: 'it is not quantized',
      quant_f: moves,
      quant_s: not,
    });
  });

  it('of weights', async () => {
    expect(await reasons(quantizeModel(MODELS['words']!(), {weights: false}), 'weights')).toEqual({
      e: out,
      l: out,
      y: out,
    });
  });

  it('of models that were saved before reasons were kept, without guessing', async () => {
    const q = quantizeModel(MODELS['chain']!(), {layers: {r: false}});
    const json = JSON.parse(q.toJSON() as string, (key, value: unknown) =>
      key === 'reason' ? undefined : value,
    ) as tfl.ModelAndWeightsConfig;
    const old = await tfl.models.modelFromJSON(json);
    const unknown = 'the model was saved before reasons were kept';
    expect(await reasons(old)).toEqual({c: unknown, f: moves, s: unknown});
  });
});

describe('a model within a model', () => {
  scoped();

  it('stays float by its name, rounded where others take what it gives', async () => {
    const model = transferred();
    const q = quantizeModel(model, {layers: {base: false}});
    expect(await rounded(q)).toEqual(['base_quantized.output', 'd.kernel', 'd.output']);
    const base = q.getLayer('base') as unknown as tfl.LayersModel;
    expect(base.layers.map(layer => layer.getClassName())).toEqual([
      'InputLayer',
      'Conv2D',
      'BatchNormalization',
      'ReLU',
    ]);
    await calibrate(q, IMAGES());
    expect(await distance(model, q, IMAGES())).toBeLessThan(0.03);
    expect(await distance(q, await reloaded(q), IMAGES())).toBe(0);
  });

  it('stays float as the first of a Sequential, which knows its layers only', async () => {
    const inner = image('inner');
    const base = tfl.model({inputs: inner, outputs: chain(inner, conv('c'), layers.reLU({name: 'r'})), name: 'base'});
    const model = tfl.sequential({layers: [base, layers.flatten({name: 'f'}), dense('d')]});
    expect(await rounded(quantizeModel(model, {layers: {base: false}}))).toEqual([
      'r_quantized.output',
      'd.kernel',
      'd.output',
    ]);
  });

  for (const name of ['td', 'base']) {
    it(`stays float within TimeDistributed, by the name ${name}`, async () => {
      const model = stepwise();
      const q = quantizeModel(model, {layers: {[name]: false}});
      expect(await rounded(q)).toEqual(['td_quantized.output', 'd.kernel', 'd.output']);
      const x = tf.randomUniform([4, 3, 4, 4, 2], -1, 1, 'float32', 7);
      await calibrate(q, x);
      expect(await distance(model, q, x)).toBeLessThan(0.03);
    });
  }

  it('keeps the statistics of its BatchNormalization while the rest trains, if they are frozen', async () => {
    needsTraining();
    const model = transferred();
    model.getLayer('base').trainable = false;
    const q = quantizeModel(model);
    expect(q.trainableWeights.length).toBe(2);
    const base = q.getLayer('base') as unknown as tfl.LayersModel;
    const statistics = async () =>
      Promise.all(
        base
          .getLayer('n')
          .getWeights()
          .map(async each => [...(await valuesOf(each))]),
      );
    const before = await statistics();
    q.compile({optimizer: tf.train.sgd(0.1), loss: 'meanSquaredError'});
    freezeBatchNorm(base);
    await q.fit(IMAGES(), tf.ones([8, 2]), {epochs: 1});
    expect(await statistics()).toEqual(before);
    freezeBatchNorm(base, false);
    await q.fit(IMAGES(), tf.ones([8, 2]), {epochs: 1});
    expect(await statistics()).not.toEqual(before);
    q.optimizer.dispose();
  });

  it('gives back all that it takes, with what is rounded between', () => {
    const model = transferred();
    const before = tf.memory().numTensors;
    const options = {layers: {base: false}, ranges: {base_quantized: [0, 1]}} as const;
    expect(() => quantizeModel(model, options)).toThrowError(/no layer or input base_quantized/);
    quantizeModel(model, {layers: {base: false}, ranges: {r: [0, 1]}}).dispose();
    quantizeModel(model, {ranges: {x: [-1, 1]}}).dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('has options of its own, and its layers theirs', async () => {
    const options = {base: {weights: {numBits: 4}}, r: {activations: {numBits: 5}}, d: {weights: {numBits: 6}}};
    const bits = async (named: QuantizeOptions['layers']) => {
      const rows = await describeQuantization(quantizeModel(transferred(), {layers: named!})).read();
      return rows.filter(({what}) => what === 'kernel').map(({layer, numBits}) => `${layer} ${numBits}`);
    };
    expect(await bits(options)).toEqual(['c 4', 'd 6']);
    expect(await bits({...options, c: {weights: {numBits: 7}}})).toEqual(['c 7', 'd 6']);
    expect(await bits({base: false, c: {weights: {numBits: 7}}})).toEqual(['c 7', 'd 8']);
    expect(await bits({base: {weights: {numBits: 4}}, c: false})).toEqual(['d 8']);
  });
});

describe('ranges are pinned', () => {
  scoped();

  const rangesOf = async (q: tfl.LayersModel, name: string) => {
    const row = (await describeQuantization(q).read()).find(({layer, what}) => layer === name && what === 'output')!;
    return [row.min, row.max, row.observing];
  };

  for (const recipe of ['minMax', 'learned'] as const) {
    it(`of inputs and outputs, with the recipe ${recipe}: nothing moves them`, async () => {
      const q = quantizeModel(transferred(), {recipe, ranges: {x: [-2, 2], c: [0, 3], d: [-4, 5]}});
      const all = async (model: tfl.LayersModel) => [
        await rangesOf(model, 'x_quantized'),
        await rangesOf(model, 'r'),
        await rangesOf(model, 'd'),
      ];
      const pinned = [
        [-2, 2, false],
        [0, 3, false],
        [-4, 5, false],
      ];
      expect(await all(q)).toEqual(pinned);
      // They count from the start: a level of d is 9 / 255.
      const [values] = await predicted(q, IMAGES());
      for (const value of values!) expect((value * 255) / 9).toBeCloseTo(Math.round((value * 255) / 9), 3);
      await calibrate(q, IMAGES());
      expect(await all(q)).toEqual(pinned);
      freezeRanges(q, false);
      tf.tidy(() => void q.apply(IMAGES(), {training: true}));
      expect(await all(q)).toEqual(pinned);
      const loaded = await reloaded(q);
      expect(await all(loaded)).toEqual(pinned);
      tf.tidy(() => void loaded.apply(IMAGES(), {training: true}));
      expect(await all(loaded)).toEqual(pinned);
    });
  }

  it('of what a float model gives, and of values that others take as they are', async () => {
    const kept = quantizeModel(transferred(), {layers: {base: false}, ranges: {r: [0, 6]}});
    expect(await rangesOf(kept, 'base_quantized')).toEqual([0, 6, false]);
    const x = tfl.input({shape: [3], name: 'x'});
    const outputs = [chain(x, embedding()), chain(x, dense('d'))];
    const q = quantizeModel(tfl.model({inputs: x, outputs}), {ranges: {x: [0, 2000]}});
    expect(await rangesOf(q, 'x_quantized')).toEqual([0, 2000, false]);
  });

  it('or refused, all problems at once', () => {
    const x = image();
    const both = apply(layers.concatenate({name: 'both'}), chain(x, conv('a')), chain(x, conv('b')));
    const end = chain(both, conv('e'), layers.reLU({name: 'r'}), layers.flatten({name: 'f'}), dense('s', 2, 'softmax'));
    const ids = tfl.input({shape: [3], name: 'ids'});
    const model = tfl.model({inputs: [x, ids], outputs: [end, chain(ids, embedding('rows', 9))]});
    const quantize =
      (ranges: QuantizeOptions['ranges'], more: QuantizeOptions = {}) =>
      () =>
        quantizeModel(model, {...more, ranges: ranges!});
    const bad = quantize({
      nowhere: [0, 1],
      a: [0, 1],
      f: [0, 1],
      s: [0, 1],
      e: [0, 1],
      r: [0, 2],
      x: [0.5, 1],
      ids: [0, 9],
      rows: [-1, 1],
    });
    for (const part of [
      /8 problems/,
      /ranges\.nowhere: there is no layer or input nowhere/,
      /ranges\.a: it is rounded together with others, after both\. Name both/,
      /ranges\.f: the layer moves values only\. Name the layer, or the input, that they come from/,
      /ranges\.s: its output is not rounded: softmax is an output/,
      /ranges\.e and ranges\.r are of one output, which is rounded once, after r, but differ/,
      /ranges\.x must hold 0.* was \[0\.5, 1\]\. Give it \[0, 1\]/,
      /ranges\.ids: nobody computes with this input/,
      /ranges\.rows: its output is not rounded: its rows are on the weights' grid/,
    ]) {
      expect(bad).toThrowError(part);
    }
    expect(quantize({e: [0, 1]}, {layers: {r: {activations: false}}})).toThrowError(/leave the activations of r out/);
    expect(() => quantizeModel(transferred(), {ranges: {base: [0, 1]}})).toThrowError(
      /ranges\.base: it is a model\. Name the layer in it that gives its output/,
    );
  });
});

describe("every class of tfjs's layers", () => {
  scoped();

  const KINDS: Readonly<Record<string, string>> = {
    compute: 'Conv1D Conv2D Conv2DTranspose Conv3D Conv3DTranspose Dense DepthwiseConv2D SeparableConv2D',
    recurrent:
      'Bidirectional ConvLSTM2D ConvLSTM2DCell GRU GRUCell LSTM LSTMCell RNN SimpleRNN SimpleRNNCell StackedRNNCells',
    embedding: 'Embedding',
    encoding: 'CategoryEncoding',
    masking: 'Masking',
    batchNorm: 'BatchNormalization',
    activation: 'Activation ELU LeakyReLU PReLU ReLU Softmax ThresholdedReLU',
    merge: 'Add Average Dot Maximum Minimum Multiply',
    concat: 'Concatenate',
    elementwise:
      'AveragePooling1D AveragePooling2D AveragePooling3D CenterCrop GlobalAveragePooling1D GlobalAveragePooling2D ' +
      'LayerNormalization RandomWidth Rescaling Resizing',
    passing:
      'AlphaDropout Cropping2D Dropout Flatten GaussianDropout GaussianNoise GlobalMaxPooling1D GlobalMaxPooling2D ' +
      'InputLayer MaxPooling1D MaxPooling2D MaxPooling3D Permute RepeatVector Reshape SpatialDropout1D UpSampling2D ' +
      'ZeroPadding2D',
  };

  it('is known, by what it does', () => {
    const {classNameMap} = tf.serialization.SerializationMap.getMap();
    // Specs register classes too, which tfjs has no function for.
    const functions = new Set(Object.keys(layers).map(name => name.toLowerCase()));
    const names = Object.entries(classNameMap).flatMap(([name, [cls]]) => {
      const {prototype} = cls as unknown as {prototype: unknown};
      const isTfjs = prototype instanceof layers.Layer && functions.has(name.toLowerCase());
      return isTfjs && name !== 'TimeDistributed' ? [name] : [];
    });
    const expected = Object.entries(KINDS).flatMap(([kind, all]) => all.split(' ').map(name => `${name}: ${kind}`));
    const stub = (name: string) =>
      ({getClassName: () => name, interpolation: name === 'UpSampling2D' ? 'nearest' : 'bilinear'}) as unknown as Layer;
    expect(names.map(name => `${name}: ${kindOf(stub(name), {})}`).sort()).toEqual(expected.sort());
  });

  it('CategoryEncoding takes numbers as they are, and is not asked for a kernel', async () => {
    countsOnGpu();
    const x = tfl.input({shape: [1], name: 'x'});
    const parts = [layers.reshape({targetShape: [1]}), layers.categoryEncoding({numTokens: 300, outputMode: 'oneHot'})];
    const model = tfl.model({inputs: x, outputs: chain(x, ...parts, dense('d'))});
    const q = quantizeModel(model);
    const ids = tf.tensor2d([[1], [258], [299]]);
    await calibrate(q, ids);
    expect(await distance(model, q, ids)).toBeLessThan(0.02);
  });
});
