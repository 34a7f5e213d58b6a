/** Choosing widths within a budget. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {chooseBits, type ChooseBitsOptions, describeQuantization, quantizeModel} from '../../src/entries/qat';
import {scoped} from '../support/scoped';

const {layers} = tfl;

const seeded = (seed: number) => tfl.initializers.glorotUniform({seed});

/** 8 numbers, 12 of a first layer, 3 classes. */
function classifier(): tfl.LayersModel {
  const hidden = layers.dense({
    units: 12,
    activation: 'relu',
    name: 'hidden',
    inputShape: [8],
    kernelInitializer: seeded(1),
  });
  const logits = layers.dense({units: 3, activation: 'softmax', name: 'logits', kernelInitializer: seeded(2)});
  return tfl.sequential({layers: [hidden, logits]});
}

const samplesOf = (count = 64) => tf.randomNormal([count, 8], 0, 1, 'float32', 7);

/** Weights' widths of a quantized model, by layer. */
async function widthsIn(q: tfl.LayersModel): Promise<Record<string, number | undefined>> {
  const rows = await describeQuantization(q).read();
  const ofWeights = rows.filter(({what}) => /kernel|embeddings/i.test(what));
  return Object.fromEntries(ofWeights.map(({layer, what, numBits}) => [`${layer} ${what}`, numBits]));
}

async function messageOf(run: Promise<unknown>): Promise<string> {
  return run.then(
    () => 'none',
    (error: unknown) => (error as Error).message,
  );
}

describe('chooseBits', () => {
  scoped();

  it('counts bytes as a file with packed weights has them', async () => {
    const {uniform, rows} = await chooseBits(classifier(), samplesOf(), {bitsPerWeight: 8});
    // 96 and 36 weights, 12 and 3 scales, 12 and 3 biases of 4 bytes.
    const bytes = (bits: number) => Math.ceil((96 * bits) / 8) + Math.ceil((36 * bits) / 8) + 4 * (12 + 3) * 2;
    expect(uniform.map(each => [each.numBits, each.bytes])).toEqual([2, 3, 4, 8].map(bits => [bits, bytes(bits)]));
    expect(rows.map(({layer, count}) => [layer, count])).toEqual([
      ['hidden', 96],
      ['logits', 36],
    ]);
  });

  it('keeps a budget of bytes, and of bits, and takes all of a large one', async () => {
    const [model, samples] = [classifier(), samplesOf()];
    const byBytes = await chooseBits(model, samples, {bytes: 175});
    expect(byBytes.bytes).toBeLessThanOrEqual(175);
    const byBits = await chooseBits(model, samples, {bitsPerWeight: 4});
    expect(byBits.bitsPerWeight).toBeLessThanOrEqual(4);
    expect(byBits.predicted).toBeLessThanOrEqual(byBits.uniform[2]!.predicted);
    const all = await chooseBits(model, samples, {bytes: 1e6});
    expect(all.rows.map(({numBits}) => numBits)).toEqual([8, 8]);
    expect(await widthsIn(quantizeModel(model, byBytes.options))).toEqual(
      Object.fromEntries(byBytes.rows.map(({layer, numBits}) => [`${layer} kernel`, numBits])),
    );
  });

  it('takes as few bytes as a loss allows', async () => {
    const [model, samples] = [classifier(), samplesOf()];
    const chosen = await chooseBits(model, samples, {maxLoss: 0.05});
    expect(1 - chosen.measured.top1!).toBeLessThanOrEqual(0.05);
    expect(chosen.bytes).toBeLessThan(chosen.uniform[3]!.bytes);
    const anything = await chooseBits(model, samples, {maxLoss: 1});
    expect(anything.rows.map(({numBits}) => numBits)).toEqual([2, 2]);
  });

  it('spends bits where they matter: on the layer whose weights are hard to round', async () => {
    const model = classifier();
    // A row of 0 and ±1 is exact at any width; outliers are not.
    const [kernel, bias] = model.getLayer('hidden').getWeights() as [tf.Tensor, tf.Tensor];
    const signs = tf.sub(tf.mul(2, tf.cast(tf.greater(kernel, 0), 'float32')), 1);
    model.getLayer('hidden').setWeights([signs, bias]);
    const {rows} = await chooseBits(model, samplesOf(128), {bitsPerWeight: 4.4, widths: [3, 4, 8]});
    expect(rows[0]!.losses[3]).toBeLessThan(1e-6);
    expect(rows.map(({numBits}) => numBits)).toEqual([3, 8]);
  });

  it('leaves pinned layers as they are', async () => {
    const [model, samples] = [classifier(), samplesOf()];
    const named: NonNullable<ChooseBitsOptions['quantize']>['layers'] = {logits: {weights: {numBits: 6}}};
    const {rows, options} = await chooseBits(model, samples, {bitsPerWeight: 4, quantize: {layers: named}});
    expect(rows.map(({numBits, isPinned}) => [numBits, isPinned])).toEqual([
      [3, false],
      [6, true],
    ]);
    expect(await widthsIn(quantizeModel(model, options))).toEqual({'hidden kernel': 3, 'logits kernel': 6});
    const float = await chooseBits(model, samples, {bitsPerWeight: 4, quantize: {layers: {logits: false}}});
    expect(float.rows.map(({layer}) => layer)).toEqual(['hidden']);
    expect(float.bytes).toBe(96 / 2 + 4 * (12 + 12) + 4 * (36 + 3));
    const ends = chooseBits(model, samples, {bitsPerWeight: 8, quantize: {keepEnds8bit: true}});
    expect(await messageOf(ends)).toMatch(
      /^chooseBits: there is no width of weights to choose: the options name or fix those of hidden, logits/,
    );
  });

  it('knows layers in models within, those of one name, shared ones, and several weights of one', async () => {
    const image = tfl.input({shape: [6, 6, 2]});
    const inner = (name: string, filters: number) =>
      tfl.sequential({
        name,
        layers: [layers.conv2d({filters, kernelSize: 3, padding: 'same', name: 'conv', inputShape: [6, 6, 2]})],
      });
    const shared = layers.separableConv2d({filters: 2, kernelSize: 3, padding: 'same', name: 'separable'});
    const twice = shared.apply(shared.apply(inner('one', 2).apply(image))) as tfl.SymbolicTensor;
    const rows = layers.reshape({targetShape: [36, 2]}).apply(inner('two', 2).apply(twice));
    const last = layers.lstm({units: 3, name: 'lstm'}).apply(rows) as tfl.SymbolicTensor;
    const model = tfl.model({inputs: image, outputs: last});
    const samples = tf.randomNormal([8, 6, 6, 2]);
    const {rows: found, options} = await chooseBits(model, samples, {bitsPerWeight: 3.5});
    expect(found.map(({layer, count}) => [layer, count])).toEqual([
      ['conv', 72],
      ['separable', 18 + 4],
      ['lstm', 24 + 36],
    ]);
    const widths = await widthsIn(quantizeModel(model, options));
    const byLayer = Object.fromEntries(found.map(({layer, numBits}) => [layer, numBits]));
    for (const [name, numBits] of Object.entries(widths)) expect(numBits).toBe(byLayer[name.split(' ')[0]!]);
    expect(Object.keys(widths).length).toBe(5);
    expect(console.warn).toHaveBeenCalledWith(jasmine.stringMatching(/^chooseBits: there are 8 samples only/));
  });

  it('measures with new statistics of BatchNormalization if asked, and leaves the model as it is', async () => {
    const model = tfl.sequential({
      layers: [
        layers.dense({units: 8, name: 'dense', useBias: false, inputShape: [8], kernelInitializer: seeded(3)}),
        layers.batchNormalization({name: 'norm'}),
        layers.dense({units: 3, activation: 'softmax', name: 'logits', kernelInitializer: seeded(2)}),
      ],
    });
    const samples = samplesOf();
    const read = () => Promise.all(model.getWeights().map(async each => Array.from(await each.data())));
    const before = await read();
    const {measured, predicted} = await chooseBits(model, samples, {bitsPerWeight: 8, reestimateBatchNorm: true});
    expect(await read()).toEqual(before);
    expect(measured.divergence).toBeLessThan(0.01);
    expect(predicted).toBeLessThan(0.01);
  });

  it('shows a table and a plot', async () => {
    const choice = await chooseBits(classifier(), samplesOf(), {bytes: 175});
    const lines: string[] = [];
    choice.print(line => lines.push(line));
    expect(lines[0]).toMatch(/^layer +of +count +bytes +bits +loss at 2/);
    for (const text of [`chosen: ${choice.bytes} bytes, `, 'predicted: divergence 0.', 'measured: divergence 0.']) {
      expect(lines.filter(line => line.startsWith(text)).length).toBe(1);
    }
    const plot = choice.plot();
    expect(plot).toMatch(/^<svg [^>]*xmlns="http:\/\/www.w3.org\/2000\/svg"/);
    expect(plot).not.toMatch(/NaN|Infinity|undefined/);
    for (const text of ['2 bits', '8 bits', 'chosen, measured']) expect(plot).toContain(text);
  });

  it('reaches budgets that one width keeps to the bit, whatever is told twice', async () => {
    const [model, samples] = [classifier(), samplesOf()];
    const bytes = (bits: number) => (96 * bits) / 8 + Math.ceil((36 * bits) / 8) + 120;
    const least = await chooseBits(model, samples, {bytes: bytes(3), widths: [8, 3, 3]});
    expect([least.bytes, ...least.rows.map(({numBits}) => numBits)]).toEqual([bytes(3), 3, 3]);
    const most = await chooseBits(model, samples, {bitsPerWeight: 8, widths: [3, 8]});
    expect(most.rows.map(({numBits}) => numBits)).toEqual([8, 8]);
    const below = await chooseBits(model, samples, {bytes: bytes(8) - 1, widths: [3, 8]});
    expect(below.bytes).toBeLessThan(bytes(8));
    expect(await messageOf(chooseBits(model, samples, {bytes: bytes(3) - 1, widths: [3, 8]}))).toContain(
      `bytes must be at least ${bytes(3)}`,
    );
  });

  it('chooses between the ends that are kept, beside slashes in names', async () => {
    const named = ['block/a', 'block/b', 'block/c'];
    const model = tfl.sequential({
      layers: named.map((name, i) => layers.dense({units: 6, name, inputShape: [6], kernelInitializer: seeded(i)})),
    });
    const samples = tf.randomNormal([64, 6], 0, 1, 'float32', 7);
    const quantize = {keepEnds8bit: true} as const;
    const {rows, options, measured} = await chooseBits(model, samples, {bitsPerWeight: 6, widths: [2, 8], quantize});
    expect(rows.map(({numBits, isPinned}) => [numBits, isPinned])).toEqual([
      [8, true],
      [2, false],
      [8, true],
    ]);
    expect(measured.top1).toBeUndefined();
    expect(await widthsIn(quantizeModel(model, options))).toEqual({
      'block/a kernel': 8,
      'block/b kernel': 2,
      'block/c kernel': 8,
    });
  });

  it('goes on while the model and the samples are disposed of', async () => {
    const [model, samples] = [classifier(), samplesOf()];
    const chosen = chooseBits(model, samples, {
      maxLoss: 1,
      widths: [4, 8],
      onProgress: ({done}) => {
        if (done === 1) [model, samples].forEach(each => each.dispose());
      },
    });
    expect((await chosen).rows.map(({numBits}) => numBits)).toEqual([4, 4]);
  });

  it('tells what is wrong, all at once', async () => {
    const [model, samples] = [classifier(), samplesOf()];
    const bad = {
      bytes: -1,
      maxLoss: 2,
      widths: [4],
      samples: 0,
      activations: true,
      quantize: {weights: {numBits: 4}, activations: {numBits: 4}, layers: {no: false}},
    };
    const message = await messageOf(chooseBits(model, samples, bad as ChooseBitsOptions));
    for (const part of [
      'bytes must be a number above 0, but was -1',
      'a budget is exactly one of bytes, bitsPerWeight, maxLoss, but bytes and maxLoss were given',
      'widths must be two or more different widths',
      'samples must be an integer above 0',
      'quantize.weights.numBits is what is chosen',
      'quantize.activations.numBits is what is chosen',
      'quantize: there is no layer no',
    ]) {
      expect(message).toContain(part);
    }
    expect(await messageOf(chooseBits(model, samples, {}))).toContain('but none was given');
    expect(await messageOf(chooseBits(model, samples, undefined as never))).toContain('options must be an object');
    const least = 24 + 9 + 120;
    expect(await messageOf(chooseBits(model, samples, {bytes: 100}))).toContain(
      `bytes must be at least ${least}, with 2 bits`,
    );
    expect(await messageOf(chooseBits(model, samples, {bitsPerWeight: 1}))).toContain(
      'bitsPerWeight must be at least 2',
    );
    const few = {maxLoss: 0, quantize: {activations: {numBits: 2}}} as const;
    expect(await messageOf(chooseBits(model, samples, few))).toMatch(
      /maxLoss must be at least 0\.\d+, the share of decisions/,
    );
    const q = quantizeModel(model);
    expect(await messageOf(chooseBits(q, samples, {bytes: 200}))).toContain('quantized already');
    model.dispose();
    expect(await messageOf(chooseBits(model, samples, {bytes: 200}))).toContain('is disposed');
  });

  it('tells of NaN in its own name', async () => {
    const x = tfl.input({shape: [8]});
    const normal = layers.batchNormalization().apply(x);
    const model = tfl.model({inputs: x, outputs: layers.dense({units: 2}).apply(normal) as tfl.SymbolicTensor});
    const nan = tf.fill([64, 8], NaN);
    const message = (reestimateBatchNorm: boolean) =>
      messageOf(chooseBits(model, nan, {bitsPerWeight: 4, reestimateBatchNorm}));
    expect(await message(false)).toMatch(/^chooseBits: model .* gives NaN for these samples\. Look for NaN/);
    expect(await message(true)).toMatch(/^chooseBits: the statistics of .* would be NaN or infinite/);
  });

  it('leaves nothing of the states and masks that copies of recurrent layers keep', async () => {
    const lstm = layers.lstm({
      units: 3,
      stateful: true,
      batchInputShape: [32, 4, 2],
      recurrentDropout: 0.5,
      name: 'lstm',
    });
    const gru = layers.gru({units: 2, dropout: 0.5, returnSequences: true});
    const both = layers.bidirectional({layer: gru, mergeMode: 'concat', batchInputShape: [32, 4, 2]});
    const model = tfl.sequential({layers: [both, lstm]});
    const samples = tf.randomNormal([64, 4, 2]);
    const before = tf.memory().numTensors;
    await chooseBits(model, samples, {maxLoss: 9, activations: true, widths: [4, 8]});
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose((lstm as unknown as {states: tf.Tensor[]}).states);
  });

  it('tells how far it is, stops if asked, and leaves nothing behind', async () => {
    const [model, samples] = [classifier(), samplesOf()];
    const seen: number[] = [];
    const before = tf.memory().numTensors;
    await chooseBits(model, samples, {bytes: 175, onProgress: ({done, total}) => seen.push(done / total)});
    expect(seen.length).toBe(2 * 4 + 2);
    expect(seen[seen.length - 1]).toBe(1);
    const controller = new AbortController();
    const stops = chooseBits(model, samples, {
      bytes: 175,
      signal: controller.signal,
      onProgress: ({done}) => done === 3 && controller.abort(new Error('enough')),
    });
    expect(await messageOf(stops)).toBe('enough');
    expect(await messageOf(chooseBits(model, samples, {bytes: 1}))).toContain('at least');
    expect(await messageOf(chooseBits(model, samples, {maxLoss: 1e-9}))).toBeDefined();
    expect(tf.memory().numTensors).toBe(before);
  });
});
