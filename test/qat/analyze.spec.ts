/** What a report tells: of small tensors against numbers written out by hand, of faults that were planted, and of what is wrong. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {analyzeQuantization, type AnalyzeOptions, calibrate, quantizeModel, setFakeQuant} from '../../src/entries/qat';
import {quantizingLayers} from '../../src/qat/quantized_layers/quantizing';
import {scoped} from '../support/scoped';

const {layers} = tfl;

/** One dense layer, the identity of `size` numbers, whose activations lie on a grid of steps of ½ from 0 to 7.5. */
function identity(size: number) {
  const kernel = tf.eye(size);
  const model = tfl.sequential({
    layers: [layers.dense({units: size, inputShape: [size], useBias: false, name: 'd', weights: [kernel]})],
  });
  const q = quantizeModel(model, {recipe: 'minMax', activations: {numBits: 4}});
  for (const {of, quantizer} of quantizingLayers('spec', q).flatMap(({roundings}) => roundings)) {
    if (of === 'activations') quantizer.setRange(0, 7.5);
  }
  return {model, q};
}

const NONE: AnalyzeOptions = {sensitivity: 'none', samples: 4};

/** The tensor of a report. */
function tensorOf(report: Awaited<ReturnType<typeof analyzeQuantization>>, layer: string, what: string) {
  return report.rows.find(row => row.layer === layer)!.tensors.find(tensor => tensor.what === what)!;
}

describe('analyzeQuantization', () => {
  scoped();

  it('tells noise, bias, clipping, levels and the largest error as they are by hand', async () => {
    const {model, q} = identity(2);
    const x = tf.tensor2d([
      [0.1, 1],
      [0.4, 8.5],
      [2.2, 3],
      [0, -1],
    ]);
    const report = await analyzeQuantization(q, model, x, NONE);
    const input = report.rows.find(({className}) => className.endsWith('QuantizedInput'))!;
    const [tensor] = input.tensors;
    // Rounded: 0, 1; 0.5, 7.5; 2, 3; 0, 0. Errors: -0.1, 0; 0.1, -1; -0.2, 0; 0, 1.
    const squares = 0.01 + 1 + 0.16 + 72.25 + 4.84 + 9 + 1;
    const errors = 0.01 + 0.01 + 1 + 0.04 + 1;
    const mean = 14.2 / 8;
    expect(tensor!.snr).toBeCloseTo(10 * Math.log10(squares / errors), 4);
    expect(tensor!.bias).toBeCloseTo(-0.2 / 8 / Math.sqrt(squares / 8 - mean ** 2), 4);
    expect(tensor!.clipped).toBe(2 / 8);
    // 0, 0.5, 1, 2, 3, 7.5.
    expect(tensor!.levels).toEqual({used: 6, of: 16});
    expect(tensor!.largestError).toBeCloseTo(2, 5);
    expect([tensor!.numBits, tensor!.min, tensor!.max, tensor!.ranges]).toEqual([4, 0, 7.5, 1]);
    expect(tensor!.errorByChannel[0]).toBeCloseTo(0.06 / errors, 4);
    expect(tensor!.errorByChannel[1]).toBeCloseTo(2 / errors, 4);
    expect(tensor!.advice.join(' ')).toContain('25 % of the values lie outside of the range [0, 7.5]');
    expect(tensor!.advice.join(' ')).toContain('calibrate(q, samples');
    const {unit, levels, clipped, counts} = report.histogram(input.layer, 'output');
    expect(unit).toBe('value');
    expect(levels).toEqual(Array.from({length: 16}, (_, i) => i / 2));
    expect(clipped).toEqual({below: 1 / 8, above: 1 / 8});
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(8);
    expect(counts.length).toBeLessThanOrEqual(256);
    // The weights are levels already.
    expect(tensorOf(report, 'd', 'kernel').snr).toBe(Infinity);
    expect(tensorOf(report, 'd', 'kernel').advice).toEqual([]);
    // The variance of all outputs, and what is off at them.
    expect(report.agreement.divergence).toBeCloseTo(errors / 8 / (squares / 8 - mean ** 2), 4);
    expect(report.agreement.top1).toBeUndefined();
    expect(report.unrounded.divergence).toBe(0);
    expect(report.samples).toBe(4);
  });

  it('gives each sensitivity by its definition, one pass for each layer', async () => {
    const {model, q} = identity(1);
    // Steps of ½: 1.2 becomes 1 at the input, where the layer after it leaves it.
    const x = tf.tensor2d([[1.2], [0]]);
    const passes: [number, number][] = [];
    const onProgress = ({done, total}: {done: number; total: number}) => passes.push([done, total]);
    const report = await analyzeQuantization(q, model, x, {samples: 2, onProgress});
    const all = report.rows.length;
    expect(passes).toEqual(Array.from({length: 3 + 2 * all}, (_, i) => [i + 1, 3 + 2 * all]));
    const whole = 0.04 / 2 / 0.36;
    const [first] = report.rows;
    expect(first!.only!.divergence).toBeCloseTo(whole, 4);
    expect(report.agreement.divergence).toBeCloseTo(whole, 4);
    // The output of the layer is rounded where the input is not, and back again.
    const input = report.rows.find(({className}) => className.endsWith('QuantizedInput'))!;
    expect(input.without!.divergence).toBeCloseTo(0, 4);
    const only = await analyzeQuantization(q, model, x, {samples: 2, sensitivity: 'only'});
    expect(only.rows.every(row => row.only && !row.without)).toBeTrue();
  });

  it('tells of each channel of a weight, on its own grid', async () => {
    const model = tfl.sequential({
      layers: [layers.dense({units: 8, inputShape: [3], useBias: false, name: 'd', activation: 'softmax'})],
    });
    model.setWeights([tf.randomNormal([3, 8], 0, 1, 'float32', 3)]);
    const q = quantizeModel(model, {recipe: 'minMax', weights: {numBits: 4}});
    const x = tf.randomNormal<tf.Rank.R2>([64, 3], 0, 1, 'float32', 4);
    await calibrate(q, x);
    const [weight] = quantizingLayers('spec', q).flatMap(({roundings}) => roundings.filter(({of}) => of === 'weights'));
    await analyzeQuantization(q, model, x, {sensitivity: 'none', samples: 64});
    const {min, max} = (await weight!.quantizer.snapshot()).values!;
    weight!.quantizer.setRange(
      min.map((end, i) => (i === 5 ? 50 * end : end)),
      max.map((end, i) => (i === 5 ? 50 * end : end)),
    );
    const report = await analyzeQuantization(q, model, x, {samples: 64});
    expect(report.rows[0]!.layer).toBe('d');
    const kernel = tensorOf(report, 'd', 'kernel');
    expect(kernel.ranges).toBe(8);
    expect(kernel.errorByChannel[5]).toBeGreaterThan(0.9);
    expect(kernel.advice.join(' ')).toContain('1 of 8 channels (5)');
    const {unit, levels, plot} = report.histogram('d', 'kernel');
    expect(unit).toBe('steps');
    expect(levels).toEqual(Array.from({length: 15}, (_, i) => i - 7));
    expect(plot()).toMatch(/^<svg .*<\/svg>$/s);
    expect(report.perClass.length).toBe(8);
    expect(report.perClass.reduce((sum, {samples}) => sum + samples, 0)).toBe(64);
  });

  it('finds a range that was spoiled, of activations and of weights', async () => {
    for (const spoiled of ['output', 'kernel']) {
      const init = (seed: number) => tfl.initializers.heNormal({seed});
      const model = tfl.sequential({
        layers: [
          layers.conv2d({
            filters: 4,
            kernelSize: 3,
            inputShape: [6, 6, 2],
            activation: 'relu',
            name: 'a',
            kernelInitializer: init(1),
          }),
          layers.depthwiseConv2d({kernelSize: 3, name: 'b', depthwiseInitializer: init(2)}),
          layers.batchNormalization({name: 'n'}),
          layers.flatten(),
          layers.dense({units: 8, activation: 'relu', name: 'c', kernelInitializer: init(3)}),
          layers.dense({units: 3, activation: 'softmax', name: 'e', kernelInitializer: init(4)}),
        ],
      });
      const q = quantizeModel(model);
      const x = tf.randomNormal<tf.Rank.R4>([32, 6, 6, 2], 0, 1, 'float32', 5);
      await calibrate(q, x);
      const layer = quantizingLayers('spec', q).find(({name}) => name === 'c')!;
      const {quantizer} = layer.roundings.find(({what}) => what === spoiled)!;
      await analyzeQuantization(q, model, x, {sensitivity: 'none', samples: 32});
      const {min, max} = (await quantizer.snapshot()).values!;
      quantizer.setRange(min.map(end => end / 10), max.map(end => end / 10)); // prettier-ignore
      const report = await analyzeQuantization(q, model, x, {samples: 32, sensitivity: 'only'});
      expect(report.rows[0]!.layer).withContext(spoiled).toBe('c');
      expect(tensorOf(report, 'c', spoiled).advice.join(' ')).toContain('lie outside of');
    }
  });

  it('leaves ranges, switches and tensors as they were, also when it is stopped', async () => {
    const {model, q} = identity(3);
    const x = tf.randomUniform<tf.Rank.R2>([70, 3], 0, 7);
    await analyzeQuantization(q, model, x, {sensitivity: 'none'});
    const all = quantizingLayers('spec', q).flatMap(({roundings}) => roundings.map(({quantizer}) => quantizer));
    const state = async () =>
      Promise.all(all.map(async each => [await each.snapshot(), each.quantizing, each.observing, each.watcher]));
    all[0]!.observing = false;
    const before = [await state(), tf.memory().numTensors];
    for (const at of [0, 1, 2, 4]) {
      const abort = new AbortController();
      if (at === 0) abort.abort(new Error('enough'));
      const onProgress = ({done}: {done: number}) => done === at && abort.abort(new Error('enough'));
      const {signal} = abort;
      await expectAsync(analyzeQuantization(q, model, x, {signal, onProgress})).toBeRejectedWithError('enough');
      expect([await state(), tf.memory().numTensors])
        .withContext(`${at} passes`)
        .toEqual(before);
    }
    await analyzeQuantization(q, model, x);
    expect([await state(), tf.memory().numTensors]).toEqual(before);
    expect(all.every(each => !Object.hasOwn(each, 'apply'))).toBeTrue();
    expect(console.warn).not.toHaveBeenCalled();
  });

  it('prints a line for each tensor, and plots layers of any name', async () => {
    const name = 'a/very/long/name/of/a/layer/of/an/imported/model';
    const model = tfl.sequential({
      layers: [
        layers.dense({units: 4, inputShape: [2], name, activation: 'relu'}),
        layers.dense({units: 2, name: 'last', activation: 'softmax'}),
      ],
    });
    const q = quantizeModel(model, {weights: {numBits: 2}});
    const x = tf.randomNormal<tf.Rank.R2>([64, 2]);
    await calibrate(q, x);
    const report = await analyzeQuantization(q, model, x, {samples: 64});
    const lines: string[] = [];
    report.print(line => lines.push(line));
    const tensors = report.rows.reduce((sum, row) => sum + row.tensors.length, 0);
    expect(lines[0]).toContain('64 samples');
    expect(lines.slice(3, 3 + tensors).filter(line => /\d of \d/.test(line)).length).toBe(tensors);
    const svg = report.plot();
    expect(svg).toMatch(/^<svg .*<\/svg>$/s);
    expect(svg).toContain(`<title>${name}</title>`);
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
    expect(() => report.histogram('lost', 'kernel')).toThrowError(/no layer that is called lost\. .*last/);
    expect(() => report.histogram('last', 'output 2')).toThrowError(/called output 2\. What it rounds: .*kernel/);
    expect(() => report.print('no' as never)).toThrowError(/printLine must be a function/);
  });

  it('says what is switched off', async () => {
    const {model, q} = identity(2);
    setFakeQuant(q, false, 'activations');
    const report = await analyzeQuantization(q, model, tf.ones([4, 2]), NONE);
    const tensor = tensorOf(report, 'd', 'output');
    expect(tensor.snr).toBeUndefined();
    expect(tensor.advice.join()).toContain('setFakeQuant(q, true)');
    expect(() => report.histogram('d', 'output')).toThrowError(/What it rounds: kernel/);
  });

  it('tells samples of another scale, and those that are few', async () => {
    const {model, q} = identity(2);
    const warned = () => (console.warn as jasmine.Spy).calls.allArgs().join('\n');
    await analyzeQuantization(q, model, tf.fill([70, 2], 200), {sensitivity: 'none'});
    expect(warned()).toMatch(
      /input d_input do not fit the range .* 0\.00 … 7\.50: 100 % of the values are outside of it, the largest is 200/,
    );
    await analyzeQuantization(q, model, tf.fill([70, 2], 0.5), {sensitivity: 'none'});
    expect(warned()).toMatch(/0\.00 … 7\.50: no value is larger than 0\.500\. Scale them/);
    await analyzeQuantization(q, model, tf.fill([5, 2], 7), {sensitivity: 'none'});
    expect(warned()).toMatch(/there are 5 samples only/);
  });

  it('takes several outputs, each by its kind', async () => {
    const input = tfl.input({shape: [4, 3]});
    const dense = (units: number, activation: 'softmax' | 'sigmoid' | 'linear') =>
      layers.dense({units, activation}).apply(input) as tfl.SymbolicTensor;
    const model = tfl.model({inputs: input, outputs: [dense(5, 'softmax'), dense(2, 'linear'), dense(1, 'sigmoid')]});
    const q = quantizeModel(model);
    const x = tf.randomNormal<tf.Rank.R3>([64, 4, 3]);
    await calibrate(q, x);
    const report = await analyzeQuantization(q, model, x, {samples: 64});
    expect(report.perClass.map(({output}) => output)).toEqual([0, 0, 0, 0, 0, 2, 2]);
    // Each step of a sequence is a decision.
    expect(report.perClass.reduce((sum, {samples}) => sum + samples, 0)).toBe(2 * 64 * 4);
    expect(report.agreement.divergence).toBeGreaterThan(0);
    expect(report.agreement.divergence).toBeLessThan(0.01);
  });

  it('refuses what does not go together, and says why', async () => {
    const {model, q} = identity(2);
    const x = tf.ones([64, 2]);
    const other = identity(3).model;
    const rejects = (run: Promise<unknown>, message: RegExp) => expectAsync(run).toBeRejectedWithError(message);
    await rejects(analyzeQuantization(q, q, x), /is the quantized one itself/);
    await rejects(analyzeQuantization(model, model, x), /is not quantized/);
    await rejects(analyzeQuantization(q, quantizeModel(model), x), /is quantized itself.*dequantizeModel/);
    await rejects(analyzeQuantization(q, other, x), /2 problems:.*inputs.*\[any,2\].*\[any,3\]/s);
    await rejects(analyzeQuantization(q, model, tf.ones([4, 3])), /takes samples of shape/);
    await rejects(analyzeQuantization(q, model, []), /there are no samples/);
    await rejects(analyzeQuantization(q, model, x, {sensitivity: 'all' as never}), /sensitivity must be/);
    await rejects(analyzeQuantization(q, model, x, {signal: {} as never}), /signal must be an AbortSignal/);
    await rejects(analyzeQuantization(q, model, tf.fill([64, 2], NaN)), /gives NaN for these samples/);
    await rejects(analyzeQuantization(quantizeModel(model), model, x), /ranges are not set yet: .*calibrate/);
    const running = analyzeQuantization(q, model, x);
    await rejects(analyzeQuantization(q, model, x), /at work/);
    await running;
    model.dispose();
    await rejects(analyzeQuantization(q, model, x), /disposed/);
  });
});
