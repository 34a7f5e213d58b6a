/** tfjs-layers itself, held to what src/layers/tfjs_internals.ts and its neighbours lean on: what fails here tfjs has changed. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {valuesOf} from '../support/environment';
import {needsTraining, scoped} from '../support/scoped';

const {layers} = tfl;
type Layer = tfl.layers.Layer;
type Symbolic = tfl.SymbolicTensor;
type Attributes = Record<string, unknown>;

/** A layer's attributes, whatever their typings say. */
const of = (layer: object) => layer as Attributes;

/** A layer that has been called, and so has its weights. */
function built<T extends Layer>(layer: T, ...shape: number[]): T {
  layer.apply(tfl.input({shape}));
  return layer;
}

const IS_WEIGHT = (value: unknown) => !(value instanceof tf.Tensor) && of(value as object)['read'] !== undefined;
const IS_ACTIVATION = (value: unknown) => typeof (value as {apply?: unknown}).apply === 'function';
const IS_LAYER = (value: unknown) => value instanceof layers.Layer;

describe('attributes of layers', () => {
  scoped();

  const IMAGE = [6, 6, 2];
  const rnn = () => layers.rnn({cell: [layers.gruCell({units: 3}), layers.lstmCell({units: 2})]});
  const CASES: Readonly<Record<string, [() => Layer, Record<string, unknown>]>> = {
    Dense: [() => built(layers.dense({units: 3}), 2), {kernel: IS_WEIGHT, bias: IS_WEIGHT, activation: IS_ACTIVATION}],
    Activation: [() => layers.activation({activation: 'relu'}), {activation: IS_ACTIVATION}],
    Conv2D: [
      () => built(layers.conv2d({filters: 3, kernelSize: 3, strides: 2, dataFormat: 'channelsFirst'}), 2, 6, 6),
      {
        kernel: IS_WEIGHT,
        activation: IS_ACTIVATION,
        dataFormat: 'channelsFirst',
        rank: 2,
        strides: [2, 2],
        dilationRate: [1, 1],
        padding: 'valid',
      },
    ],
    Conv1D: [() => built(layers.conv1d({filters: 3, kernelSize: 3}), 6, 2), {rank: 1, dataFormat: 'channelsLast'}],
    DepthwiseConv2D: [
      () => built(layers.depthwiseConv2d({kernelSize: 3}), ...IMAGE),
      {depthwiseKernel: IS_WEIGHT, dataFormat: 'channelsLast', rank: 2, depthwiseConstraint: null},
    ],
    SeparableConv2D: [
      () => built(layers.separableConv2d({filters: 3, kernelSize: 3, strides: 2, padding: 'same'}), ...IMAGE),
      {
        depthwiseKernel: IS_WEIGHT,
        pointwiseKernel: IS_WEIGHT,
        bias: IS_WEIGHT,
        strides: [2, 2],
        padding: 'same',
        depthMultiplier: 1,
        dilationRate: [1, 1],
        dataFormat: 'channelsLast',
        activation: IS_ACTIVATION,
      },
    ],
    'SeparableConv2D without a bias': [
      () => built(layers.separableConv2d({filters: 3, kernelSize: 3, useBias: false}), ...IMAGE),
      {bias: null},
    ],
    BatchNormalization: [
      () => built(layers.batchNormalization({epsilon: 0.5, momentum: 0.75}), ...IMAGE),
      {
        gamma: IS_WEIGHT,
        beta: IS_WEIGHT,
        movingMean: IS_WEIGHT,
        movingVariance: IS_WEIGHT,
        epsilon: 0.5,
        momentum: 0.75,
        axis: -1,
        inputSpec: [jasmine.objectContaining({ndim: 4})],
      },
    ],
    AveragePooling1D: [() => layers.averagePooling1d({poolSize: 3}), {poolSize: [3], strides: [3], padding: 'valid'}],
    MaxPooling2D: [
      () => layers.maxPooling2d({poolSize: 3, strides: 2, padding: 'same'}),
      {poolSize: [3, 3], strides: [2, 2], padding: 'same'},
    ],
    ZeroPadding2D: [() => layers.zeroPadding2d({padding: [1, 2]}), {padding: [[1, 1], [2, 2]]}], // prettier-ignore
    Cropping2D: [() => layers.cropping2D({cropping: [[1, 2], [3, 4]]}), {cropping: [[1, 2], [3, 4]]}], // prettier-ignore
    Permute: [() => layers.permute({dims: [2, 1]}), {dims: [2, 1]}],
    Concatenate: [() => layers.concatenate({axis: 1}), {axis: 1}],
    Dot: [() => layers.dot({axes: [1, 2], normalize: true}), {axes: [1, 2], normalize: true}],
    Softmax: [() => layers.softmax({axis: [1, 2]}), {axis: [1, 2]}],
    LayerNormalization: [
      () => built(layers.layerNormalization({axis: -1, epsilon: 0.5}), 3),
      {gamma: IS_WEIGHT, beta: IS_WEIGHT, axis: [1], epsilon: 0.5},
    ],
    ThresholdedReLU: [() => layers.thresholdedReLU({theta: 0.5}), {theta: 0.5}],
    Masking: [() => layers.masking({maskValue: 2}), {maskValue: 2}],
    CategoryEncoding: [
      () => layers.categoryEncoding({numTokens: 3, outputMode: 'count'}),
      {numTokens: 3, outputMode: 'count'},
    ],
    CenterCrop: [() => layers.centerCrop({height: 2, width: 3}), {height: 2, width: 3}],
    Resizing: [
      () => layers.resizing({height: 2, width: 3, cropToAspectRatio: true}),
      {height: 2, width: 3, interpolation: 'bilinear', cropToAspectRatio: true},
    ],
    Flatten: [() => layers.flatten({dataFormat: 'channelsFirst'}), {dataFormat: 'channelsFirst'}],
    Conv3D: [
      () => built(layers.conv3d({filters: 3, kernelSize: 2}), 4, 4, 4, 2),
      {strides: [1, 1, 1], dilationRate: [1, 1, 1], padding: 'valid', rank: 3},
    ],
    MaxPooling3D: [() => layers.maxPooling3d({poolSize: 3}), {poolSize: [3, 3, 3], strides: [3, 3, 3]}],
    Rescaling: [() => layers.rescaling({scale: 2, offset: 3}), {scale: 2, offset: 3}],
    LeakyReLU: [() => layers.leakyReLU({alpha: 0.5}), {alpha: 0.5}],
    PReLU: [() => built(layers.prelu(), 3), {alpha: IS_WEIGHT}],
    AlphaDropout: [() => layers.alphaDropout({rate: 0.5, noiseShape: [2, 1]}), {noiseShape: [2, 1]}],
    Embedding: [
      () => built(layers.embedding({inputDim: 3, outputDim: 2, maskZero: true}), 4),
      {embeddings: IS_WEIGHT, maskZero: true},
    ],
    ReLU: [() => layers.reLU({maxValue: 6}), {maxValue: 6}],
    UpSampling2D: [() => layers.upSampling2d({interpolation: 'bilinear'}), {interpolation: 'bilinear'}],
    SimpleRNN: [() => built(layers.simpleRNN({units: 3}), 4, 2), {cell: IS_LAYER}],
    StackedRNNCells: [
      () => of(rnn())['cell'] as Layer,
      {cells: [jasmine.any(layers.Layer), jasmine.any(layers.Layer)]},
    ],
    GRUCell: [() => layers.gruCell({units: 3}), {stateSize: 3}],
    LSTMCell: [() => layers.lstmCell({units: 3}), {stateSize: [3, 3]}],
    Bidirectional: [
      () => built(layers.bidirectional({layer: layers.gru({units: 2}), mergeMode: 'sum'}), 4, 2),
      {mergeMode: 'sum', forwardLayer: IS_LAYER, backwardLayer: IS_LAYER},
    ],
    TimeDistributed: [() => built(layers.timeDistributed({layer: layers.dense({units: 2})}), 4, 2), {layer: IS_LAYER}],
  };

  for (const [name, [make, attributes]] of Object.entries(CASES)) {
    it(`of ${name}: ${Object.keys(attributes).join(', ')}`, () => {
      const layer = of(make());
      for (const [attr, expected] of Object.entries(attributes)) {
        const value = layer[attr];
        if (typeof expected === 'function')
          expect((expected as (given: unknown) => boolean)(value))
            .withContext(attr)
            .toBeTrue();
        else expect(value).withContext(attr).toEqual(expected);
      }
    });
  }

  it('gamma and beta, only where a BatchNormalization has them', () => {
    const {gamma, beta} = of(built(layers.batchNormalization({scale: false, center: false}), ...IMAGE));
    expect([gamma ?? null, beta ?? null]).toEqual([null, null]);
  });

  it('are what a layer computes with, at each call', async () => {
    const dense = built(layers.dense({units: 1, kernelInitializer: 'ones', activation: 'relu'}), 2);
    const [three, call] = [tf.tensor2d([[3], [3]]), () => dense.apply(tf.tensor2d([[1, 1]])) as tf.Tensor];
    expect(await valuesOf(call())).toEqual(new Float32Array([2]));
    of(dense)['kernel'] = {read: () => three};
    expect(await valuesOf(call())).toEqual(new Float32Array([6]));
    of(dense)['activation'] = {getClassName: () => 'other', apply: (x: tf.Tensor) => tf.neg(x)};
    expect(await valuesOf(call())).toEqual(new Float32Array([-6]));
  });

  it('momentum 0 makes the statistics those of the batch', async () => {
    needsTraining();
    const norm = built(layers.batchNormalization({}), 2);
    of(norm)['momentum'] = 0;
    norm.apply(tf.tensor2d([[1, 2], [3, 6]]), {training: true}); // prettier-ignore
    const [mean] = norm.nonTrainableWeights;
    expect(await valuesOf(mean!.read())).toEqual(new Float32Array([2, 4]));
  });

  it('states, which a stateful recurrent layer keeps within a scope, and gives back', () => {
    const before = tf.memory().numTensors;
    const made: Layer[] = [];
    tf.tidy(() => {
      const lstm = layers.lstm({units: 3, stateful: true, batchInputShape: [2, 4, 1]});
      tfl.sequential({layers: [lstm]});
      made.push(lstm);
    });
    const states = of(made[0]!)['states'] as tf.Tensor[];
    expect(states.map(({shape}) => shape)).toEqual([[2, 3], [2, 3]]); // prettier-ignore
    expect(states.every(({isDisposed}) => !isDisposed)).toBeTrue();
    (of(made[0]!)['resetStates'] as () => void).call(made[0]);
    tf.dispose([of(made[0]!)['states'] as tf.Tensor[], states]);
    made[0]!.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('what of layers is not as they say', () => {
  scoped();

  function predicted(layer: Layer, x: tf.Tensor): tf.Tensor {
    const inputs = tfl.input({shape: x.shape.slice(1)});
    return tfl.model({inputs, outputs: layer.apply(inputs) as Symbolic}).predict(x) as tf.Tensor;
  }

  it('Resizing and RandomWidth, which cannot be called in models', () => {
    for (const layer of [layers.resizing({height: 2, width: 2}), layers.randomWidth({factor: 0.5})]) {
      // Backends of wasm find out otherwise.
      const message = /x must be rank 3 or 4, but got rank 1|Invalid typed array length/;
      expect(() => predicted(layer, tf.zeros([1, 4, 4, 1]))).toThrowError(message);
    }
  });

  it('CenterCrop and CategoryEncoding, which change the shape of what they are called on', () => {
    const image = tfl.input({shape: [4, 4, 1]});
    layers.centerCrop({height: 2, width: 3}).apply(image);
    expect(image.shape).toEqual([null, 2, 3, 1]);
    const tokens = tfl.input({shape: [4]});
    layers.categoryEncoding({numTokens: 9}).apply(tokens);
    expect(tokens.shape).toEqual([null, 9]);
  });

  it('SeparableConv2D of channelsFirst, which adds its bias to rows', async () => {
    const layer = layers.separableConv2d({
      filters: 2,
      kernelSize: 1,
      dataFormat: 'channelsFirst',
      inputShape: [1, 2, 1],
    });
    const model = tfl.sequential({layers: [layer]});
    model.setWeights([tf.ones([1, 1, 1, 1]), tf.zeros([1, 1, 1, 2]), tf.tensor1d([1, 2])]);
    const y = model.predict(tf.ones([1, 1, 2, 1])) as tf.Tensor;
    expect([...(await valuesOf(y))]).toEqual([1, 2, 1, 2]);
  });

  it('Conv1D of channelsFirst, which gives them last', () => {
    const layer = layers.conv1d({filters: 2, kernelSize: 1, dataFormat: 'channelsFirst'});
    expect(predicted(layer, tf.zeros([1, 3, 4])).shape).toEqual([1, 4, 2]);
    expect(layer.outputShape).toEqual([null, 2, 4]);
  });
});

describe('dropoutMask and recurrentDropoutMask', () => {
  scoped();
  beforeEach(() => needsTraining());

  it('are what a cell drops in training, and stay until the next call, its model gone or not', () => {
    const before = tf.memory().numTensors;
    const lstm = layers.lstm({
      units: 3,
      dropout: 0.5,
      recurrentDropout: 0.5,
      inputShape: [4, 1],
      recurrentInitializer: 'zeros',
    });
    const model = tfl.sequential({layers: [lstm]});
    const cell = of(of(lstm)['cell'] as Layer);
    tf.tidy(() => void model.apply(tf.zeros([2, 4, 1]), {training: true}));
    model.dispose();
    for (const [attr, shape] of Object.entries({dropoutMask: [2, 1], recurrentDropoutMask: [2, 3]})) {
      const masks = cell[attr] as tf.Tensor[];
      expect(masks.map(mask => mask.shape))
        .withContext(attr)
        .toEqual(Array.from({length: 4}, () => shape));
      expect(masks.some(({isDisposed}) => isDisposed)).toBeFalse();
      tf.dispose(masks);
    }
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('what a layer keeps to itself', () => {
  scoped();

  it('its own weights, trainable or not as they were made', () => {
    const norm = of(built(layers.batchNormalization({}), 2));
    const names = (weights: unknown) =>
      (weights as tfl.LayerVariable[]).map(({originalName}) => originalName.split('/')[1]);
    expect(names(norm['_trainableWeights'])).toEqual(['gamma', 'beta']);
    expect(names(norm['_nonTrainableWeights'])).toEqual(['moving_mean', 'moving_variance']);
    norm['trainable'] = false;
    expect(names(norm['_trainableWeights'])).toEqual(['gamma', 'beta']);
  });

  it('addWeight, to which an initializer is what has an apply', async () => {
    const layer = layers.flatten();
    const add = of(layer)['addWeight'] as (...args: unknown[]) => tfl.LayerVariable;
    const make = jasmine.createSpy('apply').and.callFake((shape: number[]) => tf.fill(shape, -1, 'int32'));
    const weight = add.call(layer, 'steps', [], 'int32', {apply: make}, undefined, false);
    expect(make).toHaveBeenCalledOnceWith([], 'int32');
    expect(weight.originalName).toBe('steps');
    expect(weight.trainable).toBeFalse();
    expect([...(await weight.read().data())]).toEqual([-1]);
    expect(of(layer)['_nonTrainableWeights']).toEqual([weight]);
  });

  it('_refCount: its symbolic calls, then what is left to dispose of', () => {
    const dense = layers.dense({units: 2});
    expect(of(dense)['_refCount']).toBeNull();
    const x = tfl.input({shape: [2]});
    const y = dense.apply(dense.apply(x)) as Symbolic;
    expect(of(dense)['_refCount']).toBe(2);
    const model = tfl.model({inputs: x, outputs: y});
    expect(of(model)['_refCount']).toBe(1);
    of(dense)['_refCount'] = 1;
    expect(model.dispose().numDisposedVariables).toBe(2);
    expect([of(dense)['_refCount'], of(model)['_refCount']]).toEqual([0, 0]);
  });

  it('a model within a model is disposed of twice', () => {
    const nested = tfl.sequential({layers: [layers.dense({units: 2, inputShape: [2]})]});
    const x = tfl.input({shape: [2]});
    const model = tfl.model({inputs: x, outputs: nested.apply(x) as Symbolic});
    expect(of(nested)['_refCount']).toBe(2);
    expect(model.dispose().numDisposedVariables).toBe(2);
    expect(of(nested)['_refCount']).toBe(0);
  });

  it('trainable_, which a model sets by itself, without its layers', () => {
    const model = tfl.sequential({layers: [layers.dense({units: 2, inputShape: [2]})]});
    of(model)['trainable_'] = false;
    expect(model.trainable).toBeFalse();
    expect(model.layers[0]!.trainableWeights.every(({trainable}) => trainable)).toBeTrue();
    model.trainable = true;
    expect(of(model)['trainable_']).toBeTrue();
  });
});

describe('the graph of a model', () => {
  scoped();

  it('a symbolic call is the last of inboundNodes, and of outboundNodes of what it is called on', () => {
    const [before, gru] = [layers.dense({units: 2}), layers.gru({units: 3})];
    const sequence = before.apply(tfl.input({shape: [4, 2]})) as Symbolic;
    const state = tfl.input({shape: [3]});
    const output = gru.apply(sequence, {initialState: [state], other: 1}) as Symbolic;
    const call = gru.inboundNodes.at(-1)!;
    expect(call.outboundLayer).toBe(gru);
    expect(call.inputTensors).toEqual([sequence, state]);
    expect(call.outputTensors).toEqual([output]);
    expect(call.inboundLayers).toEqual([before, state.sourceLayer]);
    expect(call.inboundLayers.map(({outboundNodes}) => outboundNodes.at(-1))).toEqual([call, call]);
    expect(of(call.callArgs!)['other']).toBe(1);
  });

  it('nodesByDepth holds the calls, the outputs at depth 0', () => {
    const model = tfl.sequential({
      layers: [layers.dense({units: 2, inputShape: [2], name: 'first'}), layers.dense({units: 2, name: 'last'})],
    });
    const within = of(model)['model'];
    expect(within ?? null).toBeNull();
    model.build([]);
    const {nodesByDepth} = of(model)['model'] as tfl.LayersModel;
    const names = Object.entries(nodesByDepth).map(([depth, nodes]) => [
      depth,
      nodes.map(each => each.outboundLayer.name),
    ]);
    expect(names).toEqual([
      ['0', ['last']],
      ['1', ['first']],
      ['2', ['first_input']],
    ]);
  });
});

describe('saving and loading', () => {
  scoped();

  const modelOf = () => tfl.sequential({layers: [layers.dense({units: 2, inputShape: [2], name: 'given'})]});

  async function saved(model: tfl.LayersModel): Promise<tf.io.ModelArtifacts> {
    let artifacts: tf.io.ModelArtifacts | undefined;
    await model.save(
      tf.io.withSaveHandler(given => {
        artifacts = given;
        return Promise.resolve({modelArtifactsInfo: {dateSaved: new Date(0), modelTopologyType: 'JSON'}});
      }),
    );
    return artifacts!;
  }

  it('goes by originalName, which can be set', async () => {
    const model = modelOf();
    expect(model.weights.map(({originalName}) => originalName)).toEqual(['given/kernel', 'given/bias']);
    for (const weight of model.weights) of(weight)['originalName'] = weight.originalName.replace('given', 'other');
    expect((await saved(model)).weightSpecs!.map(({name}) => name)).toEqual(['other/kernel', 'other/bias']);
    const [kernel, bias] = [tf.ones([2, 2]), tf.ones([2])];
    expect(() => model.loadWeights({'given/kernel': kernel, 'given/bias': bias})).toThrowError(/given\/kernel/);
    model.loadWeights({'other/kernel': kernel, 'other/bias': bias});
    expect(await valuesOf(model.weights[1]!.read())).toEqual(new Float32Array([1, 1]));
  });

  it('loadLayersModel has the model load its weights, which notes the names of its own before it looks for those given', async () => {
    const model = modelOf();
    const artifacts = await saved(model);
    const load = spyOn(tfl.LayersModel.prototype, 'loadWeights').and.callThrough();
    const loaded = await tfl.loadLayersModel(tf.io.fromMemory(artifacts));
    expect(load.calls.allArgs().map(([weights]) => Object.keys(weights))).toEqual([['given/kernel', 'given/bias']]);
    expect(load.calls.mostRecent().object).toBe(loaded);
    const log: string[] = [];
    const weights = new Proxy({}, {ownKeys: () => (log.push('given'), [])});
    Object.defineProperty(loaded.weights[0], 'originalName', {get: () => (log.push('own'), 'given/kernel')});
    load.and.callThrough();
    log.length = 0;
    loaded.loadWeights(weights, false);
    // Once to see whether they are Keras 3's, once for their names.
    expect(log.filter((each, i) => each !== log[i - 1])).toEqual(['given', 'own', 'given']);
  });

  it('a weight is held to its constraint when it is written, and to none where that is null', async () => {
    const dense = built(layers.dense({units: 1, useBias: false, kernelConstraint: 'nonNeg'}), 1);
    const [kernel] = dense.weights as [tfl.LayerVariable];
    const written = async () => (await valuesOf(kernel.write(tf.tensor2d([[-2]])).read()))[0]!;
    // WebGL's relu gives -0.
    expect(Math.abs(await written())).toBe(0);
    of(kernel)['constraint'] = null;
    expect(await written()).toBe(-2);
  });

  it('classNameMap has how a layer of a class is made', () => {
    const [cls, fromConfig] = tf.serialization.SerializationMap.getMap().classNameMap['Dense']!;
    const dense = fromConfig(cls, {units: 3, name: 'made'}) as unknown as Layer;
    expect([dense.getClassName(), dense.name]).toEqual(['Dense', 'made']);
  });

  it('every tensor passes by trackTensor of the engine: variables, what is kept, what a scope within holds', () => {
    const track = spyOn(tf.engine(), 'trackTensor').and.callThrough();
    const made = tf.tidy(() => {
      const kept = tf.keep(tf.ones([3]));
      return [kept, tf.variable(kept), kept.clone()];
    });
    const tracked = track.calls.allArgs().map(([each]) => each);
    for (const each of made) expect(tracked).toContain(each);
    tf.dispose(made);
  });
});

describe('callbacks', () => {
  scoped();
  beforeEach(needsTraining);

  class Noting extends tfl.Callback {}

  async function listOf(callbacks: unknown): Promise<{list: object[]; calls: string[]; training: unknown[]}> {
    const x = tfl.input({shape: [2]});
    // A Sequential would leave the training to the model in it.
    const model = tfl.model({inputs: x, outputs: layers.dense({units: 1}).apply(x) as Symbolic});
    const [xs, ys] = [tf.ones([2, 2]), tf.ones([2, 1])];
    model.compile({optimizer: tf.train.sgd(0.1), loss: 'meanSquaredError'});
    const [calls, training]: [string[], unknown[]] = [[], [of(model)['isTraining']]];
    const params = spyOn(tfl.CallbackList.prototype, 'setParams').and.callFake(function (
      this: tfl.CallbackList,
      given,
    ) {
      calls.push('setParams');
      for (const each of this.callbacks) each.setParams(given);
    });
    spyOn(tfl.CallbackList.prototype, 'setModel').and.callFake(function (this: tfl.CallbackList, given) {
      calls.push('setModel');
      training.push(of(model)['isTraining']);
      for (const each of this.callbacks) each.setModel(given);
    });
    try {
      await model.fit(xs, ys, {epochs: 1, callbacks: callbacks as never});
    } finally {
      model.optimizer.dispose();
    }
    training.push(of(model)['isTraining']);
    return {list: (params.calls.mostRecent().object as tfl.CallbackList).callbacks, calls, training};
  }

  it('make a list, of which setParams is called first of all; meanwhile the model isTraining', async () => {
    const callback = new Noting();
    const {list, calls, training} = await listOf([callback]);
    expect(list).toContain(callback);
    expect(calls).toEqual(['setParams', 'setModel']);
    expect(training).toEqual([false, true, false]);
  });

  it('become CustomCallbacks, which keep onTrainBegin as trainBegin, where the first is a plain object', async () => {
    const [onTrainBegin, second] = [() => undefined, {onTrainBegin: () => undefined}];
    const {list} = await listOf([{onTrainBegin}, second]);
    const custom = list.filter(each => each instanceof tfl.CustomCallback);
    expect(custom.map(each => of(each)['trainBegin'])).toEqual([onTrainBegin, second.onTrainBegin]);
  });

  it('stay as they are, plain objects too, where the first is an instance', async () => {
    await expectAsync(listOf([new Noting(), {}])).toBeRejectedWithError(TypeError, /setParams/);
  });
});
