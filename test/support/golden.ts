/** TensorFlow's own answers (test/golden), and one way to ask this package the same questions. */
import * as tf from '@tensorflow/tfjs-core';
import {type Scheme, type View, viewOf} from '../../kernels/device';
import {
  fakeQuantLevels,
  type Grid,
  gridOf,
  learnedLevels,
  quantizeAndDequantizeLevels,
  straightThrough,
} from '../../kernels/grid';
import * as ops from '../../src/entries/index';
import {acceptsGradient, acceptsValue, EXACT, HARDWARE, isOnBound, isSame, type Tolerance, ulpOf} from './acceptance';
import {onWebGL, readFile, setup, validated, valuesOf} from './environment';
import {type Residency, tensorAt} from './residency';

/** Values in data.bin.gz; if they are fewer than the shape's, they repeat. */
export interface Stored {
  readonly shape: readonly number[];
  readonly at: number;
  readonly length: number;
}

interface Attrs {
  readonly min?: number;
  readonly max?: number;
  readonly numBits: number;
  readonly narrowRange: boolean;
  readonly axis?: number;
  readonly signedInput: boolean;
  readonly rangeGiven: boolean;
  readonly roundMode: 'HALF_TO_EVEN' | 'HALF_UP';
  readonly symmetric: boolean;
}

export interface Case {
  readonly name: string;
  readonly op: string;
  readonly attrs: Attrs;
  readonly inputs: Readonly<Record<string, Stored>>;
  readonly outputs: readonly Stored[];
}

/** The gradient's own op, or tf.grads of the op that it is the gradient of. */
export type Route = 'op' | 'tape';

type Tensors = Readonly<Record<string, tf.Tensor>>;
type Call = (tensors: Tensors, attrs: Attrs) => tf.Tensor | tf.Tensor[];

/** tf.grads of `forward` with respect to all of `names`. */
function tape(names: readonly string[], forward: (tensors: Tensors, attrs: Attrs) => tf.Tensor): Call {
  return (tensors, attrs) => {
    const f = (...values: tf.Tensor[]) =>
      forward(Object.fromEntries(names.map((name, i) => [name, values[i]!])), attrs);
    return tf.grads(f)(
      names.map(name => tensors[name]!),
      tensors['gradients'],
    );
  };
}

const RANGE = ['inputs', 'min', 'max'];
const BOUNDS = ['input', 'inputMin', 'inputMax'];

const args = (t: Tensors, attrs: Attrs) => ops.fakeQuantWithMinMaxArgs(t['inputs']!, attrs);
const vars = (t: Tensors, attrs: Attrs) =>
  ops.fakeQuantWithMinMaxVars(t['inputs']!, t['min'] as tf.Scalar, t['max'] as tf.Scalar, attrs);
const perChannel = (t: Tensors, attrs: Attrs) =>
  ops.fakeQuantWithMinMaxVarsPerChannel(t['inputs']!, t['min'] as tf.Tensor1D, t['max'] as tf.Tensor1D, attrs);
const quantize = (t: Tensors, attrs: Attrs) =>
  ops.quantizeAndDequantizeV4(t['input']!, t['inputMin'], t['inputMax'], attrs);
const learned = (t: Tensors, {axis, numBits, narrowRange, symmetric}: Attrs) =>
  ops.fakeQuantWithLearnedScale(t['inputs']!, t['scale']!, {
    numBits,
    narrowRange,
    symmetric,
    ...(t['offset'] && {offset: t['offset']}),
    ...(axis !== undefined && {axis}),
  });

const CALLS: Readonly<Record<string, Readonly<Partial<Record<Route, Call>>>>> = {
  FakeQuantWithMinMaxArgs: {op: args},
  FakeQuantWithMinMaxVars: {op: vars},
  FakeQuantWithMinMaxVarsPerChannel: {op: perChannel},
  QuantizeAndDequantizeV4: {op: quantize},
  FakeQuantWithMinMaxArgsGradient: {
    op: (t, attrs) => ops.fakeQuantWithMinMaxArgsGradient(t['gradients']!, t['inputs']!, attrs),
    tape: tape(['inputs'], args),
  },
  FakeQuantWithMinMaxVarsGradient: {
    op: (t, attrs) =>
      ops.fakeQuantWithMinMaxVarsGradient(
        t['gradients']!,
        t['inputs']!,
        t['min'] as tf.Scalar,
        t['max'] as tf.Scalar,
        attrs,
      ),
    tape: tape(RANGE, vars),
  },
  FakeQuantWithMinMaxVarsPerChannelGradient: {
    op: (t, attrs) =>
      ops.fakeQuantWithMinMaxVarsPerChannelGradient(
        t['gradients']!,
        t['inputs']!,
        t['min'] as tf.Tensor1D,
        t['max'] as tf.Tensor1D,
        attrs,
      ),
    tape: tape(RANGE, perChannel),
  },
  QuantizeAndDequantizeV4Grad: {
    op: (t, attrs) =>
      ops.quantizeAndDequantizeV4Grad(t['gradients']!, t['input']!, t['inputMin']!, t['inputMax']!, attrs),
    // The grid does not matter to the gradient, so its cases name none.
    tape: tape(BOUNDS, (t, attrs) => quantize(t, {...attrs, rangeGiven: true})),
  },
  FakeQuantWithLearnedScale: {op: learned},
  FakeQuantWithLearnedScaleGradient: {tape: tape(['inputs', 'scale'], learned)},
  FakeQuantWithLearnedRange: {op: learned},
  FakeQuantWithLearnedRangeGradient: {tape: tape(['inputs', 'scale', 'offset'], learned)},
};

/** Whether a case can be asked in this way. */
export function hasRoute({op}: Case, route: Route): boolean {
  return CALLS[op]?.[route] !== undefined;
}

const tolerance: Tolerance = setup.gpu ? HARDWARE : EXACT;

export interface Golden {
  readonly cases: readonly Case[];
  readonly data: Float32Array;
}

/** Reads what TensorFlow answered. */
export async function readGolden(): Promise<Golden> {
  const [text, data] = await Promise.all([readFile('test/golden/cases.json.gz'), readFile('test/golden/data.bin.gz')]);
  const {cases} = JSON.parse(new TextDecoder().decode(text)) as {cases: Case[]};
  return {cases, data: new Float32Array(data)};
}

function load(data: Float32Array, {shape, at, length}: Stored): Float32Array {
  const size = tf.util.sizeFromShape([...shape]);
  const stored = data.subarray(at, at + length);
  if (length === size) return stored.slice();
  const values = new Float32Array(size);
  for (let i = 0; i < size; i += length) values.set(stored.subarray(0, Math.min(length, size - i)), i);
  return values;
}

export function sizeOf({inputs}: Case): number {
  return Math.max(...Object.values(inputs).map(({shape}) => tf.util.sizeFromShape([...shape])));
}

/** Runs a case on the backend of this run; resolves to what is wrong with the answer, if anything. */
export async function mismatchOf(
  {data}: Golden,
  one: Case,
  residency: Residency,
  route: Route,
): Promise<string | undefined> {
  const inputs = mapValues(one.inputs, stored => load(data, stored));
  const {result, problem} = validated(() => {
    const tensors = mapValues(one.inputs, ({shape}, name) => tensorAt(residency, inputs[name]!, shape));
    const outputs = tf.tidy(() => [CALLS[one.op]![route]!(tensors, one.attrs)].flat());
    tf.dispose(tensors);
    return outputs;
  });
  const values = await Promise.all(result.map(valuesOf));
  const shapes = result.map(({shape}) => shape);
  tf.dispose(result);
  const found = (await problem) ?? wrongShape(one, shapes) ?? wrongValue(one, inputs, values, data);
  return found === undefined ? undefined : `${one.name} (${residency}, ${route}): ${found}`;
}

function wrongShape({outputs}: Case, shapes: readonly number[][]): string | undefined {
  const [actual, expected] = [JSON.stringify(shapes), JSON.stringify(outputs.map(({shape}) => shape))];
  return actual === expected ? undefined : `shapes ${actual} instead of ${expected}`;
}

/** The packed programs of tfjs count in floats: its own ops, too, lose elements beyond this on WebGL. */
const COUNTABLE = onWebGL ? 2 ** 24 : Infinity;

type Values = Readonly<Record<string, Float32Array>>;

function wrongValue(one: Case, inputs: Values, outputs: readonly Float32Array[], data: Float32Array) {
  const judge = new Judge(one, inputs);
  for (const [index, stored] of one.outputs.entries()) {
    const [actual, expected] = [outputs[index]!, load(data, stored)];
    let wrong = 0;
    let first = '';
    for (let i = 0; i < Math.min(expected.length, COUNTABLE); ++i) {
      if (isSame(actual[i]!, expected[i]!) || judge.accepts(index, i, actual[i]!, expected[i]!)) continue;
      if (++wrong === 1) first = `[${i}] ${shown(actual[i]!)} instead of ${shown(expected[i]!)}${judge.context(i)}`;
    }
    if (wrong > 0) return `output ${index}: ${wrong} of ${expected.length} wrong, first ${first}`;
  }
  return undefined;
}

/** With the sign of a zero. */
function shown(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

/** How much of the magnitudes of its terms a sum in float32 may be off. */
const SUM_ERROR = 1e-5;

/** Decides about values that are not TensorFlow's bits: sums may be rounded in another order, a GPU may be inexact. */
class Judge {
  readonly #op: string;
  readonly #x: Float32Array;
  readonly #dy: Float32Array | undefined;
  readonly #view: View;
  readonly #scheme: Scheme;
  readonly #range: (channel: number) => readonly [number, number];
  readonly #learned: boolean;
  readonly #grids: Grid[] = [];
  #errors: Float64Array | undefined;
  #errorsOfScale: Float64Array | undefined;

  constructor({op, attrs, inputs}: Case, values: Values) {
    this.#op = op;
    this.#x = (values['inputs'] ?? values['input'])!;
    this.#dy = values['gradients'];
    const {shape} = (inputs['inputs'] ?? inputs['input'])!;
    const {axis} = attrs;
    this.#learned = 'scale' in inputs;
    const wholeAxis = axis === undefined || (op.startsWith('Quantize') && axis < 0);
    this.#view = viewOf(shape, wholeAxis ? undefined : axis < 0 ? axis + shape.length : axis);
    this.#scheme = schemeOf(op, attrs);
    const lows = values['min'] ?? values['inputMin'] ?? values['scale'];
    const highs = values['max'] ?? values['inputMax'] ?? values['offset'];
    const measured = op === 'QuantizeAndDequantizeV4' && !attrs.rangeGiven;
    this.#range = measured
      ? channel => this.#extremes(channel)
      : channel => [lows?.[channel] ?? attrs.min ?? -6, highs?.[channel] ?? attrs.max ?? 6];
  }

  accepts(output: number, i: number, actual: number, expected: number): boolean {
    if (output > 0) return this.#acceptsSum(i, actual, expected, output === 1 && this.#learned);
    if (tolerance === EXACT) return false;
    const [x, range] = [this.#x[i]!, this.#range(this.#channel(i))];
    return this.#dy
      ? acceptsGradient(actual, this.#dy[i]!, x, range, this.#scheme, 'inside', tolerance)
      : acceptsValue(actual, x, range, this.#scheme, tolerance);
  }

  /** What an element's value was computed from. */
  context(i: number): string {
    return this.#x.length > i ? ` (x = ${shown(this.#x[i]!)}, range ${this.#range(this.#channel(i))})` : '';
  }

  #channel(i: number): number {
    return Math.floor(i / this.#view.inner) % this.#view.channels;
  }

  #acceptsSum(channel: number, actual: number, expected: number, ofScale: boolean): boolean {
    if (this.#op === 'QuantizeAndDequantizeV4Grad' || !Number.isFinite(expected)) return false;
    if (ofScale) this.#errorsOfScale ??= this.#sum(i => this.#errorOfScale(i));
    else this.#errors ??= this.#sum(i => SUM_ERROR + (this.#isUncertain(i) ? 1 : 0));
    return Math.abs(actual - expected) <= (ofScale ? this.#errorsOfScale! : this.#errors!)[channel]!;
  }

  /** By how much a term of a scale's sum may be off: x in steps has been rounded twice, and the sum rounds on. */
  #errorOfScale(i: number): number {
    const grid = this.#grid(i);
    const x = this.#x[i]!;
    const steps = Math.min(Math.max(x, grid.low), grid.high) * grid.inverse;
    const most = Math.max(Math.abs(steps), Math.abs(grid.zero));
    const error = SUM_ERROR * Math.abs(straightThrough(1, x, grid, 'scale')) + 2 ** -22 * most;
    const tie = Math.abs(Math.abs(steps - Math.round(steps)) - 0.5) <= tolerance.tieUlps * ulpOf(steps);
    return error + (this.#isUncertain(i) ? 2 * most : 0) + (tolerance !== EXACT && tie ? 1 : 0);
  }

  #grid(i: number): Grid {
    const channel = this.#channel(i);
    const {fit, levels} = this.#scheme;
    return (this.#grids[channel] ??= gridOf(fit, ...this.#range(channel), levels));
  }

  /** Whether the hardware may take x for inside or outside. */
  #isUncertain(i: number): boolean {
    return tolerance !== EXACT && isOnBound(this.#x[i]!, this.#grid(i), tolerance.valueUlps);
  }

  /** The sum of |dy| times a weight, per channel. */
  #sum(weightOf: (i: number) => number): Float64Array {
    const sums = new Float64Array(this.#view.channels);
    this.#dy?.forEach((dy, i) => {
      sums[this.#channel(i)]! += Math.abs(dy) * weightOf(i);
    });
    return sums;
  }

  #extremes(channel: number): readonly [number, number] {
    const values = this.#x.filter((x, i) => this.#channel(i) === channel && !Number.isNaN(x));
    return [values.reduce((a, b) => Math.min(a, b), Infinity), values.reduce((a, b) => Math.max(a, b), -Infinity)];
  }
}

function schemeOf(op: string, attrs: Attrs): Scheme {
  if (op === 'QuantizeAndDequantizeV4Grad') {
    return {fit: 'raw', rounding: 'even', levels: {qmin: 0, qmax: 1}, clamped: true};
  }
  if (op === 'QuantizeAndDequantizeV4') {
    const {numBits, signedInput, narrowRange, rangeGiven, roundMode} = attrs;
    const levels = quantizeAndDequantizeLevels(numBits, signedInput, narrowRange);
    return {fit: 'adjust', rounding: roundMode === 'HALF_UP' ? 'up' : 'even', levels, clamped: rangeGiven};
  }
  if (op.startsWith('FakeQuantWithLearned')) {
    const {numBits, narrowRange, symmetric} = attrs;
    const fit = op.startsWith('FakeQuantWithLearnedScale') ? 'scaled' : 'anchored';
    return {fit, rounding: 'even', levels: learnedLevels(numBits, narrowRange, symmetric), clamped: true};
  }
  const rounding = op === 'FakeQuantWithMinMaxVars' ? 'divide' : 'multiply';
  return {fit: 'nudge', rounding, levels: fakeQuantLevels(attrs.numBits, attrs.narrowRange), clamped: true};
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, f: (value: T, name: string) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, f(value, name)]));
}
