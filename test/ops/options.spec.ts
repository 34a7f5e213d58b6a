/** Options of the ops and of FakeQuantizer: what is misspelled, mistyped or out of its limits is told, never ignored. */
import * as tf from '@tensorflow/tfjs-core';
import * as fc from 'fast-check';
import * as ops from '../../src/entries/index';
import {FakeQuantizer, mseRange, percentileRange} from '../../src/entries/qat';
import {valuesOf} from '../support/environment';

/** What JavaScript lets pass and the types do not. */
type Untyped = (options: unknown) => unknown;

const x = () => tf.tensor2d([[-1, 0.4, 2]]);
const ends = [0, 0, 0];
const tops = [1, 1, 1];

/** Every function with options: how it is called, what it is called in errors, and the options that it has. */
const FUNCTIONS: Readonly<Record<string, readonly [call: Untyped, names: readonly string[], fine: object]>> = {
  fakeQuant: [o => ops.fakeQuant(x(), 0, 1, o as never), ['numBits', 'narrowRange', 'axis'], {numBits: 4}],
  FakeQuantWithMinMaxArgs: [
    o => ops.fakeQuantWithMinMaxArgs(x(), o as never),
    ['numBits', 'narrowRange', 'min', 'max'],
    {min: -1, max: 2, numBits: 4, narrowRange: true},
  ],
  FakeQuantWithMinMaxArgsGradient: [
    o => ops.fakeQuantWithMinMaxArgsGradient(x(), x(), o as never),
    ['numBits', 'narrowRange', 'min', 'max'],
    {max: 1},
  ],
  FakeQuantWithMinMaxVars: [
    o => ops.fakeQuantWithMinMaxVars(x(), 0, 1, o as never),
    ['numBits', 'narrowRange'],
    {numBits: 16},
  ],
  FakeQuantWithMinMaxVarsGradient: [
    o => ops.fakeQuantWithMinMaxVarsGradient(x(), x(), 0, 1, o as never),
    ['numBits', 'narrowRange'],
    {narrowRange: true},
  ],
  FakeQuantWithMinMaxVarsPerChannel: [
    o => ops.fakeQuantWithMinMaxVarsPerChannel(x(), ends, tops, o as never),
    ['numBits', 'narrowRange', 'axis'],
    {axis: 1},
  ],
  FakeQuantWithMinMaxVarsPerChannelGradient: [
    o => ops.fakeQuantWithMinMaxVarsPerChannelGradient(x(), x(), ends, tops, o as never),
    ['numBits', 'narrowRange', 'axis'],
    {axis: -1, numBits: 2},
  ],
  QuantizeAndDequantizeV4: [
    o => ops.quantizeAndDequantizeV4(x(), 0, 1, o as never),
    ['signedInput', 'numBits', 'rangeGiven', 'roundMode', 'narrowRange', 'axis'],
    {signedInput: false, numBits: 62, rangeGiven: true, roundMode: 'HALF_UP', narrowRange: false, axis: -1},
  ],
  QuantizeAndDequantizeV4Grad: [o => ops.quantizeAndDequantizeV4Grad(x(), x(), 0, 1, o as never), ['axis'], {axis: -1}],
  fakeQuantWithLearnedScale: [
    o => ops.fakeQuantWithLearnedScale(x(), 1, o as never),
    ['offset', 'symmetric', 'numBits', 'narrowRange', 'axis'],
    {offset: -1, symmetric: false, numBits: 3, narrowRange: true},
  ],
  mseRange: [o => mseRange(x(), o as never), ['numBits', 'symmetric', 'narrowRange', 'axis'], {numBits: 3, axis: 1}],
  percentileRange: [o => percentileRange(x(), o as never), ['percentile', 'axis'], {percentile: 99.9}],
  FakeQuantizer: [
    o => new FakeQuantizer(o as never),
    [
      'numBits',
      'symmetric',
      'narrowRange',
      'axis',
      'observer',
      'decay',
      'debias',
      'nonNegative',
      'start',
      'learningRateScale',
      'initialRange',
      'name',
    ],
    {
      numBits: 4,
      symmetric: true,
      axis: 0,
      observer: 'learned',
      decay: 0,
      debias: false,
      initialRange: [-1, 1],
      name: '',
    },
  ],
  'FakeQuantizer.apply': [
    o => Object.assign(new FakeQuantizer(), {quantizing: false}).apply(x(), o as never),
    ['training'],
    {training: false},
  ],
};

/** What an option of each name is not. */
const WRONG: Readonly<Record<string, readonly unknown[]>> = {
  numBits: ['8', 0, -1, 1.5, NaN, Infinity, null, true, [8], {}, 8n],
  narrowRange: ['true', 'false', 0, 1, null, []],
  symmetric: ['yes', 1, null],
  debias: [0, null],
  nonNegative: ['', null],
  training: [1, 'true', null],
  signedInput: [1, 'false', null],
  rangeGiven: [1, 'false', null],
  roundMode: ['HALF_DOWN', 'half_up', '', null, 0, ['HALF_UP']],
  axis: ['1', 0.5, NaN, Infinity, null, [1], false],
  min: ['-1', NaN, null, [-1]],
  max: ['1', NaN, null, [1]],
  decay: ['0.9', 1, -0.1, NaN, null],
  observer: ['ema', 'MovingAverage', null, 0],
  start: ['max', null],
  learningRateScale: [0, -1, Infinity, NaN, '10', null],
  initialRange: [[1, -1], [1, 1], [NaN, 1], [0, Infinity], ['0', '1'], [0], [0, 1, 2], 1, null, {min: 0, max: 1}],
  name: [5, null, {}],
  percentile: [0, -1, 101, NaN, Infinity, '99', null],
  offset: [null, 'a', {}],
};

/** The error of a call; '' if there is none. */
function messageOf(call: () => unknown): string {
  try {
    tf.tidy(() => void call());
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

describe('options', () => {
  for (const [name, [call, names, fine]] of Object.entries(FUNCTIONS)) {
    describe(`of ${name}`, () => {
      it('are right as they are', () => {
        for (const options of [undefined, {}, fine, Object.fromEntries(names.map(each => [each, undefined]))]) {
          expect(messageOf(() => call(options)))
            .withContext(JSON.stringify(options) ?? 'undefined')
            .toBe('');
        }
      });

      it('of a wrong value are told with it', () => {
        for (const each of names) {
          for (const value of WRONG[each]!) {
            const message = messageOf(() => call({[each]: value}));
            expect(message.startsWith(`${name}: ${each} must be`))
              .withContext(`${each}: ${String(value)}, ${message}`)
              .toBe(true);
          }
        }
      });

      it('must be an object', () => {
        for (const value of [null, 4, '4', true, [4], [], Promise.resolve({}), new Map(), new Date(), () => 4]) {
          const message = messageOf(() => call(value));
          expect(message)
            .withContext(typeof value)
            .toContain(`${name}: options must be an object, but was `);
        }
        expect(messageOf(() => call(tf.scalar(0)))).toContain('but was of type');
      });

      it('of an unknown name are told, whatever the name', () => {
        const unknown = fc.string().filter(each => !names.includes(each));
        const key = fc.oneof(
          unknown,
          fc.constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty', 'num_bits', ''),
        );
        fc.assert(
          fc.property(key, fc.anything(), (each, value) => {
            const options = Object.defineProperty({}, each, {value, enumerable: true});
            const message = messageOf(() => call(options));
            expect(message).toContain(`${name}: ${each} is no option.`);
            expect(message).toMatch(/Did you mean \w+\?|Options are: \w+/);
          }),
          {numRuns: 20},
        );
      });
    });
  }

  it('that are wrong are told all at once', () => {
    const options = {numBit: 4, narrowRange: 1, min: 'a', max: 3} as never;
    expect(messageOf(() => ops.fakeQuantWithMinMaxArgs([1], options))).toBe(
      'FakeQuantWithMinMaxArgs: 3 problems:\n- numBit is no option. Options are: numBits, narrowRange, min, max.\n' +
        "- narrowRange must be true or false, but was 1.\n- min must be a number, but was the string 'a'.",
    );
  });

  it('of chained methods are checked as the ops are', () => {
    expect(messageOf(() => x().fakeQuant(0, 1, {bits: 4} as never))).toContain('fakeQuant: bits is no option');
    expect(messageOf(() => x().fakeQuant(0, 1, 4 as never))).toContain('fakeQuant: options must be an object');
    expect(messageOf(() => x().quantizeAndDequantizeV4(0, 1, {round_mode: 'HALF_UP'} as never))).toContain(
      'round_mode',
    );
  });

  it('of fakeQuant are not those of the ops that it runs', () => {
    expect(messageOf(() => ops.fakeQuant([1], 0, 1, {min: -1} as never))).toContain('fakeQuant: min is no option');
  });

  it('may come from an object that inherits them', async () => {
    const y = ops.fakeQuantWithMinMaxArgs([0.6], Object.create({min: 0, max: 3, numBits: 2}) as object);
    expect([...(await valuesOf(y))]).toEqual([1]);
    y.dispose();
  });

  it('of any right values are taken', () => {
    const right = fc.record(
      {numBits: fc.integer({min: 2, max: 16}), narrowRange: fc.boolean(), axis: fc.integer({min: -2, max: 0})},
      {requiredKeys: []},
    );
    fc.assert(
      fc.property(right, options => {
        const range: [number[], number[]] =
          options.axis === undefined || options.axis === -1 ? [ends, tops] : [[0], [1]];
        expect(messageOf(() => ops.fakeQuant(x(), ...range, options))).toBe('');
      }),
      {numRuns: 20},
    );
  });

  it('minMax has an axis, which is checked', () => {
    for (const axis of ['0', null, 0.5, NaN, {}]) {
      expect(messageOf(() => ops.minMax([1], axis as never))).toContain('minMax: axis must be an integer');
    }
  });
});

describe('a range that is set', () => {
  const refused = (options: object, ...args: unknown[]) => {
    const quantizer = new FakeQuantizer({...options, name: 'mine'});
    const message = messageOf(() => (quantizer.setRange as (...all: unknown[]) => void)(...args));
    const {numTensors} = tf.memory();
    quantizer.dispose();
    expect(tf.memory().numTensors).withContext('tensors of what was refused').toBe(numTensors);
    expect(message)
      .withContext(JSON.stringify(args))
      .toMatch(/^mine\.setRange: /);
    return message;
  };

  for (const observer of ['movingAverage', 'learned'] as const) {
    it(`is a range: ${observer}`, () => {
      expect(refused({observer}, 1, -1)).toBe(
        'mine.setRange: min has to be no larger than max, but min was 1 and max -1. Swap them.',
      );
      for (const [min, max] of [
        [NaN, 1],
        [0, Infinity],
        [-1e39, 1],
        ['0', 1],
        [null, null],
        [0, undefined],
        [[], []],
        [
          [0, 0],
          [1, 1],
        ],
        [[0], [1, 1]],
      ]) {
        refused({observer}, min, max);
      }
    });

    it(`has ends for each channel: ${observer}`, () => {
      expect(refused({observer, axis: 1}, [0, 0], [1])).toContain('min was [0, 0] and max [1]');
      expect(refused({observer, axis: 1}, [0, 2], [1, 1])).toContain('min was [0, 2] and max [1, 1]');
      expect(refused({observer, axis: 1}, 0, 1)).toContain('give min and max as arrays');
      const quantizer = new FakeQuantizer({observer, axis: 1});
      tf.tidy(() => {
        quantizer.setRange([-1, -1, -1], [1, 1, 1]);
        expect(() => quantizer.setRange([-1, -1], [1, 1])).toThrowError(/axis 1, 3 in all, but min was \[-1, -1\]/);
      });
      quantizer.setRange(-2, [1, 1, 2]);
      quantizer.dispose();
    });
  }

  it('has a weight', () => {
    for (const weight of [0, -1, 2, NaN, null, '1']) {
      const of = String(weight);
      expect(refused({}, 0, 1, weight))
        .withContext(of)
        .toMatch(/weight must be .*, but was/);
    }
  });

  it('is what a snapshot gave', async () => {
    const [one, other] = [new FakeQuantizer(), new FakeQuantizer()];
    one.setRange(-1, 3);
    const {values} = await one.snapshot();
    other.setRange(values!.min, values!.max);
    expect(await other.snapshot()).toEqual(await one.snapshot());
    one.dispose();
    other.dispose();
  });

  it('cannot be symmetric and of no negative values', () => {
    expect(messageOf(() => new FakeQuantizer({observer: 'learned', symmetric: true, nonNegative: true}))).toBe(
      'FakeQuantizer: a symmetric range has negative values. Leave out symmetric or nonNegative.',
    );
    expect(messageOf(() => new FakeQuantizer(new FakeQuantizer({symmetric: true}).options))).toBe('');
  });
});
