/** What training needs, on a CPU. */
import {tensor1d} from '@tensorflow/tfjs-core';
import {type TrainingDevice, viewOf} from '../device';
import {BINS, binsOf, extremesIn} from '../histogram';
import {learn, learnedLayout, learnGradient} from '../learn';
import {observe} from '../observe';
import {gridsOf, type Memory, overMemory, passesOver} from '.';

export function trainingOverMemory(memory: Memory): TrainingDevice {
  const device = overMemory(memory);
  return {
    ...device,
    sumPair(dy, x, range, view, scheme, sides) {
      return memory.make([2, ...view.rangeShape], sums => {
        const grids = gridsOf(memory, range, view, scheme);
        sides.forEach((side, row) => {
          const values = passesOver(memory, view).straightThroughSum(
            memory.read(dy),
            memory.read(x),
            grids,
            view,
            side,
          );
          sums.set(values, row * view.channels);
        });
      });
    },
    measureParts(x) {
      const view = viewOf(x.shape);
      return memory.make([1, 2], ends => {
        ends.set(passesOver(memory, view).extremes(memory.read(x)));
        if (!ends.every(Number.isFinite)) ends[1] = Infinity;
      });
    },
    histogram(x, parts) {
      const [low, high] = extremesIn([memory.read(parts)]);
      const counts = new Int32Array(BINS);
      const values = memory.read(x);
      passesOver(memory, viewOf([values.length])).histogram(values, binsOf(low, high), counts);
      return tensor1d(counts, 'int32');
    },
    observe(x, moving, view, rule) {
      const {channels, rangeShape} = view;
      const measured = device.measure(x, view);
      const next = memory.make([3, ...rangeShape], rows => {
        const [batch, before] = [memory.read(measured), memory.read(moving)];
        for (let c = 0; c < channels; ++c) {
          const range = {low: before[c]!, high: before[channels + c]!, weight: before[2 * channels + c]!};
          const {low, high, weight} = observe(range, batch[c]!, batch[channels + c]!, rule);
          rows[c] = low;
          rows[channels + c] = high;
          rows[2 * channels + c] = weight;
        }
      });
      memory.dispose(measured);
      return next;
    },
    learn(trained, last, rule) {
      const {channels, second} = learnedLayout(last.shape, rule);
      return memory.make(last.shape, grid => {
        const [logs, before] = [memory.read(trained), memory.read(last)];
        for (let c = 0; c < channels; ++c) {
          const ends = {scale: before[c]!, low: before[second + c]!};
          const {scale, low} = learn([logs[c]!, logs[second + c]!], ends, rule);
          grid[second + c] = low;
          grid[c] = scale;
        }
      });
    },
    learnGradient(dy, grid, rule) {
      const {channels, second} = learnedLayout(grid.shape, rule);
      return memory.make(grid.shape, gradients => {
        const [of, at] = [memory.read(dy), memory.read(grid)];
        const endsOf = (values: Float32Array, c: number) => ({scale: values[c]!, low: values[second + c]!});
        for (let c = 0; c < channels; ++c) {
          const [first, other] = learnGradient(endsOf(of, c), endsOf(at, c), rule);
          gradients[second + c] = other;
          gradients[c] = first;
        }
      });
    },
  };
}
