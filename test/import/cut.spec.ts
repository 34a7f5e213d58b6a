/** Parts of models compute what the whole computed there, and share nothing with it. */
import {memory, randomUniform, type Tensor} from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {cutModel} from '../../src/entries/import';
import {calibrate, quantizeModel} from '../../src/entries/qat';
import {needsTraining, scoped} from '../support/scoped';

const {layers} = tfl;
const symbolic = (value: unknown) => value as tfl.SymbolicTensor;

/** Two inputs, of which the second is needed late; a branch, and a layer that is called twice. */
function branched(): tfl.LayersModel {
  const image = tfl.input({shape: [6, 6, 2], name: 'image'});
  const extra = tfl.input({shape: [4], name: 'extra'});
  const conv = symbolic(layers.conv2d({filters: 3, kernelSize: 3, activation: 'relu', name: 'conv'}).apply(image));
  const norm = symbolic(layers.batchNormalization({name: 'norm', trainable: false}).apply(conv));
  const pooled = symbolic(layers.globalAveragePooling2d({name: 'pooled', dataFormat: 'channelsLast'}).apply(norm));
  const shared = layers.dense({units: 4, name: 'shared'});
  const first = symbolic(shared.apply(symbolic(layers.dense({units: 4, name: 'widen'}).apply(pooled))));
  const second = symbolic(shared.apply(extra));
  const joined = symbolic(layers.add({name: 'joined'}).apply([first, second]));
  return tfl.model({
    inputs: [image, extra],
    outputs: layers.dense({units: 2, name: 'head'}).apply(joined) as tfl.SymbolicTensor,
  });
}

const flat = (value: Tensor | Tensor[]) => [value].flat();

async function expectSame(actual: Tensor | Tensor[], wanted: Tensor | Tensor[]): Promise<void> {
  expect(flat(actual).map(({shape}) => shape)).toEqual(flat(wanted).map(({shape}) => shape));
  for (const [i, each] of flat(wanted).entries()) {
    const [a, b] = await Promise.all([flat(actual)[i]!.data(), each.data()]);
    expect(Array.from(b).every((value, j) => Math.abs(value - a[j]!) <= 1e-6)).toBeTrue();
  }
}

/** What the original's own layers give there. */
function oracle(model: tfl.LayersModel, names: readonly string[], inputs: tfl.SymbolicTensor[]): tfl.LayersModel {
  return tfl.model({inputs, outputs: names.flatMap(name => model.getLayer(name).output)});
}

describe('cutModel', () => {
  scoped();

  it('gives the model up to a layer, without inputs that it needs no more', async () => {
    const model = branched();
    const cut = cutModel(model, {outputs: ['widen']});
    expect(cut.name).toBe(model.name);
    expect(cut.inputNames).toEqual(['image']);
    expect(cut.outputNames).toEqual(['widen']);
    expect(cut.layers.map(({name}) => name)).toEqual(['image', 'conv', 'norm', 'pooled', 'widen']);
    const x = randomUniform([2, 6, 6, 2]);
    await expectSame(cut.predict(x), oracle(model, ['widen'], [model.inputs[0]!]).predict(x));
  });

  it('takes several, in any order, and all outputs of a layer that is called twice', async () => {
    const model = branched();
    const cut = cutModel(model, {outputs: ['shared', 'conv']});
    const given = [randomUniform([2, 6, 6, 2]), randomUniform([2, 4])];
    const shared = model.getLayer('shared');
    const whole = tfl.model({
      inputs: model.inputs,
      outputs: [
        symbolic(shared.getOutputAt(0)),
        symbolic(shared.getOutputAt(1)),
        symbolic(model.getLayer('conv').output),
      ],
    });
    const [cutOutputs, wanted] = [cut.predict(given), whole.predict(given)].map(flat);
    expect(cutOutputs!.length).toBe(3);
    await expectSame(cutOutputs!.slice(2), wanted!.slice(2));
    // The calls' order is tfjs's own.
    const close = async (a: Tensor, b: Tensor) => (await a.sub(b).abs().max().data())[0]! < 1e-6;
    const asListed = await close(cutOutputs![0]!, wanted![0]!);
    await expectSame(cutOutputs!.slice(0, 2), asListed ? wanted!.slice(0, 2) : [wanted![1]!, wanted![0]!]);
  });

  it('shares nothing with the original, and keeps what is trained', async () => {
    const model = branched();
    model.getLayer('conv').trainable = false;
    const cut = cutModel(model, {outputs: ['norm']});
    expect(cut.getLayer('conv').trainableWeights.length).toBe(0);
    expect(cut.getLayer('norm').trainableWeights.length).toBe(0);
    const x = randomUniform([1, 6, 6, 2]);
    const before = cut.predict(x) as Tensor;
    model.getLayer('conv').setWeights(
      model
        .getLayer('conv')
        .getWeights()
        .map(each => each.add(1)),
    );
    model.dispose();
    await expectSame(cut.predict(x), before);
  });

  it('leaves nothing once it is disposed of', () => {
    const model = branched();
    const before = memory().numTensors;
    const cut = cutModel(model, {outputs: ['joined']});
    expect(cut.inputNames).toEqual(['image', 'extra']);
    cut.dispose();
    expect(memory().numTensors).toBe(before);
  });

  it('cuts a Sequential, at a model within', async () => {
    const inner = tfl.sequential({name: 'inner', layers: [layers.dense({units: 3, inputShape: [4], name: 'deep'})]});
    const model = tfl.sequential({layers: [inner, layers.dense({units: 2, name: 'last'})]});
    const x = randomUniform([3, 4]);
    await expectSame(cutModel(model, {outputs: ['inner']}).predict(x), inner.predict(x));
    await expectSame(cutModel(inner, {outputs: ['deep']}).predict(x), inner.predict(x));
  });

  it('says where a layer of a model within is', () => {
    const inner = tfl.sequential({name: 'inner', layers: [layers.dense({units: 3, inputShape: [4], name: 'deep'})]});
    const x = tfl.input({shape: [4]});
    const model = tfl.model({inputs: x, outputs: symbolic(inner.apply(x))});
    expect(() => cutModel(model, {outputs: ['deep']})).toThrowError(
      "cutModel: outputs[0]: 'deep' is a layer of the model 'inner' within. Name that, or cut it: cutModel(model.getLayer('inner'), …).",
    );
  });

  it('keeps all outputs of a layer, and metadata', () => {
    const x = tfl.input({shape: [5, 3]});
    const [y] = layers.lstm({units: 2, returnState: true, name: 'lstm'}).apply(x) as tfl.SymbolicTensor[];
    const model = tfl.model({inputs: x, outputs: layers.dense({units: 1}).apply(y!) as tfl.SymbolicTensor});
    model.setUserDefinedMetadata({made: 'here'});
    const cut = cutModel(model, {outputs: ['lstm']});
    expect(cut.outputs.length).toBe(3);
    expect(cut.getUserDefinedMetadata()).toEqual({made: 'here'});
  });

  it('keeps the ranges of a quantized model', async () => {
    const model = branched();
    const q = quantizeModel(model);
    const given = [randomUniform([8, 6, 6, 2]), randomUniform([8, 4])];
    await calibrate(q, [given]);
    const name = q.layers.find(layer => layer.name.includes('widen'))!.name;
    const cut = cutModel(q, {outputs: [name]});
    const before = oracle(q, [name], [q.inputs[0]!]).predict(given[0]!);
    q.dispose();
    await expectSame(cut.predict(given[0]!), before);
  });

  it('takes a new head, which is trained alone', async () => {
    needsTraining();
    const features = cutModel(branched(), {outputs: ['pooled']});
    for (const layer of features.layers) layer.trainable = false;
    const head = layers.dense({units: 3, activation: 'softmax', name: 'classes'});
    const model = tfl.model({inputs: features.inputs, outputs: symbolic(head.apply(features.outputs[0]!))});
    model.compile({optimizer: 'sgd', loss: 'meanSquaredError'});
    const kernel = await features.getLayer('conv').getWeights()[0]!.data();
    const headBefore = await head.getWeights()[0]!.data();
    await model.fit(randomUniform([4, 6, 6, 2]), randomUniform([4, 3]), {epochs: 1});
    expect(await features.getLayer('conv').getWeights()[0]!.data()).toEqual(kernel);
    expect(await head.getWeights()[0]!.data()).not.toEqual(headBefore);
    model.optimizer.dispose();
  });

  it('says what is wrong with where it is to cut, all at once', () => {
    const model = branched();
    const cut = (outputs: unknown) => () => cutModel(model, {outputs: outputs as string[]});
    expect(cut(['poled', 'conv', 'conv', 3])).toThrowError(
      /3 problems:\n- outputs\[0\]: model \w+ has no layer 'poled'. It has 'pooled', .*\n- outputs names 'conv' twice. Leave one out.\n- outputs\[3\] must be the name of a layer, but was 3\./,
    );
    expect(cut(['ed'])).toThrowError(/It has '\w+ed', '\w+ed', '\w+ed', 'head'/);
    expect(cut([])).toThrowError(/outputs must be the names of layers, at least one, but was an empty list/);
    expect(cut('conv')).toThrowError(/outputs must be the names of layers, at least one, but was the string 'conv'/);
    expect(() => cutModel(model, undefined as never)).toThrowError(/cutModel: outputs must be the names of layers/);
    expect(() => cutModel({} as never, {outputs: ['a']})).toThrowError(/cutModel: model must be a tf.LayersModel/);
    model.dispose();
    expect(cut(['conv'])).toThrowError(/is disposed/);
  });

  it('leaves no tensor behind where it fails', () => {
    const model = branched();
    const before = memory().numTensors;
    expect(() => cutModel(model, {outputs: ['nowhere']})).toThrow();
    expect(memory().numTensors).toBe(before);
  });
});
