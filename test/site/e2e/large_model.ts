/** A model of 20 MB: the page answers while it is opened, quantized and written. */
import {run} from '../../tflite/runtimes';
import {measured} from './measured';
import {BITS, MODEL, SAMPLES, SEE} from './steps';
import {type Files, Visitor} from './visitor';

const [INPUTS, UNITS, CLASSES] = [256, 2200, 10];

/** Dense layers, whose weights are numbers from a seed. */
function dense(): Files {
  const sizes = [INPUTS, UNITS, UNITS, CLASSES];
  const layers = sizes.slice(1).map((units, i) => ({
    class_name: 'Dense',
    config: {
      name: `dense_${i}`,
      units,
      activation: i === 2 ? 'softmax' : 'relu',
      ...(i === 0 && {batch_input_shape: [null, INPUTS]}),
    },
  }));
  const weights = sizes.slice(1).flatMap((units, i) => [
    {name: `dense_${i}/kernel`, shape: [sizes[i]!, units], dtype: 'float32'},
    {name: `dense_${i}/bias`, shape: [units], dtype: 'float32'},
  ]);
  const count = weights.reduce((sum, {shape}) => sum + shape.reduce((size, dim) => size * dim, 1), 0);
  let state = 1;
  const numbers = Float32Array.from({length: count}, () => {
    state = (state * 48271) % 0x7fffffff;
    return (state / 0x7fffffff - 0.5) / 10;
  });
  const json = {
    modelTopology: {class_name: 'Sequential', config: {layers}},
    weightsManifest: [{paths: ['weights.bin'], weights}],
  };
  return {'model.json': Buffer.from(JSON.stringify(json)), 'weights.bin': new Uint8Array(numbers.buffer)};
}

interface Pulse {
  beats: number;
  longest: number;
  longTasks: number[];
}

/** Counts turns of the page's own thread, and times what holds it up. */
function startPulse(): void {
  const pulse: Pulse = {beats: 0, longest: 0, longTasks: []};
  let last = performance.now();
  const {port1, port2} = new MessageChannel();
  port1.onmessage = () => {
    const now = performance.now();
    pulse.beats++;
    pulse.longest = Math.max(pulse.longest, now - last);
    last = now;
    setTimeout(() => port2.postMessage(0));
  };
  port2.postMessage(0);
  new PerformanceObserver(list => {
    pulse.longTasks.push(...list.getEntries().map(({duration}) => duration));
  }).observe({type: 'longtask'});
  Object.assign(globalThis, {pulse});
}

export function largeModel(): void {
  describe('for a model of 20 MB', () => {
    it('answers all the while', async () => {
      const files = dense();
      expect(files['weights.bin']!.length).toBeGreaterThan(20e6);
      const visitor = await Visitor.come();
      await visitor.fill('Computes with', 'cpu');
      await visitor.page.evaluate(startPulse);
      const beats = () => visitor.page.evaluate(() => (globalThis as unknown as {pulse: Pulse}).pulse.beats);
      /** Turns of the page while something goes on. */
      const during = async (work: () => Promise<unknown>) => {
        const before = await beats();
        await work();
        return (await beats()) - before;
      };
      const opening = await during(async () => {
        await visitor.choose(files, MODEL);
        await visitor.sees(/In float\s+21\.\d MB/, MODEL);
      });
      await visitor.press('Use random noise');
      await visitor.sees(/64 of noise/, SAMPLES);
      const quantizing = await during(async () => {
        await visitor.press('Quantize', BITS);
        await visitor.sees(/the same class as the float model/, SEE);
      });
      let file = new Uint8Array();
      const writing = await during(async () => {
        file = (await visitor.download(() => visitor.press('Download .tflite, integers'))).data as typeof file;
      });
      expect(file.length).toBeGreaterThan(5e6);
      expect((await run(file, 'reference', [[new Float32Array(INPUTS)]])).length).toBe(1);
      for (const count of [opening, quantizing, writing]) expect(count).toBeGreaterThan(10);
      const {longest, longTasks} = await visitor.page.evaluate(() => (globalThis as unknown as {pulse: Pulse}).pulse);
      measured('longest task of the page with a model of 20 MB, ms', Math.max(0, ...longTasks));
      measured('longest time in which the page did not answer, ms', Math.round(longest));
      // 200 ms, on a machine that does much else.
      expect(Math.max(0, ...longTasks)).toBeLessThan(1000);
      expect(visitor.problems).toEqual([]);
      await visitor.leave();
    });
  });
}
