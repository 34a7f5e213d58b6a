/** Choosing widths of activations. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {
  type BitChoice,
  chooseBits,
  type ChooseBitsOptions,
  describeQuantization,
  quantizeModel,
} from '../../src/entries/qat';
import {scoped} from '../support/scoped';

const {layers} = tfl;

const seeded = (seed: number) => tfl.initializers.glorotUniform({seed});

/** 8 numbers, 12 of a first layer, 4 of one with a fixed range, 3 classes. */
function classifier(): tfl.LayersModel {
  const x = tfl.input({shape: [8], name: 'x'});
  const dense = (units: number, activation: 'relu' | 'tanh' | 'softmax', name: string, seed: number) =>
    layers.dense({units, activation, name, kernelInitializer: seeded(seed)});
  const hidden = dense(12, 'relu', 'hidden', 1).apply(x);
  const bent = dense(4, 'tanh', 'bent', 2).apply(hidden);
  return tfl.model({inputs: x, outputs: dense(3, 'softmax', 'classes', 3).apply(bent) as tfl.SymbolicTensor});
}

const samplesOf = (count = 32) => tf.randomNormal([count, 8], 0, 1, 'float32', 7);

/** Widths of activations of a quantized model, by layer and place. */
async function widthsIn(q: tfl.LayersModel): Promise<Record<string, number | undefined>> {
  const rows = await describeQuantization(q).read();
  const found = rows.filter(({what, numBits}) => numBits !== undefined && /output|before|between/.test(what));
  return Object.fromEntries(found.map(({layer, what, numBits}) => [`${layer} ${what}`, numBits]));
}

async function messageOf(run: Promise<unknown>): Promise<string> {
  return run.then(
    () => 'none',
    (error: unknown) => (error as Error).message,
  );
}

const activationsOf = ({rows}: BitChoice) => rows.filter(({what}) => what === 'activations');

describe('chooseBits, of activations', () => {
  scoped();

  it('keeps a budget of bits for each activation, inputs among them, and what it says is what is built', async () => {
    const [model, samples] = [classifier(), samplesOf()];
    const choice = await chooseBits(model, samples, {bitsPerWeight: 8, bitsPerActivation: 5, widths: [3, 8]});
    const rows = activationsOf(choice);
    const sizes: Record<string, number> = {x: 8, hidden: 12, bent: 4, classes: 3};
    for (const {layer, count, bytes, numBits} of rows) {
      expect(count % sizes[layer]!)
        .withContext(layer)
        .toBe(0);
      expect(bytes).toBeGreaterThanOrEqual((count * numBits) / 8);
    }
    expect(rows.map(({layer}) => layer)).toEqual(['x', 'hidden', 'bent', 'classes']);
    const bits = rows.reduce((sum, {count, numBits}) => sum + count * numBits, 0);
    const total = rows.reduce((sum, {count}) => sum + count, 0);
    expect(choice.bitsPerActivation).toBeCloseTo(bits / total, 10);
    expect(choice.bitsPerActivation).toBeLessThanOrEqual(5);
    expect(choice.rows.filter(({what}) => what === 'weights').map(({numBits}) => numBits)).toEqual([8, 8, 8]);
    const built = await widthsIn(quantizeModel(model, choice.options));
    const chosen = Object.fromEntries(rows.map(({layer, numBits}) => [layer, numBits]));
    expect(Object.keys(built).length).toBeGreaterThan(3);
    for (const [place, numBits] of Object.entries(built)) {
      const layer = place.split(' ')[0]!.replace('_quantized', '');
      expect(numBits).withContext(place).toBe(chosen[layer]);
    }
  });

  it('spends bits where they matter: not on what is 0 or 1 anyway', async () => {
    // Samples of 0 and 1 lose nothing at any width.
    const samples = tf.cast(tf.greater(samplesOf(), 0), 'float32');
    const {rows} = await chooseBits(classifier(), samples, {bitsPerWeight: 8, bitsPerActivation: 6.6, widths: [2, 8]});
    const x = rows.find(({layer}) => layer === 'x')!;
    expect([x.numBits, x.losses[2]! < 1e-6]).toEqual([2, true]);
    expect(rows.find(({layer, what}) => layer === 'hidden' && what === 'activations')!.numBits).toBe(8);
  });

  it('takes as little as a loss allows, of both', async () => {
    const [model, samples] = [classifier(), samplesOf()];
    const options = {activations: true, widths: [2, 8]} as const;
    const anything = await chooseBits(model, samples, {...options, maxLoss: 1});
    expect(anything.rows.filter(({isPinned}) => !isPinned).every(({numBits}) => numBits === 2)).toBe(true);
    expect(anything.predicted).toBeLessThan(Infinity);
    const careful = await chooseBits(model, samples, {...options, maxLoss: 0.1});
    expect(1 - careful.measured.top1!).toBeLessThanOrEqual(0.1);
    const sizes = careful.front.map(({bytes, activationBytes}) => bytes + activationBytes!);
    expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
    expect(careful.plot()).toContain('all parameters, and activations of a sample');
  });

  it('leaves what is pinned, float, or has a fixed range', async () => {
    const [model, samples] = [classifier(), samplesOf()];
    const quantize: ChooseBitsOptions['quantize'] = {
      layers: {hidden: {activations: {numBits: 6}}, bent: {activations: false}},
      ranges: {x: [-4, 4]},
    };
    const options = {bitsPerWeight: 8, bitsPerActivation: 8, widths: [2, 4], quantize};
    const choice = await chooseBits(model, samples, options);
    const isPinned = Object.fromEntries(activationsOf(choice).map(row => [row.layer, [row.numBits, row.isPinned]]));
    expect(isPinned['x']).toEqual([8, true]);
    expect(isPinned['hidden']).toEqual([6, true]);
    expect(isPinned['bent']).toBeUndefined();
    const none = {...quantize, layers: {...quantize.layers, classes: {activations: false}}} as const;
    expect(await messageOf(chooseBits(model, samples, {...options, quantize: none}))).toContain(
      'there is no width of activations to choose: the options name or fix those of x, hidden',
    );
    const least = await messageOf(chooseBits(model, samples, {...options, bitsPerActivation: 1}));
    expect(least).toMatch(
      /^chooseBits: bitsPerActivation must be at least [\d.]+, with 2 bits wherever widths are free/,
    );
  });

  it('finds what models within, steps and shared layers round', async () => {
    const image = tfl.input({shape: [4, 4, 2], name: 'image'});
    const conv = (name: string) =>
      layers.conv2d({filters: 2, kernelSize: 3, padding: 'same', activation: 'relu', name});
    const inner = (name: string) =>
      tfl.sequential({
        name,
        layers: [layers.inputLayer({inputShape: [4, 4, 2], name: `${name}_in`}), conv('block/conv')],
      });
    const shared = layers.separableConv2d({filters: 2, kernelSize: 3, padding: 'same', name: 'shared'});
    const first = inner('one').apply(image) as tfl.SymbolicTensor;
    const twice = shared.apply(shared.apply(first)) as tfl.SymbolicTensor;
    const sum = layers.add({name: 'sum'}).apply([twice, inner('two').apply(twice) as tfl.SymbolicTensor]);
    const rows = layers.reshape({targetShape: [16, 2], name: 'rows'}).apply(sum);
    const stepped = tfl.sequential({
      name: 'stepped',
      layers: [layers.dense({units: 4, activation: 'relu', name: 'step', inputShape: [2]})],
    });
    const steps = layers.timeDistributed({layer: stepped, name: 'steps'}).apply(rows);
    const gru = layers.gru({units: 2, name: 'gru'});
    const both = layers.bidirectional({layer: gru, mergeMode: 'concat', name: 'both'}).apply(steps);
    const model = tfl.model({inputs: image, outputs: both as tfl.SymbolicTensor});
    const samples = tf.randomNormal([4, 4, 4, 2], 0, 1, 'float32', 3);
    const before = tf.memory().numTensors;
    const choice = await chooseBits(model, samples, {bitsPerWeight: 3, bitsPerActivation: 4, widths: [2, 8]});
    expect(tf.memory().numTensors).toBe(before);
    const chosen = activationsOf(choice);
    expect(chosen.map(({layer}) => layer)).toContain('block/conv');
    expect(choice.bitsPerActivation).toBeLessThanOrEqual(4);
    // Of two models within, and of two calls.
    const counts = Object.fromEntries(chosen.map(({layer, count}) => [layer, count]));
    expect(counts['block/conv']).toBe(2 * 32);
    expect(counts['image']).toBe(32);
    const q = quantizeModel(model, choice.options);
    const widthOf = Object.fromEntries(chosen.map(({layer, numBits}) => [layer, numBits]));
    for (const [place, numBits] of Object.entries(await widthsIn(q))) {
      const layer = place.split(' ')[0]!;
      if (layer in widthOf) expect(numBits).withContext(place).toBe(widthOf[layer]);
    }
  });

  it('asks for a budget of their own', async () => {
    const [model, samples] = [classifier(), samplesOf()];
    expect(await messageOf(chooseBits(model, samples, {bytes: 300, activations: true}))).toContain(
      'Set bitsPerActivation in its place',
    );
    expect(await messageOf(chooseBits(model, samples, {maxLoss: 1, bitsPerActivation: 4}))).toContain(
      'With maxLoss, set activations: true in its place',
    );
  });
});
