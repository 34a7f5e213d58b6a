/** BatchNormalization and the weights before it: where it is folded into them, into which, and how that trains. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {
  dequantizeModel,
  describeQuantization,
  freezeBatchNorm,
  freezeRanges,
  quantizedWeights,
  quantizeModel,
  type QuantizeOptions,
} from '../../src/entries/qat';
import {onWebGL, onWebGPU, valuesOf} from '../support/environment';
import {reloaded} from '../support/saved';
import {needsTraining, scoped} from '../support/scoped';

type Symbolic = tfl.SymbolicTensor;
type Layer = tfl.layers.Layer;
const {layers} = tfl;

const BITS = 4;
const HIGHEST = 2 ** (BITS - 1) - 1;
const OPTIONS: QuantizeOptions = {
  recipe: 'minMax',
  weights: {numBits: BITS, perChannel: false},
  activations: false,
};

const apply = (layer: Layer, x: Symbolic) => layer.apply(x) as Symbolic;

/** Random weights; gains from a list, so that folding changes the ratios of a kernel's channels. */
function seed(model: tfl.LayersModel): void {
  const GAMMAS = [2, -0.3, 1, 0.7];
  tf.tidy(() =>
    model.setWeights(
      model.weights.map(({shape, name}, i) => {
        const size = (shape as number[]).reduce((product, dim) => product * dim, 1);
        if (name.includes('gamma')) return tf.tensor1d(Array.from({length: size}, (_, c) => GAMMAS[(c + i) % 4]!));
        const values = tf.randomNormal(shape as number[], 0, 1, 'float32', i + 1);
        return name.includes('variance') ? values.abs().add(0.2) : values;
      }),
    ),
  );
}

function modelOf(shape: number[], build: (x: Symbolic) => Symbolic | Symbolic[]): tfl.LayersModel {
  const inputs = tfl.input({shape});
  const model = tfl.model({inputs, outputs: build(inputs)});
  seed(model);
  return model;
}

function chain(shape: number[], ...stack: Layer[]): tfl.LayersModel {
  return modelOf(shape, x => stack.reduce((y, layer) => apply(layer, y), x));
}

/** A layer before a BatchNormalization, which another model calls step by step without it. */
function steppedToo(layer: Layer, norm: Layer): tfl.LayersModel {
  return modelOf([4], x => {
    const y = apply(norm, apply(layer, x));
    const step = tfl.input({shape: [4]});
    const inner = tfl.model({inputs: step, outputs: apply(layer, step)}) as unknown as Layer;
    return apply(layers.timeDistributed({layer: inner}), apply(layers.repeatVector({n: 2}), y));
  });
}

/** A BatchNormalization's gain, computed by hand. */
async function gainOf(norm: Layer): Promise<number[]> {
  const {gamma, movingVariance, epsilon} = norm as unknown as {
    gamma?: tfl.LayerVariable;
    movingVariance: tfl.LayerVariable;
    epsilon: number;
  };
  const variance = await valuesOf(movingVariance.read());
  const gammas = gamma ? await valuesOf(gamma.read()) : variance.map(() => 1);
  return Array.from(gammas, (each, c) => each / Math.sqrt(variance[c]! + epsilon));
}

/** Whether all values are levels of one symmetric grid of 4 bits, up to the last bits of float32. */
function isOnOneGrid(values: readonly number[]): boolean {
  const step = Math.max(...values.map(Math.abs)) / HIGHEST;
  return values.every(value => Math.abs(value / step - Math.round(value / step)) < 1e-3);
}

/** The weight that a quantized model computes with, and the same times the gain of a BatchNormalization. */
async function kernelsOf(q: tfl.LayersModel, attr: string, norm: Layer | undefined, transposed = false) {
  const float = dequantizeModel(q);
  const layer = float.getLayer('c') as unknown as Record<string, tfl.LayerVariable> & {layer?: typeof layer};
  const weight = (layer.layer ?? layer)[attr]!.read();
  const plain = [...(await valuesOf(weight))];
  const gain = norm && (await gainOf(norm));
  // The channels are last, or last but one; of a depthwise kernel, its last two dimensions.
  const inner = transposed ? weight.shape[weight.rank - 1]! : 1;
  const folded = gain && plain.map((each, i) => each * gain[Math.floor(i / inner) % gain.length]!);
  return {plain, folded};
}

describe('a BatchNormalization is folded into the weights of one range before it', () => {
  scoped();

  const norm = () => layers.batchNormalization({name: 'n'});
  const conv = (args: object = {}) => layers.conv2d({filters: 4, kernelSize: 2, name: 'c', ...args});
  const dense = (args: object = {}) => layers.dense({units: 4, name: 'c', ...args});

  interface Folded {
    readonly model: () => tfl.LayersModel;
    readonly attr?: string;
    readonly transposed?: boolean;
  }

  const FOLDED: Readonly<Record<string, Folded>> = {
    'of a Conv1D': {model: () => chain([6, 3], layers.conv1d({filters: 4, kernelSize: 2, name: 'c'}), norm())},
    'of a Conv2D': {model: () => chain([5, 5, 2], conv(), norm())},
    'of a Conv2D, its axis counted from the front': {
      model: () => chain([5, 5, 2], conv(), layers.batchNormalization({axis: 3, name: 'n'})),
    },
    'of a Conv2D with channels first': {
      model: () =>
        chain([2, 5, 5], conv({dataFormat: 'channelsFirst'}), layers.batchNormalization({axis: 1, name: 'n'})),
    },
    'of a Conv2DTranspose': {
      model: () => chain([3, 3, 3], layers.conv2dTranspose({filters: 4, kernelSize: 2, name: 'c'}), norm()),
      transposed: true,
    },
    'of a DepthwiseConv2D': {
      model: () => chain([5, 5, 4], layers.depthwiseConv2d({kernelSize: 2, name: 'c'}), norm()),
      attr: 'depthwiseKernel',
    },
    'of a DepthwiseConv2D that multiplies its channels': {
      model: () => chain([5, 5, 3], layers.depthwiseConv2d({kernelSize: 2, depthMultiplier: 2, name: 'c'}), norm()),
      attr: 'depthwiseKernel',
    },
    'of a SeparableConv2D: the pointwise one': {
      model: () => chain([5, 5, 3], layers.separableConv2d({filters: 4, kernelSize: 2, name: 'c'}), norm()),
      attr: 'pointwiseKernel',
    },
    'of a SeparableConv2D with as many channels on either side': {
      model: () => chain([5, 5, 4], layers.separableConv2d({filters: 4, kernelSize: 2, name: 'c'}), norm()),
      attr: 'pointwiseKernel',
    },
    'of a Dense': {model: () => chain([5], dense(), norm())},
    'of a Dense on rows': {model: () => chain([3, 5], dense(), norm())},
    'of a Dense called step by step': {
      model: () => chain([3, 5], layers.timeDistributed({layer: layers.dense({units: 4}), name: 'c'}), norm()),
    },
    'if it has no gamma': {model: () => chain([5], dense(), layers.batchNormalization({scale: false, name: 'n'}))},
    'if it has no beta': {model: () => chain([5], dense(), layers.batchNormalization({center: false, name: 'n'}))},
    'in a model within': {
      model: () =>
        modelOf([5, 5, 2], x => {
          const inner = modelOf([5, 5, 2], y => apply(norm(), apply(conv(), y)));
          return apply(inner, x);
        }),
    },
    'if it follows every call': {
      model: () =>
        modelOf([5], x => {
          const [c, n] = [dense({units: 5}), norm()];
          return apply(n, apply(c, apply(layers.reLU(), apply(n, apply(c, x)))));
        }),
    },
    'if it follows another layer, too': {
      model: () =>
        modelOf([5], x => {
          const [n, other] = [norm(), dense({name: 'other'})];
          const both = [apply(n, apply(dense(), x)), apply(n, apply(other, x))];
          return layers.add().apply(both) as Symbolic;
        }),
    },
  };

  const layerNamed = (model: tfl.LayersModel, name: string): Layer =>
    model.layers.find(layer => layer.name === name) ??
    layerNamed(model.layers.find(layer => 'layers' in layer) as unknown as tfl.LayersModel, name);

  for (const [name, {model, attr = 'kernel', transposed}] of Object.entries(FOLDED)) {
    it(name, async () => {
      const float = model();
      const q = quantizeModel(float, OPTIONS);
      const nested = q.layers.find(layer => 'layers' in layer) as unknown as tfl.LayersModel | undefined;
      const {plain, folded} = await kernelsOf(nested ?? q, attr, layerNamed(float, 'n'), transposed);
      expect(isOnOneGrid(folded!)).toBeTrue();
      expect(isOnOneGrid(plain)).toBeFalse();
      expect(folded!.some(each => each !== 0)).toBeTrue();
    });
  }

  const two = (y: Symbolic) => [
    apply(norm(), y),
    apply(layers.batchNormalization({name: 'm', gammaInitializer: 'randomNormal'}), y),
  ];

  const UNFOLDED: Readonly<Record<string, {model: () => tfl.LayersModel; attr?: string; options?: QuantizeOptions}>> = {
    'but not the depthwise one of a SeparableConv2D': {
      model: () => chain([5, 5, 4], layers.separableConv2d({filters: 4, kernelSize: 3, name: 'c'}), norm()),
      attr: 'depthwiseKernel',
    },
    'but not if it normalizes another axis': {
      model: () => chain([5, 6, 2], conv(), layers.batchNormalization({axis: 1, name: 'n'})),
    },
    'but not if it normalizes the last axis, where channels are first': {
      model: () => chain([2, 5, 5], conv({dataFormat: 'channelsFirst'}), norm()),
    },
    'but not if each call has one of its own': {
      model: () =>
        modelOf([4], x => {
          const c = dense();
          return [apply(norm(), apply(c, x)), apply(layers.batchNormalization({}), apply(c, apply(layers.reLU(), x)))];
        }),
    },
    'but not if another call has none': {
      model: () =>
        modelOf([4], x => {
          const c = dense();
          return [apply(norm(), apply(c, x)), apply(c, apply(layers.reLU(), x))];
        }),
    },
    'but not if somebody else takes what is normalized': {model: () => modelOf([5], x => two(apply(dense(), x)))},
    'but not if the model puts out what is normalized': {
      model: () =>
        modelOf([5], x => {
          const y = apply(dense(), x);
          return [y, apply(norm(), y)];
        }),
    },
    'but not after an activation': {model: () => chain([5], dense({activation: 'relu'}), norm())},
    'but not if it is left float': {
      model: () => chain([5], dense(), norm()),
      options: {...OPTIONS, layers: {n: false}},
    },
    'but not if it is called step by step as well, in a model of its own': {model: () => steppedToo(dense(), norm())},
    'but not out of a model within': {
      model: () =>
        modelOf([5, 5, 2], x => {
          const inner = modelOf([5, 5, 2], y => apply(conv(), y));
          return apply(norm(), apply(inner, x));
        }),
    },
  };

  for (const [name, {model, attr = 'kernel', options = OPTIONS}] of Object.entries(UNFOLDED)) {
    it(name, async () => {
      const q = quantizeModel(model(), options);
      const nested = q.layers.find(layer => 'layers' in layer) as unknown as tfl.LayersModel | undefined;
      const {plain} = await kernelsOf(nested ?? q, attr, undefined);
      expect(isOnOneGrid(plain)).toBeTrue();
      expect((await quantizedWeights(q)).weights.find(({name: each}) => each === attr)!.folded).toBeFalse();
    });
  }

  it('and with it rounded once, but apart where it normalizes another axis', async () => {
    for (const [axis, roundsBetween] of [
      [-1, false],
      [3, false],
      [1, true],
      [-2, true],
    ] as const) {
      const q = quantizeModel(chain([5, 5, 2], conv(), layers.batchNormalization({axis, name: 'n'})));
      const rows = (await describeQuantization(q).read()).filter(({layer, what}) => layer === 'c' && what === 'output');
      expect(rows.map(({note}) => !note.includes('rounded once, after n')))
        .withContext(`axis ${axis}`)
        .toEqual([roundsBetween]);
    }
  });

  it('but never into recurrent layers', async () => {
    const layer = layers.lstm({units: 4, returnSequences: true});
    const q = quantizeModel(chain([3, 4], layers.bidirectional({layer, mergeMode: 'sum'}), norm()), OPTIONS);
    expect((await quantizedWeights(q)).weights.map(({folded}) => folded)).toEqual([false, false, false, false]);
  });

  it('with gains that are negative, tiny and 0', async () => {
    const float = chain([6], dense({useBias: false}), norm());
    const [, beta, mean, variance] = float.getLayer('n').getWeights();
    const gammas = [-2, 1e-8, 0, 1];
    float.getLayer('n').setWeights([tf.tensor(gammas), beta!, mean!, variance!]);
    const q = quantizeModel(float, {...OPTIONS, weights: {numBits: 12, perChannel: false}});
    const x = tf.randomNormal([8, 6], 0, 1, 'float32', 9);
    const [expected, found] = await Promise.all([float, q].map(each => valuesOf(each.predict(x) as tf.Tensor)));
    const largest = Math.max(...expected!.map(Math.abs));
    expected!.forEach((each, i) => expect(Math.abs(found![i]! - each)).toBeLessThan(2e-3 * largest));
    // No channel is lost for its gain of 0: training may raise it again.
    const [kernel] = dequantizeModel(q).getLayer('c').getWeights();
    const [values, originals] = [await valuesOf(kernel!), await valuesOf(float.getLayer('c').getWeights()[0]!)];
    [0, 2, 3].forEach(c => expect(Math.abs(values[c]! - originals[c]!)).toBeLessThan(0.01));
  });
});

/** A model as it is when it is saved and loaded again. */
async function copyOf(q: tfl.LayersModel): Promise<tfl.LayersModel> {
  const again = await tfl.models.modelFromJSON(q.toJSON(null, false) as unknown as tfl.ModelAndWeightsConfig);
  again.setWeights(q.getWeights());
  return again;
}

describe('which BatchNormalization is folded', () => {
  scoped();

  function foldable(): tfl.LayersModel {
    return chain(
      [5, 5, 2],
      layers.conv2d({filters: 4, kernelSize: 2, useBias: false, name: 'c'}),
      layers.batchNormalization({name: 'My_Norm2'}),
    );
  }

  /** Uses a layer of a model in another one, before another BatchNormalization. */
  function reuse(q: tfl.LayersModel, name: string): tfl.LayersModel {
    const other = layers.batchNormalization({name});
    const inputs = tfl.input({shape: [5, 5, 2]});
    const model = tfl.model({inputs, outputs: apply(other, apply(q.getLayer('c'), inputs))});
    other.setWeights(
      [
        [9, 1, 0.01, 1],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
        [1, 1, 1, 1],
      ].map(values => tf.tensor(values)),
    );
    return model;
  }

  const x = () => tf.randomNormal([2, 5, 5, 2], 0, 1, 'float32', 5);
  const predicted = async (model: tfl.LayersModel) => valuesOf(tf.tidy(() => model.predict(x()) as tf.Tensor));

  it('is not another one, of a model that the layer is used in as well', async () => {
    const expected = await predicted(quantizeModel(foldable(), OPTIONS));
    for (const name of ['another', 'My_Norm2']) {
      const q = quantizeModel(foldable(), OPTIONS);
      const second = reuse(q, name);
      await predicted(second);
      expect(await predicted(q))
        .withContext(name)
        .toEqual(expected);
      const again = await copyOf(q);
      const third = reuse(again, name);
      await predicted(third);
      expect(await predicted(again))
        .withContext(`${name}, loaded`)
        .toEqual(expected);
    }
  });

  it('is the same in a larger model, and in a part', async () => {
    const float = foldable();
    const q = quantizeModel(float, OPTIONS);
    const expected = await predicted(q);
    const larger = tfl.sequential({
      layers: [layers.reLU({inputShape: [5, 5, 2], maxValue: 1e9}), q],
    });
    const positive = tf.tidy(() => x().abs());
    const [whole, direct] = [larger, q].map(each => each.predict(positive) as tf.Tensor);
    expect(await valuesOf(whole!)).toEqual(await valuesOf(direct!));
    const part = tfl.model({inputs: q.inputs, outputs: q.getLayer('c').output});
    const [{plain, folded}] = [await kernelsOf(part, 'kernel', float.getLayer('My_Norm2'))];
    expect(isOnOneGrid(folded!)).toBeTrue();
    expect(isOnOneGrid(plain)).toBeFalse();
    expect(await predicted(q)).toEqual(expected);
  });

  for (const recipe of ['minMax', 'learned'] as const) {
    it(`is not missed by a part that was saved without it: ${recipe}`, async () => {
      const q = quantizeModel(foldable(), {...OPTIONS, recipe, weights: {perChannel: false}});
      q.getLayer('My_Norm2').setWeights(
        [
          [1e-3, 2e-3, 1e-3, 2e-3],
          [0, 0, 0, 0],
          [0, 0, 0, 0],
          [1, 1, 1, 1],
        ].map(values => tf.tensor(values)),
      );
      await predicted(q);
      freezeRanges(q, true, 'weights');
      const part = tfl.model({inputs: q.inputs, outputs: q.getLayer('c').output});
      const again = await copyOf(part);
      // By its own grid now, which is of other numbers, and about the same values.
      const [expected, found] = [await predicted(part), await predicted(again)];
      const largest = Math.max(...expected.map(Math.abs));
      found.forEach((each, i) => expect(Math.abs(each - expected[i]!)).toBeLessThan(0.03 * largest));
      expect(await predicted(await copyOf(again))).toEqual(found);
    });
  }

  it('is saved by its name, whatever that looks like, and found in files that do not name it', async () => {
    const q = quantizeModel(foldable(), OPTIONS);
    const expected = await predicted(q);
    expect(q.getLayer('c').getConfig()['folds']).toEqual({name: 'My_Norm2'});
    expect(await predicted(await copyOf(q))).toEqual(expected);
    const old = q.toJSON(null, false) as unknown as {config: {layers: {config: {name: string; folds: unknown}}[]}};
    const {config} = old.config.layers.find(({config: {name}}) => name === 'c')!;
    expect(config.folds).toEqual({name: 'My_Norm2'});
    config.folds = true;
    const loaded = await tfl.models.modelFromJSON(old as unknown as tfl.ModelAndWeightsConfig);
    loaded.setWeights(q.getWeights());
    expect(await predicted(loaded)).toEqual(expected);
  });
});

describe('quantized, of weights that a BatchNormalization is folded into', () => {
  scoped();

  const CASES: Readonly<Record<string, () => tfl.LayersModel>> = {
    'a convolution': () =>
      chain([5, 5, 2], layers.conv2d({filters: 4, kernelSize: 2, name: 'c'}), layers.batchNormalization({name: 'n'})),
    'a depthwise one': () =>
      chain(
        [5, 5, 3],
        layers.depthwiseConv2d({kernelSize: 2, depthMultiplier: 2, name: 'c'}),
        layers.batchNormalization({name: 'n'}),
      ),
    'without a gamma': () =>
      chain([6], layers.dense({units: 4, name: 'c'}), layers.batchNormalization({scale: false, name: 'n'})),
    'a Dense on rows': () =>
      chain([3, 6], layers.dense({units: 4, name: 'c'}), layers.batchNormalization({axis: 2, name: 'n'})),
    'a separable one': () =>
      chain(
        [5, 5, 3],
        layers.separableConv2d({filters: 4, kernelSize: 2, name: 'c'}),
        layers.batchNormalization({name: 'n'}),
      ),
    'in a model called step by step': () =>
      modelOf([2, 6], x => {
        const inner = chain([6], layers.dense({units: 4, name: 'c'}), layers.batchNormalization({name: 'n'}));
        return apply(layers.timeDistributed({layer: inner}), x);
      }),
    'one for each call': () =>
      modelOf([5, 5, 2], x => {
        const c = layers.conv2d({filters: 2, kernelSize: 2, padding: 'same', name: 'c'});
        const again = apply(c, apply(layers.reLU(), apply(layers.batchNormalization({}), apply(c, x))));
        return apply(layers.batchNormalization({}), again);
      }),
  };

  for (const [name, make] of Object.entries(CASES)) {
    for (const perChannel of [false, true]) {
      it(`computes what the model computes: ${name}, ${perChannel ? 'per channel' : 'one range'}`, async () => {
        const options = {weights: {numBits: 6, perChannel}, activations: false} as const;
        const q = quantizeModel(make(), options);
        const x = tf.randomNormal([3, ...(q.inputs[0]!.shape.slice(1) as number[])], 0, 1, 'float32', 3);
        const expected = await valuesOf(q.predict(x) as tf.Tensor);
        const largest = Math.max(...expected.map(Math.abs));
        for (const fakeQuant of [false, true]) {
          const again = await reloaded(q, {fakeQuant});
          const found = await valuesOf(again.predict(x) as tf.Tensor);
          // Separable layers are stored as the nearest of 256 values.
          const slack = name === 'a separable one' && !fakeQuant ? 2e-2 : 1e-5;
          found.forEach((each, i) => expect(Math.abs(each - expected[i]!)).toBeLessThan(slack * largest));
        }
      });
    }
  }
});

describe('training through folded weights', () => {
  scoped();

  /** Gradients of a sum of outputs, each with a factor of its own. */
  async function gradients(model: tfl.LayersModel, x: tf.Tensor): Promise<Record<string, Float32Array>> {
    freezeBatchNorm(model);
    const variables = model.trainableWeights.map(weight => weight.read() as tf.Variable);
    const {grads} = tf.variableGrads(() => {
      const y = model.apply(x, {training: true}) as tf.Tensor;
      return tf.sum(tf.mul(y, tf.randomNormal(y.shape, 0, 1, 'float32', 11)));
    }, variables);
    const named = model.trainableWeights.map(async weight => {
      const {originalName} = weight as unknown as {originalName: string};
      return [originalName, await valuesOf(grads[(weight.read() as tf.Variable).name]!)] as const;
    });
    return Object.fromEntries(await Promise.all(named));
  }

  const STACKS: Readonly<Record<string, () => tfl.LayersModel>> = {
    Dense: () => chain([6], layers.dense({units: 4, name: 'c'}), layers.batchNormalization({name: 'n'})),
    Conv2D: () =>
      chain([5, 5, 2], layers.conv2d({filters: 4, kernelSize: 2, name: 'c'}), layers.batchNormalization({name: 'n'})),
    DepthwiseConv2D: () =>
      chain(
        [5, 5, 2],
        layers.depthwiseConv2d({kernelSize: 2, depthMultiplier: 2, name: 'c'}),
        layers.batchNormalization({name: 'n'}),
      ),
  };

  for (const [name, make] of Object.entries(STACKS)) {
    it(`${name}: a gain that cancels leaves the float model's gradients`, async () => {
      needsTraining();
      // gain * (x * round(w * gain) / gain): straight through the rounding, that is the float model.
      const float = make();
      const q = quantizeModel(float, OPTIONS);
      const x = tf.randomNormal([4, ...(q.inputs[0]!.shape.slice(1) as number[])], 0, 1, 'float32', 3);
      const [expected, found] = [await gradients(float, x), await gradients(q, x)];
      expect(Object.keys(found)).toEqual(Object.keys(expected));
      for (const [variable, values] of Object.entries(expected)) {
        const largest = Math.max(...values.map(Math.abs));
        values.forEach((each, i) => {
          expect(Math.abs(found[variable]![i]! - each))
            .withContext(`${variable} ${i}`)
            .toBeLessThan(1e-4 * largest);
        });
      }
    });
  }

  it('a channel that is switched off has the gradient of its rounded product, and can be switched on', async () => {
    needsTraining();
    const float = chain([1], layers.dense({units: 2, name: 'c'}), layers.batchNormalization({name: 'n', epsilon: 0}));
    const [kernel, bias] = [tf.tensor([[1.4, 3.2]]), tf.tensor([0, 0])];
    float.getLayer('c').setWeights([kernel, bias]);
    float.getLayer('n').setWeights(
      [
        [0, 2],
        [0, 0],
        [0.25, 0],
        [1, 1],
      ].map(values => tf.tensor(values)),
    );
    const q = quantizeModel(float, {...OPTIONS, weights: {numBits: 3, perChannel: false}});
    const x = tf.tensor([[1]]);
    freezeBatchNorm(q);
    const gamma = q.trainableWeights.find(({name}) => name.includes('gamma'))!.read() as tf.Variable;
    const {grads} = tf.variableGrads(() => tf.sum(q.apply(x, {training: true}) as tf.Tensor), [gamma]);
    // The folded kernel is [1.4 * 1, 3.2 * 2], on a grid with a step of 6.4 / 3: 1.4 becomes 6.4 / 3.
    const [off, on] = await valuesOf(grads[gamma.name]!);
    expect(off).toBeCloseTo(6.4 / 3 - 0.25, 5);
    expect(on).toBeCloseTo(3.2, 5);
  });

  const RECIPES: readonly QuantizeOptions[] = [
    {recipe: 'minMax', weights: {perChannel: false}},
    {recipe: 'minMax', weights: {perChannel: false, symmetric: false, narrowRange: false}},
    {recipe: 'learned', weights: {numBits: 4, perChannel: false}},
    {recipe: 'learned', weights: {numBits: 4, perChannel: false, symmetric: false}},
  ];
  // Where programs take long to compile, symmetric ranges are enough.
  const tried = onWebGL || onWebGPU ? RECIPES.filter((_, i) => i % 2 === 0) : RECIPES;
  const TRAINED: Readonly<Record<string, () => tfl.LayersModel>> = {
    ...STACKS,
    SeparableConv2D: () =>
      chain([5, 5, 2], layers.separableConv2d({filters: 4, kernelSize: 2}), layers.batchNormalization({})),
    Conv2DTranspose: () =>
      chain([3, 3, 2], layers.conv2dTranspose({filters: 4, kernelSize: 2}), layers.batchNormalization({})),
    Conv1D: () => chain([5, 2], layers.conv1d({filters: 4, kernelSize: 2}), layers.batchNormalization({})),
    'TimeDistributed Dense': () =>
      chain([3, 2], layers.timeDistributed({layer: layers.dense({units: 4})}), layers.batchNormalization({})),
  };
  for (const [name, make] of Object.entries(TRAINED)) {
    it(`${name} learns, gamma too`, async () => {
      needsTraining();
      for (const options of tried) {
        const q = quantizeModel(make(), options);
        const gamma = q.trainableWeights.find(({name: each}) => each.includes('gamma'))!;
        const before = await valuesOf(gamma.read());
        const [inputs, outputs] = [q.inputs, q.outputs].map(([each]) => [8, ...(each!.shape.slice(1) as number[])]);
        q.compile({optimizer: tf.train.sgd(0.05), loss: 'meanSquaredError'});
        const [x, y] = [tf.randomNormal(inputs!, 0, 1, 'float32', 1), tf.randomNormal(outputs!, 0, 1, 'float32', 2)];
        const {history} = await q.fit(x, y, {epochs: 6, batchSize: 8, shuffle: false});
        q.optimizer.dispose();
        const losses = history['loss'] as number[];
        expect(losses[5]!).withContext(JSON.stringify(options)).toBeLessThan(losses[0]!);
        expect(await valuesOf(gamma.read())).not.toEqual(before);
      }
    });
  }
});
