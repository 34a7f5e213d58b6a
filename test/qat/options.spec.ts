/** Arguments of the functions for models: what is misspelled, mistyped, senseless or no model is told, never ignored. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import * as fc from 'fast-check';
import * as qat from '../../src/entries/qat';
import {scoped} from '../support/scoped';

const {layers} = tfl;

/** An input x, a convolution c, a ReLU r, a Flatten f and a Dense d. */
function model(): tfl.LayersModel {
  const stack = [
    layers.conv2d({inputShape: [4, 4, 1], filters: 2, kernelSize: 3, name: 'c'}),
    layers.reLU({name: 'r'}),
    layers.flatten({name: 'f'}),
    layers.dense({units: 2, name: 'd'}),
  ];
  return tfl.sequential({name: 'net', layers: stack});
}

const samples = () => tf.zeros([2, 4, 4, 1]);

async function messageOf(call: () => unknown): Promise<string> {
  try {
    await call();
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

const quantize = (options: unknown) => messageOf(() => qat.quantizeModel(model(), options as never));

/** Options of quantizeModel and a part of what is said of them. */
const WRONG: readonly (readonly [options: unknown, ...parts: string[]])[] = [
  [{weight: {numBits: 4}}, 'quantizeModel: weight is no option. Did you mean weights?'],
  [{Activations: false}, 'Activations is no option. Did you mean activations?'],
  [{custom_layers: {}}, 'Did you mean customLayers?'],
  [{numBits: 4}, 'numBits is no option. It belongs into weights or activations.'],
  [{perChannel: true}, 'perChannel is no option. It belongs into weights.'],
  [{observer: 'lastValue'}, 'observer is no option. It belongs into activations.'],
  [{anything: 1}, 'anything is no option. Options are: weights, activations,'],
  [
    {weights: 4},
    'weights must be an object, but was 4. Options are: numBits, perChannel, symmetric, narrowRange, zeroFree.',
  ],
  [{weights: true}, 'weights must be an object, but was'],
  [{weights: null}, 'weights must be an object, but was', 'but was null'],
  [{activations: [8]}, 'activations must be an object, but was'],
  [{weights: {bits: 4}}, 'weights.bits is no option.'],
  [{weights: {numbits: 4}}, 'weights.numbits is no option. Did you mean numBits?'],
  [
    {weights: {numBits: '4'}},
    "weights.numBits must be an integer between 2 and 16, inclusive, but was the string '4'.",
  ],
  [{weights: {perChannel: 'no'}}, "weights.perChannel must be true or false, but was the string 'no'."],
  [{weights: {symmetric: 0}}, 'weights.symmetric must be true or false, but was 0.'],
  [{activations: {narrowRange: null}}, 'activations.narrowRange must be true or false, but was null.'],
  [{activations: {observer: 'ema'}}, "activations.observer must be 'movingAverage' or", "the string 'ema'"],
  [{activations: {decay: '0.9'}}, "activations.decay must be in [0, 1), but was the string '0.9'."],
  [{activations: {observer: 'learned', decay: 0.9}}, 'activations.decay is of a moving average'],
  [{recipe: 'lsq'}, "recipe must be 'minMax' or 'learned', but was the string 'lsq'."],
  [{recipe: null}, 'recipe must be'],
  [{scheme: 'tfmo'}, "scheme must be 'default' or 'tfmot', but was the string 'tfmo'."],
  [{keepEnds8bit: 'yes'}, 'keepEnds8bit must be true or false'],
  [{layers: ['d']}, 'layers must be an object by layer name'],
  [{layers: null}, 'layers must be an object by layer name, but was null.'],
  [{layers: {d: true}}, 'layers.d must be an object, but was true. Options are: weights, activations.'],
  [{layers: {d: null}}, 'layers.d must be an object, but was'],
  [{layers: {d: {numBits: 4}}}, 'layers.d.numBits is no option. It belongs into weights or activations.'],
  [{layers: {d: {weights: {numBits: 1}}}}, 'layers.d.weights.numBits must be an integer between 2 and 16'],
  [{layers: {D: false}}, 'there is no layer D to set options for'],
  [{layers: {f: {weights: {numBits: 4}}}}, 'layers.f.weights: layer f (Flatten) has no weights to quantize'],
  [{layers: {r: {weights: {}}}}, 'layers.r.weights: layer r (ReLU) has no weights to quantize'],
  [{layers: {f: {activations: {numBits: 4}}}}, 'layers.f.activations: nothing is rounded there (moves values only'],
  [
    {layers: {c: {activations: {numBits: 4}}}},
    'layers.c.activations: nothing is rounded there (rounded once, after r)',
  ],
  [{customLayers: {Mystery: {kernel: {}}}}, 'customLayers.Mystery: no layer is of this class. There are: Conv2D, ReLU'],
  [{customLayers: {Dense: 'kernel'}}, 'customLayers.Dense must be an object by'],
  [{customLayers: {Dense: {kernel: {axes: 1}}}}, 'customLayers.Dense.kernel.axes is no option. Did you mean axis?'],
  [{customLayers: {Dense: {kernel: {axis: '1'}}}}, 'customLayers.Dense.kernel.axis must be an integer'],
  [{customLayers: {Dense: {kernel: {axis: 2}}}}, 'customLayers.Dense.kernel.axis must be an integer in [-2, 2)'],
  [
    {ranges: {x: [1, -1]}},
    'ranges.x must be [min, max], finite numbers, of which min has to be smaller, but was [1, -1].',
  ],
  [{ranges: {x: [0, NaN]}}, 'ranges.x must be [min, max]'],
  [{ranges: [0, 1]}, 'ranges must be an object'],
  [{scheme: 'tfmot', weights: {numBits: 4}, recipe: 'minMax'}, '2 problems', 'takes no weights', 'takes no recipe'],
  [{scheme: 'tfmot', layers: {d: {weights: {numBits: 4}}}}, "scheme 'tfmot'", 'nothing but false for layers.d'],
  [{scheme: 'tfmot', layer: {}}, 'layer is no option. Did you mean layers?'],
  [null, 'options must be an object, but was null. Options are: weights, activations,'],
  ['tfmot', 'options must be an object, but was', "the string 'tfmot'"],
  [8, 'options must be an object, but was'],
  [[], 'options must be an object, but was'],
];

describe('quantizeModel is told', () => {
  scoped();

  for (const [options, ...parts] of WRONG) {
    it(`wrong options: ${JSON.stringify(options)}`, async () => {
      const before = tf.memory().numTensors;
      const net = model();
      const made = tf.memory().numTensors - before;
      const message = await messageOf(() => qat.quantizeModel(net, options as never));
      for (const part of ['quantizeModel: ', ...parts]) expect(message).toContain(part);
      expect(tf.memory().numTensors - before)
        .withContext('tensors left behind')
        .toBe(made);
    });
  }

  it('all that is wrong at once', async () => {
    const message = await quantize({
      weight: 4,
      recipe: 'lsq',
      layers: {d: {numBits: 4}, f: {weights: {numBits: 3}}, nowhere: false},
      customLayers: {Mystery: {kernel: {}}},
    });
    for (const part of ['6 problems', 'weight is', 'recipe must', 'layers.d.numBits', 'layers.f.weights', 'nowhere']) {
      expect(message).toContain(part);
    }
  });

  it('right options, which it takes', async () => {
    const grid = {numBits: fc.integer({min: 2, max: 16}), symmetric: fc.boolean(), narrowRange: fc.boolean()};
    const some = {requiredKeys: []};
    const weights = fc.oneof(fc.constant(false), fc.record({...grid, perChannel: fc.boolean()}, some));
    const observer = fc.constantFrom('movingAverage', 'lastValue', 'allValues');
    const decay = fc.double({min: 0, max: 0.999, noNaN: true});
    const activations = fc.oneof(fc.constant(false), fc.record({...grid, observer, decay}, some));
    const options = fc.record(
      {
        weights,
        activations,
        recipe: fc.constantFrom('minMax', 'learned'),
        keepEnds8bit: fc.boolean(),
        scheme: fc.constant('default'),
        layers: fc.record({d: fc.oneof(fc.constant(false), fc.record({weights, activations}, some))}, some),
      },
      some,
    );
    await fc.assert(
      fc.asyncProperty(options, async each => {
        expect(await quantize(each)).toBe('');
      }),
      {numRuns: 8},
    );
    expect(await quantize({weights: undefined, layers: {d: undefined}, recipe: undefined})).toBe('');
    expect(await quantize({scheme: 'tfmot', layers: {d: false}})).toBe('');
    expect(await quantize({layers: {f: {weights: false}, c: {activations: false}}})).toBe('');
  });
});

/** Every function that takes a model. */
const FUNCTIONS: Readonly<Record<string, (model: never) => unknown>> = {
  quantizeModel: m => qat.quantizeModel(m),
  calibrate: m => qat.calibrate(m, samples()),
  setFakeQuant: m => qat.setFakeQuant(m, true),
  freezeRanges: m => qat.freezeRanges(m),
  freezeBatchNorm: m => qat.freezeBatchNorm(m),
  reestimateBatchNorm: m => qat.reestimateBatchNorm(m, samples()),
  describeQuantization: m => qat.describeQuantization(m),
  dequantizeModel: m => qat.dequantizeModel(m),
  quantizedWeights: m => qat.quantizedWeights(m),
};

describe('what is no model is told by', () => {
  scoped();

  for (const [name, call] of Object.entries(FUNCTIONS)) {
    it(name, async () => {
      const told = async (value: unknown) => {
        const message = await messageOf(() => call(value as never));
        expect(message).toContain(`${name}: `);
        return message;
      };
      for (const value of [undefined, null, 0, 'model.json', {}, {layers: [], outputs: []}, [], () => model()]) {
        expect(await told(value)).toContain('model must be a tf.LayersModel');
      }
      expect(await told(Promise.resolve(model()))).toMatch(/was a Promise of one\. Await it/);
      expect(await told({executeAsync: () => undefined, inputs: [], outputs: []})).toMatch(
        /was a graph model\. .*importModel\(url\)/,
      );
      expect(await told(layers.dense({units: 2, name: 'alone'}))).toContain('was the layer alone');
      expect(await told(tfl.sequential())).toMatch(/is not built.*Add layers, the first with an inputShape/);
      const disposed = qat.quantizeModel(model());
      disposed.dispose();
      expect(await told(disposed)).toMatch(/model .* is disposed/);
    });
  }
});

describe('arguments are checked by', () => {
  scoped();

  const q = () => qat.quantizeModel(model());
  const none = undefined as never;

  it('calibrate', async () => {
    const calibrate = (options: unknown) => messageOf(() => qat.calibrate(q(), samples(), options as never));
    for (const batchSize of [0, -1, 1.5, NaN, Infinity, null, '16']) {
      expect(await calibrate({batchSize})).toContain('calibrate: batchSize must be an integer above 0, but was');
    }
    for (const percentile of [0, -1, 101, NaN, null, '99']) {
      expect(await calibrate({method: 'percentile', percentile})).toContain('percentile must be in (0, 100], but was');
    }
    expect(await calibrate({samples: 0})).toContain('calibrate: samples must be an integer above 0, but was 0');
    expect(await calibrate({method: 'minmax'})).toContain("method must be 'minMax' or 'percentile' or 'mse'");
    expect(await calibrate({percentile: 99})).toContain("percentile is of the method 'percentile'");
    expect(await calibrate({onProgress: true})).toContain('onProgress must be a function, but was true');
    expect(await calibrate({batchsize: 4, steps: 8})).toMatch(/2 problems[^]*Did you mean batchSize[^]*steps is no/);
    expect(await calibrate(null)).toContain('options must be an object');
    expect(await calibrate(16)).toContain('options must be an object');
    expect(await calibrate({batchSize: 1, method: undefined})).toBe('');
  });

  it('reestimateBatchNorm', async () => {
    const reestimate = (options: unknown) => messageOf(() => qat.reestimateBatchNorm(q(), samples(), options as never));
    for (const count of [0, -1, 1.5, NaN, -Infinity, null, '16']) {
      expect(await reestimate({batchSize: count, samples: count})).toMatch(
        /2 problems[^]*batchSize must[^]*samples must/,
      );
    }
    expect(await reestimate({batchSize: Infinity})).toContain('batchSize must be an integer above 0, but was Infinity');
    expect(await reestimate(null)).toContain('options must be an object');
    expect(await reestimate({sample: 4})).toContain('Did you mean samples?');
  });

  it('quantizationSchedule', async () => {
    const schedule = (options: unknown) => messageOf(() => qat.quantizationSchedule(options as never));
    for (const steps of [-1, 1.5, NaN, Infinity, null, '10']) {
      expect(await schedule({quantizeAfter: steps})).toContain('quantizeAfter must be a number of steps, 0 or more');
      expect(await schedule({freezeRangesAfter: steps})).toContain('freezeRangesAfter must be');
      expect(await schedule({freezeBatchNormAfter: steps})).toContain('freezeBatchNormAfter must be');
    }
    expect(await schedule({freezeRangeAfter: 1})).toContain('Did you mean freezeRangesAfter?');
    for (const options of [undefined, null, 10]) expect(await schedule(options)).toContain('options must be an object');
    expect(await schedule({quantizeAfter: 0, freezeRangesAfter: undefined})).toBe('');
  });

  it('the switches', async () => {
    const net = q();
    for (const on of [undefined, null, 1, 'weights', {}]) {
      expect(await messageOf(() => qat.setFakeQuant(net, on as never))).toContain(
        'setFakeQuant: on must be true or false',
      );
    }
    for (const which of ['weight', 'Activations', null, true, {}]) {
      const wanted = "which must be 'all' or 'weights' or 'activations', but was";
      expect(await messageOf(() => qat.setFakeQuant(net, false, which as never))).toContain(`setFakeQuant: ${wanted}`);
      expect(await messageOf(() => qat.freezeRanges(net, true, which as never))).toContain(`freezeRanges: ${wanted}`);
    }
    expect(await messageOf(() => qat.freezeRanges(net, 'weights' as never))).toContain('frozen must be true or false');
    expect(await messageOf(() => qat.freezeBatchNorm(net, 0 as never))).toContain('frozen must be true or false');
    expect(await messageOf(() => qat.setFakeQuant(net, 0 as never, 'weight' as never))).toContain('2 problems');
    for (const {quantizer} of (net.layers[1] as unknown as {roundings: {quantizer: qat.FakeQuantizer}[]}).roundings) {
      expect(quantizer.quantizing).withContext('nothing is switched by what is refused').toBe(true);
    }
  });

  it('quantizedSaveHandler', async () => {
    const quantizedSaveHandler = (...args: unknown[]) =>
      messageOf(() => (qat.quantizedSaveHandler as (...all: unknown[]) => void)(...args));
    const handler = {save: () => Promise.resolve({})};
    for (const to of [undefined, null, 5, {}])
      expect(await quantizedSaveHandler(to)).toContain('quantizedSaveHandler: destination must be');
    expect(await quantizedSaveHandler(handler, {fakeQuant: 'yes'})).toContain('fakeQuant must be true or false');
    expect(await quantizedSaveHandler(handler, {fakequant: true})).toContain('Did you mean fakeQuant?');
    expect(await quantizedSaveHandler(handler, null)).toContain('options must be an object');
    expect(await quantizedSaveHandler(handler, {})).toBe('');
  });

  it('quantizedValues and packInt4', async () => {
    const quantizer = new qat.FakeQuantizer({initialRange: [-1, 1]});
    for (const value of [undefined, null, {}, 'weights']) {
      expect(await messageOf(() => qat.quantizedValues(tf.ones([1]), value as never))).toContain(
        'quantizedValues: quantizer must be a FakeQuantizer, but was',
      );
    }
    expect(await messageOf(() => qat.quantizedValues(none, quantizer))).toContain('quantizedValues: x must be');
    const pack = (levels: unknown) => messageOf(() => qat.packInt4(levels as never));
    for (const levels of [undefined, null, 5, [1, 2], new Int16Array(2), new Float32Array(2)]) {
      expect(await pack(levels)).toContain('packInt4: levels must be an Int8Array, but was');
    }
    expect(await pack(Int8Array.of(0, 8, -9))).toContain('packInt4: levels must be between -8 and 7, but there was 8');
    expect(qat.packInt4(Int8Array.of(-8, 7, 1))).toEqual(Uint8Array.of(0x78, 0x01));
  });

  it('describeQuantization', async () => {
    const description = qat.describeQuantization(q());
    expect(await messageOf(() => description.print('table' as never))).toContain('printLine must be a function');
  });
});

// The types refuse what would be refused at run time.
export const refusedByTypes: readonly (() => unknown)[] = [
  // @ts-expect-error the scheme is fixed: no widths
  () => qat.quantizeModel(model(), {scheme: 'tfmot', weights: {numBits: 4}}),
  // @ts-expect-error nor for a layer
  () => qat.quantizeModel(model(), {scheme: 'tfmot', layers: {d: {weights: {numBits: 4}}}}),
  // @ts-expect-error nor a recipe
  () => qat.quantizeModel(model(), {scheme: 'tfmot', recipe: 'learned'}),
  // @ts-expect-error misspelled
  () => qat.quantizeModel(model(), {weight: {numBits: 4}}),
  // @ts-expect-error no such scheme
  () => qat.quantizeModel(model(), {scheme: 'tfmo'}),
  // @ts-expect-error no such selection
  () => qat.setFakeQuant(model(), false, 'weight'),
  () => qat.quantizeModel(model(), {scheme: 'tfmot', layers: {d: false}}),
  () => qat.quantizeModel(model(), {scheme: 'default', weights: {numBits: 4}}),
  (scheme: 'default' | 'tfmot' = 'tfmot') => qat.quantizeModel(model(), {scheme}),
];
