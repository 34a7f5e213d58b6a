/** What toTFLite refuses, before it writes anything, and what it says. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {calibrate, quantizeModel, type QuantizeOptions, setFakeQuant} from '../../src/entries/qat';
import {toTFLite, type TFLiteOptions} from '../../src/entries/tflite';
import {scoped} from '../support/scoped';

type Layer = tfl.layers.Layer;
const {layers} = tfl;

function sequential(...stack: Layer[]): tfl.LayersModel {
  return tfl.sequential({name: `net_${stack[0]!.name}`, layers: stack});
}

function dense(name: string, args: object = {}): Layer {
  return layers.dense({units: 3, name, ...args});
}

/** A class of one's own, which nobody else knows. */
class Doubled extends tfl.layers.Layer {
  static className = 'Doubled';

  override call(x: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.mul([x].flat()[0]!, 2);
  }
}
tf.serialization.registerClass(Doubled);

async function calibrated(model: tfl.LayersModel, options: QuantizeOptions = {}): Promise<tfl.LayersModel> {
  const q = quantizeModel(model, options);
  const [{shape}] = q.inputs as [tfl.SymbolicTensor];
  await calibrate(q, tf.randomNormal([8, ...(shape.slice(1) as number[])], 0, 1, 'float32', 1));
  return q;
}

async function messageOf(model: tfl.LayersModel, options: TFLiteOptions = {}): Promise<string> {
  return toTFLite(model, options).then(
    () => 'no error',
    (error: unknown) => (error as Error).message,
  );
}

describe('toTFLite refuses', () => {
  scoped();

  it('outputs that are inputs, moved at most', async () => {
    for (const moves of [[], [layers.reshape({targetShape: [2, 2], name: 'moved'})]]) {
      const x = tfl.input({shape: [4], name: 'x'});
      const given = moves.reduce<tfl.SymbolicTensor>((y, layer) => layer.apply(y) as tfl.SymbolicTensor, x);
      const model = tfl.model({inputs: x, outputs: [given, dense('d').apply(x) as tfl.SymbolicTensor]});
      const message = await messageOf(await calibrated(model));
      expect(message).toContain(
        `output ${moves.length > 0 ? 'moved' : 'x'}: it is an input as it is given. Build the model`,
      );
      expect(message).not.toContain('Quantize');
    }
  });

  it('a float layer of a class that it does not know, without asking to quantize it', async () => {
    const own = new Doubled({inputShape: [3], name: 'own'});
    const message = await messageOf(await calibrated(sequential(own, dense('d')), {layers: {own: false}}));
    expect(message).toBe(
      'toTFLite: layer own: there are no operators for the class Doubled. Use other layers, or export a model of those that have some.',
    );
    const q = await calibrated(sequential(dense('e', {inputShape: [4]}), dense('f')), {layers: {e: false}});
    expect(await messageOf(q)).toContain('layer e: its kernel is not quantized');
  });

  it('ranges that were never set, and says which', async () => {
    const q = quantizeModel(sequential(dense('a', {inputShape: [4]}), dense('b')));
    expect(await messageOf(q)).toMatch(
      /ranges were never set: a_input_quantized \(output\), a \(output\), b \(output\)\. .*calibrate\(q, samples\)/,
    );
  });

  it('every layer that it cannot write, in one message', async () => {
    const model = sequential(
      layers.embedding({inputDim: 9, outputDim: 4, inputLength: 5, name: 'words'}),
      layers.flatten(),
      new Doubled({name: 'own'}),
      dense('a', {activation: 'selu'}),
      layers.layerNormalization({name: 'norm'}),
      layers.thresholdedReLU({name: 'threshold'}),
    );
    const q = quantizeModel(model, {customLayers: {Doubled: {}}});
    await calibrate(q, tf.zeros([8, 5]));
    const message = await messageOf(q);
    for (const part of [
      '4 problems',
      'layer own: there are no operators for the class Doubled. Use other layers, or export a model of those that have some.',
      'layer a: the activation selu has no integer operator. Have it computed in float: floatFallback: true. Or use one of elu',
      'layer norm: the class LayerNormalization has no integer operator. Have it computed in float: floatFallback: true.',
      'layer threshold: the class ThresholdedReLU has no integer operator',
    ]) {
      expect(message).toContain(part);
    }
  });

  it('channels first where tfjs takes them for something else', async () => {
    const args = {filters: 2, kernelSize: 3, dataFormat: 'channelsFirst' as const};
    const conv1d = layers.conv1d({...args, inputShape: [3, 6], name: 'c'});
    expect(await messageOf(sequential(conv1d))).toContain(
      "layer c: its data format is channelsFirst. Build it with 'channelsLast'",
    );
    const image = {...args, inputShape: [3, 6, 6]};
    expect(await messageOf(sequential(layers.separableConv2d({...image, name: 's'})))).toContain(
      "layer s: tfjs adds its bias to the rows of channelsFirst images. Build it without one, or with 'channelsLast'",
    );
    expect(await messageOf(sequential(layers.conv2d({...image, activation: 'softmax', name: 'd'})))).toContain(
      'layer d: tfjs computes its activation softmax along the columns of channelsFirst images. Make it a layer',
    );
  });

  it('sums over samples, and samples that are normalized', async () => {
    const [x, y] = [tfl.input({batchShape: [2, 2]}), tfl.input({batchShape: [2, 2]})];
    const dot = layers.dot({axes: 0, name: 'dot'}).apply([x, y]) as tfl.SymbolicTensor;
    expect(await messageOf(tfl.model({inputs: [x, y], outputs: dot}))).toContain(
      'layer dot: it sums over samples, its axis 0',
    );
    const norm = layers.batchNormalization({axis: 0, name: 'n', batchInputShape: [2, 2]});
    expect(await messageOf(sequential(norm))).toContain('layer n: it normalizes samples, its axis 0');
  });

  it('a Softmax behind a mask', async () => {
    const masking = layers.masking({inputShape: [3, 2], name: 'm'});
    expect(await messageOf(sequential(masking, dense('d'), layers.softmax({axis: -1, name: 's'})))).toBe(
      'toTFLite: layer s: it leaves out what layer m masks, and a file has no masks. Use an Activation of softmax, or build the model without the mask.',
    );
    const others = sequential(layers.masking({inputShape: [3, 2]}), dense('e', {activation: 'softmax'}));
    expect(await messageOf(others)).toBe('no error');
  });

  it('an image without a batch', async () => {
    for (const layer of [
      layers.centerCrop({height: 2, width: 3, batchInputShape: [4, 4, 1], name: 'crop'}),
      layers.resizing({height: 2, width: 3, batchInputShape: [4, 4, 1], name: 'crop'}),
    ]) {
      expect(await messageOf(sequential(layer))).toContain('layer crop: it is given an image alone');
    }
  });

  it('a Dot that normalizes, in integers', async () => {
    const [x, y] = [tfl.input({shape: [3]}), tfl.input({shape: [3]})];
    const dot = layers.dot({axes: 1, normalize: true, name: 'dot'}).apply([x, y]) as tfl.SymbolicTensor;
    const q = quantizeModel(tfl.model({inputs: [x, y], outputs: dot}));
    await calibrate(q, [tf.randomNormal([8, 3]), tf.randomNormal([8, 3])]);
    expect(await messageOf(q)).toContain('layer dot: there is no integer operator for its normalize. Have it computed');
    expect(await messageOf(q, {floatFallback: true})).toBe('no error');
  });

  it('shapes that are not known', async () => {
    const x = tfl.input({shape: [null, null, 3], name: 'image'});
    const y = layers.conv2d({filters: 2, kernelSize: 3}).apply(x) as tfl.SymbolicTensor;
    const q = quantizeModel(tfl.model({inputs: x, outputs: y}));
    await calibrate(q, tf.randomNormal([2, 6, 6, 3]));
    expect(await messageOf(q)).toContain('input image has the shape [any,any,any,3]');
  });

  for (const bad of [NaN, Infinity]) {
    it(`weights that hold ${bad}`, async () => {
      const q = await calibrated(sequential(dense('a', {inputShape: [4]}), dense('b')));
      const weights = q.getLayer('b').getWeights();
      const bias = tf.tensor1d([0, bad, 0]);
      q.getLayer('b').setWeights([weights[0]!, bias, ...weights.slice(2)]);
      expect(await messageOf(q)).toBe(
        'toTFLite: layer b: its bias holds NaN or Infinity. Go back to weights from before training diverged.',
      );
      const kernel = tf.fill([3, 3], bad);
      q.getLayer('b').setWeights([kernel, tf.zeros([3]), ...weights.slice(2)]);
      expect(await messageOf(q)).toContain('layer b: its kernel holds NaN or Infinity');
    });
  }

  it('a tensor that two layers round to ranges of their own; of an input, as int8', async () => {
    const parts = await Promise.all([1, 2].map(i => calibrated(sequential(dense(`d${i}`, {inputShape: [4]})))));
    const x = tfl.input({shape: [4], name: 'x'});
    const on = (value: tfl.SymbolicTensor) => {
      const outputs = parts.map(part => part.apply(value) as tfl.SymbolicTensor);
      return tfl.model({inputs: x, outputs});
    };
    const y = layers.reLU({name: 'r'}).apply(x) as tfl.SymbolicTensor;
    expect(await messageOf(on(y))).toMatch(
      /layer r: its output goes to 2 places, and layer .*_quantized alone rounds it/,
    );
    expect(await messageOf(on(x), {inputType: 'int8'})).toMatch(
      /input x: it goes to several places.*Leave inputType 'float32'/,
    );
  });

  it('weights and activations that are not quantized', async () => {
    const both = () => sequential(dense('a', {inputShape: [4]}), dense('b'));
    expect(await messageOf(await calibrated(both(), {layers: {b: {weights: false}}}))).toBe(
      "toTFLite: layer b: its kernel is not quantized. Quantize it: quantizeModel's weights; or have it computed in float: floatFallback: true.",
    );
    expect(await messageOf(await calibrated(both(), {layers: {b: {activations: false}}}))).toContain(
      'layer b: its output has no range',
    );
    const q = await calibrated(both());
    setFakeQuant(q, false, 'weights');
    expect(await messageOf(q)).toContain(
      'layer b: the rounding of its kernel is off. Switch it on: setFakeQuant(q, true)',
    );
  });

  it('weights that are not quantized of a layer called step by step', async () => {
    const stepped = layers.timeDistributed({layer: dense('inner'), inputShape: [3, 4], name: 't'});
    const q = await calibrated(sequential(stepped, dense('d')), {layers: {t: {weights: false}}});
    expect(await messageOf(q)).toBe(
      "toTFLite: layer t: its kernel is not quantized. Quantize it: quantizeModel's weights; or have it computed in float: floatFallback: true.",
    );
  });

  it('grids that its integers cannot hold', async () => {
    const model = () => sequential(dense('a', {inputShape: [4]}));
    expect(await messageOf(await calibrated(model(), {weights: {numBits: 12}}))).toContain('do not fit int8 weights');
    expect(await messageOf(await calibrated(model(), {activations: {numBits: 16}}))).toContain(
      'numBits of 15 or fewer, or symmetric',
    );
  });
});
