/** The public ops: convert, check, run the kernel of TensorFlow's name. */
import {op, type Scalar, scalar, Tensor, type Tensor1D, type TensorLike} from '@tensorflow/tfjs-core';
import type {FakeQuantAttrs, QuantizeAndDequantizeAttrs} from '../../kernels/op_table';
import {runKernel} from '../../kernels/register';
import {givenOptions} from '../check/options';
import {between, bits, flag, integer, invalid, number, oneOf, type Rules} from '../check/rules';
import {checkAxis, checkNumberRange, checkPerChannel, checkScalars, floatTensor, gradientOf} from '../check/tensors';

/**
 * The integer grid of the FakeQuant ops.
 *
 * @example
 * ```js
 * import {fakeQuantWithMinMaxVars} from 'tfjs-quantization';
 *
 * const options = {numBits: 3, narrowRange: true};
 * fakeQuantWithMinMaxVars([-1.2, 0.3, 1.5], -1.5, 1.5, options).print(); // [-1, 0.5, 1.5]
 * ```
 */
export interface FakeQuantOptions {
  /** Width of the grid, 2 to 16 bits; 8 by default. */
  numBits?: number;
  /** Leaves out the lowest level, so that a symmetric range has as many levels on either side of 0; false by default. */
  narrowRange?: boolean;
}

/**
 * The grid of {@link fakeQuantWithMinMaxArgs}, whose range is an attribute too.
 *
 * @example
 * ```js
 * import {fakeQuantWithMinMaxArgs} from 'tfjs-quantization';
 *
 * const y = fakeQuantWithMinMaxArgs([-7, 0.3, 5.5], {min: -4, max: 3, numBits: 3});
 * y.print(); // [-4, 0, 3]
 * ```
 */
export interface FakeQuantArgsOptions extends FakeQuantOptions {
  /** Lower end of the range; -6 by default. */
  min?: number;
  /** Upper end of the range; 6 by default. */
  max?: number;
}

/**
 * The grids of the FakeQuant ops with a range per channel.
 *
 * @example
 * ```js
 * import {fakeQuantWithMinMaxVarsPerChannel} from 'tfjs-quantization';
 *
 * const rows = [[-1, 0.3], [0.3, 2]];
 * const options = {axis: 0, numBits: 2};
 * const y = fakeQuantWithMinMaxVarsPerChannel(rows, [0, 0], [1.5, 3], options);
 * y.print(); // [[0, 0.5], [0, 2]]
 * ```
 */
export interface FakeQuantPerChannelOptions extends FakeQuantOptions {
  /** The dimension that `min` and `max` run along; the last one, -1, by default. */
  axis?: number;
}

/**
 * Whether {@link quantizeAndDequantizeV4Grad} has bounds for each slice.
 *
 * @example
 * ```js
 * import {quantizeAndDequantizeV4Grad} from 'tfjs-quantization';
 *
 * const [dy, rows] = [[[1, 1], [1, 1]], [[-2, 0], [-2, 0]]];
 * const [dx] = quantizeAndDequantizeV4Grad(dy, rows, [-1, -3], [1, 3], {axis: 0});
 * dx.print(); // [[0, 1], [1, 1]]
 * ```
 */
export interface QuantizeSlicesOptions {
  /** The dimension with a range for each of its slices; -1, the default, is one range for all. */
  axis?: number;
}

/**
 * The grid of {@link quantizeAndDequantizeV4}.
 *
 * @example
 * ```js
 * import {quantizeAndDequantizeV4} from 'tfjs-quantization';
 *
 * const y = quantizeAndDequantizeV4([-2, 0.5, 1.5], -3, 3, {
 *   rangeGiven: true,
 *   numBits: 3,
 *   narrowRange: true,
 *   roundMode: 'HALF_UP',
 * });
 * y.print(); // [-2, 1, 2]
 * ```
 */
export interface QuantizeAndDequantizeOptions extends QuantizeSlicesOptions {
  /** Whether the grid has negative levels; true by default. */
  signedInput?: boolean;
  /** Width of the grid: 1 to 61 bits signed, 1 to 62 unsigned; 8 by default. */
  numBits?: number;
  /** Whether the range is the one given (and x clamped to it) or the input's own; false by default. */
  rangeGiven?: boolean;
  /** How a tie rounds; 'HALF_TO_EVEN' by default. */
  roundMode?: 'HALF_TO_EVEN' | 'HALF_UP';
  /** Leaves out the lowest level of a signed grid; false by default. */
  narrowRange?: boolean;
}

const FAKE_QUANT: Rules<FakeQuantOptions> = {numBits: bits, narrowRange: flag};
const ARGS: Rules<FakeQuantArgsOptions> = {...FAKE_QUANT, min: number, max: number};
const PER_CHANNEL: Rules<FakeQuantPerChannelOptions> = {...FAKE_QUANT, axis: integer};
const SLICES: Rules<QuantizeSlicesOptions> = {axis: integer};
const QUANTIZE: Omit<Rules<QuantizeAndDequantizeOptions>, 'numBits'> = {
  signedInput: flag,
  rangeGiven: flag,
  roundMode: oneOf('HALF_TO_EVEN', 'HALF_UP'),
  narrowRange: flag,
  ...SLICES,
};

/** The attributes of a FakeQuant op. */
function fakeQuantAttrs<T extends FakeQuantOptions>(name: string, options: T, rules: Rules<T>): FakeQuantAttrs & T {
  return {numBits: 8, narrowRange: false, ...givenOptions(name, options, rules)};
}

function argsAttrs(name: string, options: FakeQuantArgsOptions): FakeQuantAttrs {
  const attrs = {min: -6, max: 6, ...fakeQuantAttrs(name, options, ARGS)};
  checkNumberRange(name, attrs.min, attrs.max, false);
  return attrs;
}

function fakeQuantWithMinMaxArgs_<T extends Tensor>(inputs: T | TensorLike, options: FakeQuantArgsOptions = {}): T {
  const name = 'FakeQuantWithMinMaxArgs';
  const attrs = argsAttrs(name, options);
  return runKernel<T>(name, {inputs: floatTensor(name, 'inputs', inputs)}, attrs);
}

function fakeQuantWithMinMaxArgsGradient_<T extends Tensor>(
  gradients: T | TensorLike,
  inputs: T | TensorLike,
  options: FakeQuantArgsOptions = {},
): T {
  const name = 'FakeQuantWithMinMaxArgsGradient';
  const attrs = argsAttrs(name, options);
  const x = floatTensor(name, 'inputs', inputs);
  const dy = gradientOf(name, gradients, x);
  return runKernel<[T]>(name, {gradients: dy, inputs: x}, attrs)[0];
}

/** Checks what the Vars ops share. */
function varsInputs<T extends Tensor>(
  name: string,
  inputs: T | TensorLike,
  min: Scalar | TensorLike,
  max: Scalar | TensorLike,
) {
  checkNumberRange(name, min, max, true);
  const tensors = {
    inputs: floatTensor(name, 'inputs', inputs),
    min: floatTensor(name, 'min', min),
    max: floatTensor(name, 'max', max),
  };
  checkScalars(name, {min: tensors.min, max: tensors.max});
  return tensors;
}

function fakeQuantWithMinMaxVars_<T extends Tensor>(
  inputs: T | TensorLike,
  min: Scalar | TensorLike,
  max: Scalar | TensorLike,
  options: FakeQuantOptions = {},
): T {
  const name = 'FakeQuantWithMinMaxVars';
  const attrs = fakeQuantAttrs(name, options, FAKE_QUANT);
  return runKernel<T>(name, varsInputs(name, inputs, min, max), attrs);
}

function fakeQuantWithMinMaxVarsGradient_<T extends Tensor>(
  gradients: T | TensorLike,
  inputs: T | TensorLike,
  min: Scalar | TensorLike,
  max: Scalar | TensorLike,
  options: FakeQuantOptions = {},
): [T, Scalar, Scalar] {
  const name = 'FakeQuantWithMinMaxVarsGradient';
  const attrs = fakeQuantAttrs(name, options, FAKE_QUANT);
  const tensors = varsInputs(name, inputs, min, max);
  const dy = gradientOf(name, gradients, tensors.inputs);
  return runKernel(name, {gradients: dy, ...tensors}, attrs);
}

/** Checks what the PerChannel ops share. */
function perChannelInputs<T extends Tensor>(
  name: string,
  inputs: T | TensorLike,
  min: Tensor1D | TensorLike,
  max: Tensor1D | TensorLike,
  axis = -1,
) {
  const x = floatTensor(name, 'inputs', inputs);
  const range = {min: floatTensor(name, 'min', min), max: floatTensor(name, 'max', max)};
  const fromStart = checkAxis(name, x, axis);
  checkPerChannel(name, x, fromStart, range);
  return {tensors: {inputs: x, ...range}, axis: fromStart};
}

function fakeQuantWithMinMaxVarsPerChannel_<T extends Tensor>(
  inputs: T | TensorLike,
  min: Tensor1D | TensorLike,
  max: Tensor1D | TensorLike,
  options: FakeQuantPerChannelOptions = {},
): T {
  const name = 'FakeQuantWithMinMaxVarsPerChannel';
  const attrs = fakeQuantAttrs(name, options, PER_CHANNEL);
  const {tensors, axis} = perChannelInputs(name, inputs, min, max, attrs.axis);
  return runKernel<T>(name, tensors, {...attrs, axis});
}

function fakeQuantWithMinMaxVarsPerChannelGradient_<T extends Tensor>(
  gradients: T | TensorLike,
  inputs: T | TensorLike,
  min: Tensor1D | TensorLike,
  max: Tensor1D | TensorLike,
  options: FakeQuantPerChannelOptions = {},
): [T, Tensor1D, Tensor1D] {
  const name = 'FakeQuantWithMinMaxVarsPerChannelGradient';
  const attrs = fakeQuantAttrs(name, options, PER_CHANNEL);
  const {tensors, axis} = perChannelInputs(name, inputs, min, max, attrs.axis);
  const dy = gradientOf(name, gradients, tensors.inputs);
  return runKernel(name, {gradients: dy, ...tensors}, {...attrs, axis});
}

/** QuantizeAndDequantize counts axes from 0; -1 is its word for "no axis". */
function checkSliceAxis(name: string, x: Tensor, axis: number): void {
  if (axis >= -1 && axis < x.rank) return;
  throw invalid(
    name,
    `axis must be at least -1 and below ${x.rank} for an input of shape [${x.shape}], but was ${axis}.`,
  );
}

function checkBounds(name: string, x: Tensor, axis: number, bounds: {inputMin: Tensor; inputMax: Tensor}): void {
  if (axis === -1) checkScalars(name, bounds);
  else checkPerChannel(name, x, axis, bounds);
}

function quantizeAndDequantizeV4_<T extends Tensor>(
  input: T | TensorLike,
  inputMin?: Tensor | TensorLike,
  inputMax?: Tensor | TensorLike,
  options: QuantizeAndDequantizeOptions = {},
): T {
  const name = 'QuantizeAndDequantizeV4';
  const attrs: QuantizeAndDequantizeAttrs = {
    signedInput: true,
    numBits: 8,
    rangeGiven: false,
    roundMode: 'HALF_TO_EVEN',
    narrowRange: false,
    axis: -1,
    ...givenOptions(name, options, {...QUANTIZE, numBits: between(1, options?.signedInput === false ? 62 : 61)}),
  };
  const {rangeGiven, axis} = attrs;
  const x = floatTensor(name, 'input', input);
  checkSliceAxis(name, x, axis);
  if ((inputMin === undefined) !== (inputMax === undefined) || (rangeGiven && inputMin === undefined)) {
    throw invalid(
      name,
      `inputMin and inputMax must both be given${rangeGiven ? ', as rangeGiven is true' : ', or neither'}.`,
    );
  }
  let bounds = {inputMin: scalar(-Infinity), inputMax: scalar(Infinity)} as {inputMin: Tensor; inputMax: Tensor};
  if (inputMin !== undefined && inputMax !== undefined) {
    if (rangeGiven) checkNumberRange(name, inputMin, inputMax, true);
    bounds = {inputMin: floatTensor(name, 'inputMin', inputMin), inputMax: floatTensor(name, 'inputMax', inputMax)};
    checkBounds(name, x, axis, bounds);
  }
  return runKernel<T>(name, {input: x, ...bounds}, attrs);
}

function quantizeAndDequantizeV4Grad_<T extends Tensor>(
  gradients: T | TensorLike,
  input: T | TensorLike,
  inputMin: Tensor | TensorLike,
  inputMax: Tensor | TensorLike,
  options: QuantizeSlicesOptions = {},
): [T, Tensor, Tensor] {
  const name = 'QuantizeAndDequantizeV4Grad';
  const {axis = -1} = givenOptions(name, options, SLICES);
  const x = floatTensor(name, 'input', input);
  checkSliceAxis(name, x, axis);
  const bounds = {inputMin: floatTensor(name, 'inputMin', inputMin), inputMax: floatTensor(name, 'inputMax', inputMax)};
  checkBounds(name, x, axis, bounds);
  const dy = gradientOf(name, gradients, x);
  return runKernel(name, {gradients: dy, input: x, ...bounds}, {axis});
}

function fakeQuant_<T extends Tensor>(
  x: T | TensorLike,
  min: Tensor | TensorLike,
  max: Tensor | TensorLike,
  options: FakeQuantPerChannelOptions = {},
): T {
  const name = 'fakeQuant';
  const given = givenOptions(name, options, PER_CHANNEL);
  if (typeof min === 'number' && typeof max === 'number') {
    return fakeQuantWithMinMaxArgs<T>(x, {...withoutAxis(name, given), min, max});
  }
  const low = floatTensor(name, 'min', min);
  const high = floatTensor(name, 'max', max);
  if (low.rank === 0 && high.rank === 0) {
    return fakeQuantWithMinMaxVars<T>(x, low as Scalar, high as Scalar, withoutAxis(name, given));
  }
  if (low.rank === 1 && high.rank === 1) {
    return fakeQuantWithMinMaxVarsPerChannel<T>(x, low as Tensor1D, high as Tensor1D, given);
  }
  throw invalid(
    name,
    `min and max must both be scalars or 1-D tensors, but had shapes [${low.shape}] and [${high.shape}].`,
  );
}

function withoutAxis(name: string, {axis, ...options}: FakeQuantPerChannelOptions): FakeQuantOptions {
  if (axis === undefined) return options;
  throw invalid(name, `axis ${axis} needs a range per channel: give min and max as 1-D tensors, or leave it out.`);
}

/**
 * Rounds `inputs` to a grid of `numBits` over a range given as attributes. TensorFlow's FakeQuantWithMinMaxArgs, bit for bit.
 *
 * The range is nudged so that 0 lies on the grid. NaN stays NaN. The gradient passes inside the nudged range.
 *
 * @param inputs - float32 tensor of any shape, or numbers.
 * @param options - `min` (-6), `max` (6), `numBits` (8), `narrowRange` (false).
 * @returns a tensor of the inputs' shape.
 * @throws if `min >= max`, or `numBits` is not an integer from 2 to 16.
 *
 * @example
 * ```js
 * import {fakeQuantWithMinMaxArgs} from 'tfjs-quantization';
 *
 * const y = fakeQuantWithMinMaxArgs([-1, 0.3, 2], {min: 0, max: 1.5, numBits: 2});
 * y.print(); // [0, 0.5, 1.5]
 * ```
 *
 * @function
 */
export const fakeQuantWithMinMaxArgs = /*#__PURE__*/ op({fakeQuantWithMinMaxArgs_});

/**
 * The gradient of {@link fakeQuantWithMinMaxArgs}: `gradients` where `inputs` lie in the nudged range, else 0.
 * TensorFlow's FakeQuantWithMinMaxArgsGradient.
 *
 * @param gradients - the gradient of the output, of the inputs' shape.
 * @param inputs - what the op was given.
 * @param options - as for the op.
 * @returns the gradient with respect to `inputs`.
 * @throws as the op does, or if `gradients` are not of the inputs' shape.
 *
 * @example
 * ```js
 * import {fakeQuantWithMinMaxArgsGradient} from 'tfjs-quantization';
 *
 * const [dy, x] = [[1, 1, 1], [-1, 0.3, 2]];
 * const dx = fakeQuantWithMinMaxArgsGradient(dy, x, {min: 0, max: 1.5, numBits: 2});
 * dx.print(); // [0, 1, 0]
 * ```
 *
 * @function
 */
export const fakeQuantWithMinMaxArgsGradient = /*#__PURE__*/ op({fakeQuantWithMinMaxArgsGradient_});

/**
 * Rounds `inputs` to a grid of `numBits` over a range given as tensors, which may be trained.
 * TensorFlow's FakeQuantWithMinMaxVars, bit for bit. The range is never read back from the GPU.
 *
 * @param inputs - float32 tensor of any shape, or numbers.
 * @param min - scalar: the lower end of the range.
 * @param max - scalar: the upper end. min = max = 0 gives 0; other empty, infinite or NaN ranges give NaN, as in TensorFlow.
 * @param options - `numBits` (8), `narrowRange` (false).
 * @returns a tensor of the inputs' shape.
 * @throws if `min` or `max` is not a scalar, or `numBits` is not an integer from 2 to 16.
 *
 * @example
 * ```js
 * import * as tf from '@tensorflow/tfjs';
 * import {fakeQuantWithMinMaxVars} from 'tfjs-quantization';
 *
 * const rounded = max => fakeQuantWithMinMaxVars([-1, 0.3, 2], 0, max, {numBits: 2});
 * rounded(tf.scalar(1.5)).print(); // [0, 0.5, 1.5]
 * tf.grad(rounded)(tf.scalar(1.5)).print(); // 1
 * ```
 *
 * @function
 */
export const fakeQuantWithMinMaxVars = /*#__PURE__*/ op({fakeQuantWithMinMaxVars_});

/**
 * The gradients of {@link fakeQuantWithMinMaxVars}. TensorFlow's FakeQuantWithMinMaxVarsGradient.
 *
 * @param gradients - the gradient of the output, of the inputs' shape.
 * @param inputs - what the op was given.
 * @param min - as for the op.
 * @param max - as for the op.
 * @param options - as for the op.
 * @returns the gradients with respect to inputs, min (what lies below the nudged range, summed) and max (above).
 * @throws as the op does, or if `gradients` are not of the inputs' shape.
 *
 * @example
 * ```js
 * import {fakeQuantWithMinMaxVarsGradient} from 'tfjs-quantization';
 *
 * const [dy, x] = [[1, 2, 3], [-1, 0.3, 2]];
 * const [dx, dmin, dmax] = fakeQuantWithMinMaxVarsGradient(dy, x, 0, 1.5, {numBits: 2});
 * dx.print(); // [0, 2, 0]
 * dmin.print(); // 1
 * dmax.print(); // 3
 * ```
 *
 * @function
 */
export const fakeQuantWithMinMaxVarsGradient = /*#__PURE__*/ op({fakeQuantWithMinMaxVarsGradient_});

/**
 * Rounds `inputs` to a grid for each slice of `axis`. TensorFlow's FakeQuantWithMinMaxVarsPerChannel, bit for bit;
 * TensorFlow knows the last axis only.
 *
 * @param inputs - float32 tensor of rank 1 or more.
 * @param min - [d]: the lower ends of the ranges, d being the inputs' size along `axis`.
 * @param max - [d]: the upper ends.
 * @param options - `numBits` (8), `narrowRange` (false), `axis` (-1, the last).
 * @returns a tensor of the inputs' shape.
 * @throws if `min` or `max` is not of shape [d], `axis` is out of range, or `numBits` is not an integer from 2 to 16.
 *
 * @example
 * ```js
 * import {fakeQuantWithMinMaxVarsPerChannel} from 'tfjs-quantization';
 *
 * const x = [[-1, 0.3], [0.3, 2]];
 * const y = fakeQuantWithMinMaxVarsPerChannel(x, [0, 0], [1.5, 3], {numBits: 2});
 * y.print(); // [[0, 0], [0.5, 2]]
 * ```
 *
 * @function
 */
export const fakeQuantWithMinMaxVarsPerChannel = /*#__PURE__*/ op({fakeQuantWithMinMaxVarsPerChannel_});

/**
 * The gradients of {@link fakeQuantWithMinMaxVarsPerChannel}. TensorFlow's FakeQuantWithMinMaxVarsPerChannelGradient.
 *
 * @param gradients - the gradient of the output, of the inputs' shape.
 * @param inputs - what the op was given.
 * @param min - as for the op.
 * @param max - as for the op.
 * @param options - as for the op.
 * @returns the gradients with respect to inputs, min and max, the latter two of shape [d].
 * @throws as the op does, or if `gradients` are not of the inputs' shape.
 *
 * @example
 * ```js
 * import {fakeQuantWithMinMaxVarsPerChannelGradient as gradient} from 'tfjs-quantization';
 *
 * const [dy, x] = [[[1, 2], [3, 4]], [[-1, 0.3], [0.3, 5]]];
 * const [dx, dmin, dmax] = gradient(dy, x, [0, 0], [1.5, 3], {numBits: 2});
 * dx.print(); // [[0, 2], [3, 0]]
 * dmin.print(); // [1, 0]
 * dmax.print(); // [0, 4]
 * ```
 *
 * @function
 */
export const fakeQuantWithMinMaxVarsPerChannelGradient = /*#__PURE__*/ op({fakeQuantWithMinMaxVarsPerChannelGradient_});

/**
 * Rounds `input` to a grid symmetric about 0. TensorFlow's QuantizeAndDequantizeV4, bit for bit; with an axis and a
 * given range it computes what V3 does, where TensorFlow's V4 kernel for CPU refuses.
 *
 * Where TensorFlow refuses an inputMin above inputMax, this does so for numbers. Of tensors it takes them, as to look would have
 * to wait for the device: the result is then of no use.
 *
 * @param input - float32 tensor of any shape, or numbers.
 * @param inputMin - scalar, or [d] with an axis. Used if `rangeGiven`; the gradient passes between the bounds in either case.
 * @param inputMax - likewise. With both left out, the gradient passes everywhere.
 * @param options - `signedInput` (true), `numBits` (8), `rangeGiven` (false: the range is measured, NaN skipped),
 *     `roundMode` ('HALF_TO_EVEN'), `narrowRange` (false), `axis` (-1: none).
 * @returns a tensor of the input's shape.
 * @throws if an option is out of its limits, or a bound is missing or of another shape.
 *
 * @example
 * ```js
 * import {quantizeAndDequantizeV4} from 'tfjs-quantization';
 *
 * const x = [-2, 0.7, 1.5];
 * quantizeAndDequantizeV4(x, undefined, undefined, {numBits: 3}).print(); // [-2, 0.5, 1.5]
 * quantizeAndDequantizeV4(x, -3, 3, {numBits: 3, rangeGiven: true}).print(); // [-2, 1, 2]
 * ```
 *
 * @function
 */
export const quantizeAndDequantizeV4 = /*#__PURE__*/ op({quantizeAndDequantizeV4_});

/**
 * The gradients of {@link quantizeAndDequantizeV4}: `gradients` where `input` lies between the bounds as given.
 * TensorFlow's QuantizeAndDequantizeV4Grad.
 *
 * @param gradients - the gradient of the output, of the input's shape.
 * @param input - what the op was given.
 * @param inputMin - scalar, or [d] with an axis.
 * @param inputMax - likewise.
 * @param options - `axis` (-1: none).
 * @returns the gradients with respect to input, inputMin and inputMax; the bounds' are 0, as in TensorFlow.
 * @throws as the op does, or if `gradients` are not of the input's shape.
 *
 * @example
 * ```js
 * import {quantizeAndDequantizeV4Grad} from 'tfjs-quantization';
 *
 * const [dx] = quantizeAndDequantizeV4Grad([1, 1, 1], [-2, 0.7, 1.5], -1, 1);
 * dx.print(); // [0, 1, 0]
 * ```
 *
 * @function
 */
export const quantizeAndDequantizeV4Grad = /*#__PURE__*/ op({quantizeAndDequantizeV4Grad_});

/**
 * Rounds `x` to a grid of `numBits` over [min, max], in the way that fits the range: numbers run
 * {@link fakeQuantWithMinMaxArgs}, scalar tensors {@link fakeQuantWithMinMaxVars}, and 1-D tensors
 * {@link fakeQuantWithMinMaxVarsPerChannel}.
 *
 * @param x - float32 tensor, or numbers.
 * @param min - the lower end of the range, or one for each slice of `axis`.
 * @param max - the upper end, likewise.
 * @param options - `numBits` (8), `narrowRange` (false), and with 1-D ranges `axis` (-1, the last).
 * @returns a tensor of x's shape.
 * @throws as the three ops do, or if there is an axis where there is one range.
 *
 * @example
 * ```js
 * import * as tf from '@tensorflow/tfjs';
 * import {fakeQuant} from 'tfjs-quantization';
 *
 * fakeQuant([-1, 0.3, 2], 0, 1.5, {numBits: 2}).print(); // [0, 0.5, 1.5]
 * tf.tensor([-1, 0.3, 2]).fakeQuant(0, 1.5, {numBits: 2}).print(); // [0, 0.5, 1.5]
 * const perRow = fakeQuant([[-1, 0.3], [0.3, 2]], [0, 0], [1.5, 3], {numBits: 2, axis: 0});
 * perRow.print(); // [[0, 0.5], [0, 2]]
 * ```
 *
 * @function
 */
export const fakeQuant = /*#__PURE__*/ op({fakeQuant_});
