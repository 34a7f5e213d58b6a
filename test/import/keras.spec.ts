/** Models that Keras 3 and Keras 2 wrote, loaded through mendLayers, predict what Keras predicted; others are told what is wrong. */
import {dispose, io, tidy} from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {importModel, mendLayers} from '../../src/entries/import';
import {artifactsOf, readModels, type StoredModel, tensorOf, valuesOf} from '../keras_models/models';
import {setup} from '../support/environment';
import {artifactsOf as savedArtifactsOf} from '../support/saved';
import {scoped} from '../support/scoped';

const FAMILY =
  'images sequences volumes merges recurrent states cells conv_lstm words masked frozen shared steps without_input noise rescaled ' +
  'normalized masked_between compiled functions padded1d relus activations operators stand_ins pooled3d causal_tensor_names dictionary';
const NAMES = [
  ...['keras3', 'keras2'].flatMap(framework => [
    ...FAMILY.split(' ').map(network => `${framework}/${network}.h5`),
    // The converter's other format. It has no names of weights, and tells models within apart.
    ...['images', 'words', 'nested', 'recurrent', 'normalized', 'shared', 'compiled'].map(
      network => `${framework}/${network}.keras`,
    ),
  ]),
  'given/res',
  'given/seq',
  'given/text',
];
/** What tfjs cannot do: it has no kernels for these in wasm, and turns no mask of what is not float with WebGPU. */
const NOT_ON: Readonly<Record<string, readonly string[]>> = {
  wasm: ['volumes', 'pooled3d'],
  webgpu: ['words', 'masked', 'given/text'],
};
const TOLERANCE = setup.backend === 'cpu' || setup.backend === 'wasm' ? 1e-5 : 1e-3;

const asIs = (artifacts: io.ModelArtifacts) => tfl.loadLayersModel(io.fromMemory(artifacts));

/** How far what a model predicts is from what Keras predicted, by the largest of that. */
async function difference(model: tfl.LayersModel, {inputs, outputs}: StoredModel): Promise<number> {
  const given = inputs.map(tensorOf);
  const made = tidy(() => [model.predict(given.length > 1 ? given : given[0]!)].flat());
  expect(made.map(({shape}) => shape)).toEqual(outputs.map(({shape}) => shape));
  let worst = 0;
  for (const [i, output] of outputs.entries()) {
    const [actual, wanted] = [await made[i]!.data(), valuesOf(output)];
    const largest = Math.max(1e-3, ...Array.from(wanted, Math.abs));
    // NaN is as far as can be.
    for (const [j, value] of wanted.entries())
      worst = Math.max(worst, Math.abs(actual[j]! - value) / largest || (actual[j] === value ? 0 : Infinity));
  }
  dispose([...given, ...made]);
  return worst;
}

let models: Record<string, StoredModel>;
beforeAll(async () => {
  models = await readModels();
});

describe('mendLayers', () => {
  scoped();

  for (const name of NAMES) {
    if (NOT_ON[setup.backend]?.some(each => name.includes(each))) continue;
    it(`loads ${name}, which predicts as in Keras`, async () => {
      const model = await tfl.loadLayersModel(mendLayers(artifactsOf(models[name]!)));
      expect(await difference(model, models[name]!)).toBeLessThan(TOLERANCE);
    });
  }

  it('gives a model that is saved and loaded as any other', async () => {
    for (const name of ['keras3/relus.h5', 'keras3/operators.h5', 'keras3/normalized.h5']) {
      const model = await tfl.loadLayersModel(mendLayers(artifactsOf(models[name]!)));
      const again = await tfl.loadLayersModel(mendLayers(await savedArtifactsOf(model)));
      expect(await difference(again, models[name]!)).toBeLessThan(TOLERANCE);
    }
  });

  it('gives importModel what is saved with all that tfjs leaves out of configs', async () => {
    const model = await importModel(artifactsOf(models['keras3/images.h5']!));
    const again = await tfl.loadLayersModel(await savedArtifactsOf(model).then(io.fromMemory));
    expect(await difference(again, models['keras3/images.h5']!)).toBeLessThan(TOLERANCE);
    model.dispose();
  });

  it('takes what is loaded now or later, and leaves it as it was', async () => {
    const stored = models['given/seq']!;
    const artifacts = artifactsOf(stored);
    const before = JSON.stringify(artifacts);
    for (const source of [
      artifacts,
      {load: () => artifacts},
      {load: () => Promise.resolve(artifacts)},
      [JSON.parse(JSON.stringify(stored.json)), artifacts.weightData] as [io.ModelJSON, io.WeightData],
    ]) {
      const model = await tfl.loadLayersModel(mendLayers(source));
      expect(await difference(model, stored)).toBeLessThan(TOLERANCE);
    }
    expect(JSON.stringify(artifacts)).toBe(before);
  });

  it('passes what tfjs reads as it is', async () => {
    const own = tfl.sequential({layers: [tfl.layers.dense({units: 2, inputShape: [3], activation: 'hardSigmoid'})]});
    const files = [
      await savedArtifactsOf(own),
      ...['words', 'states', 'shared', 'without_input'].map(name => artifactsOf(models[`keras2/${name}.h5`]!)),
    ];
    for (const artifacts of files) expect(await mendLayers(artifacts).load!()).toBe(artifacts);
    // Its own mended, too.
    const mended = await mendLayers(artifactsOf(models['keras3/shared.h5']!)).load!();
    expect((await mendLayers(mended).load!()).weightSpecs).toEqual(mended.weightSpecs);
  });

  it('is needed for those of Keras 3', async () => {
    await expectAsync(asIs(artifactsOf(models['given/seq']!))).toBeRejectedWithError(/batchInputShape/);
  });

  it('keeps names, and what is not trained', async () => {
    const model = await tfl.loadLayersModel(mendLayers(artifactsOf(models['given/res']!)));
    expect(model.getLayer('global_average_pooling2d').outputShape).toEqual([null, 1, 1, 16]);
    expect(model.inputNames).toEqual(['input_layer']);
    expect(model.outputNames).toEqual(['dense']);
    const frozen = await tfl.loadLayersModel(mendLayers(artifactsOf(models['keras3/frozen.h5']!)));
    expect(frozen.trainableWeights.length).toBeLessThan(frozen.weights.length - 2);
  });
});

type Json = Record<string, unknown>;
const tensor3 = (layer: string, shape: unknown = [null, 4], call = 0) => ({
  class_name: '__keras_tensor__',
  config: {shape, dtype: 'float32', keras_history: [layer, call, 0]},
});
const input3 = (name: string, shape: unknown = [null, 4], more: Json = {}) => ({
  class_name: 'InputLayer',
  config: {batch_shape: shape, dtype: 'float32', name, ...more},
  name,
  inbound_nodes: [],
});
const layer3 = (className: string, name: string, takes: unknown[], config: Json = {}, kwargs: Json = {}) => ({
  class_name: className,
  config: {name, trainable: true, ...config},
  name,
  inbound_nodes: [{args: takes, kwargs}],
});
const model3 = (layers: readonly Json[], output: string, weights: readonly string[] = []): io.ModelArtifacts => ({
  format: 'layers-model',
  modelTopology: {
    keras_version: '3.15.1',
    model_config: {
      class_name: 'Functional',
      config: {name: 'model', layers, input_layers: ['x', 0, 0], output_layers: [output, 0, 0]},
    },
  },
  weightSpecs: weights.map(name => ({name, shape: [1], dtype: 'float32' as const})),
  weightData: new ArrayBuffer(4 * weights.length),
});
const mended = async (artifacts: unknown) => mendLayers(artifacts as io.ModelArtifacts).load!();
const alone = (className: string, config: Json = {}, shape: unknown = [null, 4]) =>
  model3([input3('x', shape), layer3(className, 'odd', [tensor3('x', shape)], config)], 'odd');

describe('What mendLayers cannot mend', () => {
  const refused: readonly (readonly [string, Json, RegExp, unknown?])[] = [
    ['MultiHeadAttention', {num_heads: 2}, /layer 'odd' \(MultiHeadAttention\): tfjs has no such class. .*graph model/],
    ['Lambda', {}, /layer 'odd' \(Lambda\): tfjs has no such class/],
    ['StringLookup', {}, /layer 'odd' \(StringLookup\): tfjs has no such class/],
    ['CategoryEncoding', {num_tokens: 5}, /layer 'odd' \(CategoryEncoding\): tfjs has no such class/],
    ['Resizing', {height: 2, width: 2}, /layer 'odd' \(Resizing\): tfjs has no such class/],
    [
      'GRU',
      {units: 2, reset_after: true},
      /layer 'odd' \(GRU\): reset_after is true, but tfjs has no such GRU/,
      [null, 3, 2],
    ],
    ['LSTM', {units: 2, time_major: true}, /\(LSTM\): time_major is true, but tfjs takes no notice/, [null, 3, 2]],
    [
      'LSTM',
      {units: 2, recurrent_activation: 'hard_sigmoid'},
      /recurrent_activation is "hard_sigmoid", but tfjs/,
      [null, 3, 2],
    ],
    [
      'DepthwiseConv2D',
      {kernel_size: [3, 3], dilation_rate: [2, 2]},
      /dilation_rate is \[2,2\], but tfjs/,
      [null, 9, 9, 2],
    ],
    ['Conv2D', {filters: 4, kernel_size: [3, 3], groups: 2}, /groups is 2, but tfjs/, [null, 9, 9, 4]],
    [
      'Conv2DTranspose',
      {filters: 4, kernel_size: [3, 3], output_padding: [1, 1]},
      /output_padding is \[1,1\]/,
      [null, 9, 9, 4],
    ],
    ['ELU', {alpha: 0.5}, /alpha is 0.5/],
    ['ReLU', {threshold: -1}, /threshold is -1/],
    ['Dense', {units: 2, activation: 'exponential'}, /tfjs has no activation "exponential"/],
    ['Dense', {units: 2, quantization_config: {mode: 'int8'}}, /quantization_config is/],
    ['Dense', {units: 2, dtype: {class_name: 'QuantizedDTypePolicy', config: {name: 'int8_from_float32'}}}, /dtype is/],
    [
      'Dense',
      {units: 2, kernel_regularizer: {class_name: 'OrthogonalRegularizer', config: {}}},
      /no regularizer of tfjs/,
    ],
    ['BatchNormalization', {axis: [1, 2]}, /axis is \[1,2\]/, [null, 3, 2]],
    ['UpSampling2D', {size: [2, 2], interpolation: 'bicubic'}, /interpolation is "bicubic"/, [null, 3, 3, 2]],
  ];
  for (const [className, config, message, shape] of refused) {
    it(`is refused by name: ${className} with ${Object.keys(config).join(', ')}`, async () => {
      await expectAsync(mended(alone(className, config, shape))).toBeRejectedWithError(message);
    });
  }

  it('is told all at once', async () => {
    const x = tensor3('x');
    const artifacts = model3(
      [
        input3('x'),
        layer3('Lambda', 'a', [x]),
        layer3('ELU', 'b', [tensor3('a')], {alpha: 3}),
        layer3('Attention', 'c', [[tensor3('b'), x]]),
      ],
      'c',
    );
    await expectAsync(mended(artifacts)).toBeRejectedWithError(
      /3 problems:\n- layer 'a'.*\n- layer 'b'.*\n- layer 'c'/,
    );
  });

  it('are arguments of calls that tfjs does not hand on', async () => {
    const dropout = (kwargs: Json) =>
      model3([input3('x'), layer3('Dropout', 'd', [tensor3('x')], {rate: 0.5}, kwargs)], 'd');
    await expectAsync(mended(dropout({training: true}))).toBeRejectedWithError(
      /'d' \(Dropout\): it is called with training=True/,
    );
    await expectAsync(mended(dropout({mask: tensor3('x')}))).toBeRejectedWithError(/called with a mask of its own/);
    await expectAsync(mended(dropout({training: false, mask: null}))).toBeResolved();
  });

  it('are masks that tfjs loses on their way', async () => {
    const words = (...behind: Json[]) =>
      model3(
        [
          input3('x', [null, 7]),
          layer3('Embedding', 'e', [tensor3('x', [null, 7])], {input_dim: 9, output_dim: 5, mask_zero: true}),
          ...behind,
        ],
        'last',
      );
    const embedded = tensor3('e', [null, 7, 5]);
    const pooled = words(layer3('GlobalAveragePooling1D', 'last', [embedded]));
    await expectAsync(mended(pooled)).toBeRejectedWithError(
      /'last' \(GlobalAveragePooling1D\): in Keras it leaves out steps/,
    );
    const convolved = words(
      layer3('Conv1D', 'c', [embedded], {filters: 3, kernel_size: [2]}),
      layer3('LSTM', 'last', [tensor3('c', [null, 6, 3])], {units: 2}),
    );
    await expectAsync(mended(convolved)).toBeRejectedWithError(/'last' \(LSTM\): .*tfjs loses the mask in 'c'/);
  });

  it('are operations without a layer, by name', async () => {
    const operation = (className: string, ...args: unknown[]) =>
      model3(
        [input3('x'), {class_name: className, config: {name: 'op'}, name: 'op', inbound_nodes: [{args, kwargs: {}}]}],
        'op',
      );
    await expectAsync(mended(operation('GetItem', tensor3('x'), 1))).toBeRejectedWithError(
      /'op' \(GetItem\): .*operation get_item/,
    );
    await expectAsync(mended(operation('Divide', 1, tensor3('x')))).toBeRejectedWithError(/divides by a tensor/);
    const lambda = alone('TFOpLambda', {function: 'linalg.norm'});
    await expectAsync(mended(lambda)).toBeRejectedWithError(/operation tf.linalg.norm/);
  });

  it('are weights that are not there, or that nobody needs', async () => {
    const dense = (weights: readonly string[]) =>
      model3([input3('x'), layer3('Dense', 'd', [tensor3('x')], {units: 1})], 'd', weights);
    await expectAsync(mended(dense(['d/kernel']))).toBeRejectedWithError(
      /layer 'd' \(Dense\): the file has no weight for its bias/,
    );
    await expectAsync(mended(dense(['d/kernel', 'd/bias', 'e/kernel']))).toBeRejectedWithError(
      /no layer has weights like 'e\/kernel'/,
    );
    await expectAsync(mended(dense(['model/d_old_1/kernel', 'model/d_old_1/bias']))).toBeResolved();
  });

  it('are files that are something else', async () => {
    await expectAsync(mended({modelTopology: {node: []}})).toBeRejectedWithError(
      /this is a graph model, not a layers model/,
    );
    await expectAsync(mended({modelTopology: null})).toBeRejectedWithError(/there is no model topology/);
    await expectAsync(mended({modelTopology: {model_config: {class_name: 'Functional'}}})).toBeRejectedWithError(
      /the config of the model must/,
    );
    const own = {
      modelTopology: {keras_version: '3.0.0', model_config: {class_name: 'MyModel', config: {name: 'mine'}}},
    };
    await expectAsync(mended(own)).toBeRejectedWithError(/the MyModel 'mine' has no list of layers/);
    expect(() => mendLayers(3 as never)).toThrowError(/mendLayers: source must be/);
  });
});

describe('A malformed topology', () => {
  const x = tensor3('x');
  const cases: readonly (readonly [string, readonly Json[], string, RegExp])[] = [
    [
      'cyclic',
      [input3('x'), layer3('Add', 'a', [[x, tensor3('b')]]), layer3('ReLU', 'b', [tensor3('a')])],
      'b',
      /among its own inputs: the model has a cycle/,
    ],
    [
      'of a layer that takes one that is not there',
      [input3('x'), layer3('ReLU', 'a', [tensor3('q')])],
      'a',
      /layer 'a' \(ReLU\) takes 'q', which is not there/,
    ],
    [
      'of a layer that takes a call that is not there',
      [input3('x'), layer3('ReLU', 'a', [tensor3('x', [null, 4], 3)])],
      'a',
      /takes call 3 of 'x'/,
    ],
    ['with an output that is not there', [input3('x')], 'y', /names the layer 'y', which is not there/],
    [
      'with a name twice',
      [input3('x'), layer3('ReLU', 'a', [x]), layer3('ReLU', 'a', [x])],
      'a',
      /two layers are called 'a'/,
    ],
    [
      'with a name of JavaScript',
      [input3('x'), layer3('ReLU', '__proto__', [x])],
      '__proto__',
      /'__proto__' \(ReLU\) has a name that/,
    ],
    [
      'with a name of an object',
      [input3('x'), layer3('ReLU', 'constructor', [x])],
      'constructor',
      /'constructor' \(ReLU\) has a name that/,
    ],
    ['without a class', [input3('x'), {name: 'a', config: {}}], 'x', /layer 1 must have a class_name/],
    [
      'with nodes that are none',
      [input3('x'), {...layer3('ReLU', 'a', [x]), inbound_nodes: [3]}],
      'a',
      /inbound_nodes must be a list of calls/,
    ],
  ];
  for (const [name, layers, output, message] of cases) {
    it(`${name} is refused`, async () => {
      await expectAsync(mended(model3(layers, output))).toBeRejectedWithError(message);
    });
  }

  it('of tfjs itself is refused as well, on which tfjs would wait forever', async () => {
    const layers = [
      {...input3('x'), config: {batch_input_shape: [null, 4], dtype: 'float32', name: 'x'}},
      {class_name: 'ReLU', name: 'a', config: {name: 'a'}, inbound_nodes: [[['b', 0, 0, {}]]]},
      {class_name: 'ReLU', name: 'b', config: {name: 'b'}, inbound_nodes: [[['a', 0, 0, {}]]]},
    ];
    const config = {name: 'm', layers, input_layers: [['x', 0, 0]], output_layers: [['b', 0, 0]]};
    const modelTopology = {keras_version: 'tfjs-layers 4.22.0', class_name: 'Model', config};
    await expectAsync(mended({modelTopology})).toBeRejectedWithError(/the model has a cycle/);
  });

  it('that is deep or pollutes prototypes is read without harm', async () => {
    const deep = JSON.parse(`${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`) as Json;
    await expectAsync(mended(alone('ReLU', {deep}))).toBeRejectedWithError(/more than 1000 deep/);
    const config = JSON.parse(
      '{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}, "max_value": 6}',
    ) as Json;
    await mended(alone('ReLU', config)).catch(() => undefined);
    expect(({} as Json)['polluted']).toBeUndefined();
    let nested: Json = input3('x');
    for (let i = 0; i < 100; i++) {
      nested = {
        class_name: 'Sequential',
        name: `s${i}`,
        config: {name: `s${i}`, layers: [nested]},
        inbound_nodes: [{args: [x], kwargs: {}}],
      };
    }
    await expectAsync(mended(model3([input3('x'), nested], 's99'))).toBeRejectedWithError(/more than 64 deep/);
  });

  it('is read in the time that its size takes, in whatever order', async () => {
    const count = 20_000;
    const chain = Array.from({length: count}, (_, i) =>
      layer3('ReLU', `r${i}`, [tensor3(i === 0 ? 'x' : `r${i - 1}`)]),
    );
    const {modelTopology} = await mended(model3([input3('x'), ...chain.reverse()], `r${count - 1}`));
    const {layers} = (modelTopology as {model_config: {config: {layers: Json[]}}}).model_config.config;
    expect([layers[1]!['name'], layers.at(-1)!['name']]).toEqual(['r0', `r${count - 1}`]);
  });
});
