/** What holds for every input, whatever TensorFlow's arithmetic in detail. */
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import {
  fakeQuantWithLearnedScale,
  fakeQuantWithMinMaxArgs,
  fakeQuantWithMinMaxVars,
  fakeQuantWithMinMaxVarsPerChannel,
} from '../../src/entries/index';
import {ulpOf} from '../support/acceptance';
import {onWebGL, onWebGPU, valuesOf} from '../support/environment';

const f32 = Math.fround;

/** A GPU answers late, so it is asked all at once, and a counterexample stays as large as it was found. */
const ANSWERS_LATE = onWebGL || onWebGPU;
const RUNS = ANSWERS_LATE ? 25 : 200;

/** By how many ulp of the range a value may miss its neighbourhood: three roundings on the way and one back. */
const SLACK_ULPS = 4;

const bound = fc.float({min: f32(-1e6), max: f32(1e6), noNaN: true});
const range = fc
  .tuple(bound, bound)
  .map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const)
  // Narrower ranges have steps below the smallest normal number.
  .filter(([min, max]) => max - min > 1e-20);
const width = fc.record({numBits: fc.integer({min: 2, max: 16}), narrowRange: fc.boolean()});

/** Values around the range, inside and beyond both ends. */
const values = fc.array(fc.float({min: -1, max: 2, noNaN: true}), {minLength: 1, maxLength: 40});

type Options = {readonly numBits: number; readonly narrowRange: boolean};
type Forward = (x: tf.Tensor, min: number, max: number, options: Options) => tf.Tensor;

const OPS: Readonly<Record<string, Forward>> = {
  Args: (x, min, max, options) => fakeQuantWithMinMaxArgs(x, {min, max, ...options}),
  Vars: (x, min, max, options) => fakeQuantWithMinMaxVars(x, min, max, options),
  PerChannel: (x, min, max, options) =>
    fakeQuantWithMinMaxVarsPerChannel(x.reshape([-1, 1]), [min], [max], options).reshape(x.shape),
  LearnedScale: (x, min, max, options) =>
    fakeQuantWithLearnedScale(x, scaleOf(min, max, options), {offset: min, ...options}),
};

function scaleOf(min: number, max: number, {numBits, narrowRange}: Options): number {
  return f32(f32(max - min) / (2 ** numBits - (narrowRange ? 2 : 1)));
}

type Property = (run: Run) => Promise<void> | void;

interface Run {
  readonly x: readonly number[];
  readonly y: readonly number[];
  /** The value of one step, as the width of the range says. */
  readonly scale: number;
  /** What the op makes of the infinities: the ends of its grid. */
  readonly low: number;
  readonly high: number;
  readonly again: (x: readonly number[]) => Promise<readonly number[]>;
}

type Input = readonly [readonly [min: number, max: number], Options, readonly number[]];

/** Checks a property of an op for one input. */
async function checkFor([[min, max], options, places]: Input, forward: Forward, property: Property): Promise<void> {
  const x = places.map(place => f32(min + place * (max - min)));
  const again = async (inputs: readonly number[]) => {
    const y = tf.tidy(() => forward(tf.tensor1d([...inputs]), min, max, options));
    const outputs = await valuesOf(y);
    y.dispose();
    return Array.from(outputs);
  };
  const scale = scaleOf(min, max, options);
  const [[low = NaN, high = NaN], y] = await Promise.all([again([-Infinity, Infinity]), again(x)]);
  await property({x, y, scale, low, high, again});
}

/** Checks a property of an op for many inputs. */
async function forAll(forward: Forward, property: Property): Promise<void> {
  const [inputs, parameters] = [fc.tuple(range, width, values), {numRuns: RUNS, seed: 2026}];
  if (!ANSWERS_LATE)
    await fc.assert(
      fc.asyncProperty(inputs, input => checkFor(input, forward, property)),
      parameters,
    );
  else {
    const asked = fc.sample(inputs, parameters);
    const answers = await Promise.allSettled(asked.map(input => checkFor(input, forward, property)));
    answers.forEach((answer, i) => {
      if (answer.status === 'rejected') fail(`${fc.stringify(asked[i])}: ${answer.reason}`);
    });
  }
  // fast-check throws where a property fails; jasmine wants to have counted something.
  expect().nothing();
}

function demand(condition: boolean, message: () => string): void {
  if (!condition) throw new Error(message());
}

for (const [name, forward] of Object.entries(OPS)) {
  describe(`for all inputs, ranges and widths, FakeQuant ${name}`, () => {
    it('gives a level times the scale', () =>
      forAll(forward, ({y, scale, low, high}) => {
        const steps = (high - low) / scale;
        demand(Math.abs(steps - Math.round(steps)) < 0.1, () => `${low} and ${high} are ${steps} steps apart`);
        for (const value of y) {
          const level = Math.round(value / scale);
          demand(f32(level * scale) === value, () => `${value} is no multiple of ${scale}`);
        }
      }));

    it('leaves its own results as they are', () =>
      forAll(forward, async ({y, again}) => {
        const twice = await again(y);
        y.forEach((value, i) => demand(twice[i] === value, () => `${value} became ${twice[i]}`));
      }));

    it('is monotone', () =>
      forAll(forward, ({x, y}) => {
        const order = x.map((_, i) => i).sort((i, j) => x[i]! - x[j]!);
        for (let k = 1; k < order.length; ++k) {
          const [i, j] = [order[k - 1]!, order[k]!];
          demand(y[i]! <= y[j]!, () => `${x[i]} <= ${x[j]}, but ${y[i]} > ${y[j]}`);
        }
      }));

    it('moves what is inside by half a step at most', () =>
      forAll(forward, ({x, y, scale, low, high}) => {
        const slack = SLACK_ULPS * ulpOf(Math.max(Math.abs(low), Math.abs(high)));
        x.forEach((value, i) => {
          const inside = Math.min(Math.max(value, low), high);
          const distance = Math.abs(y[i]! - inside);
          demand(distance <= scale / 2 + slack, () => `${value} became ${y[i]}, ${distance / scale} steps off`);
        });
      }));

    it('keeps zero', () =>
      forAll(forward, async ({again}) => {
        const zeros = await again([0, -0]);
        demand(
          zeros.every(value => value === 0),
          () => `zero became ${zeros}`,
        );
      }));
  });
}
