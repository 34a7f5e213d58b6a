/** The ops, one row each: TensorFlow's kernel name, and how the passes of a device make up the kernel. */
import {tensor, type TensorInfo, util, zeros} from '@tensorflow/tfjs-core';
import {type Device, type GradientPart, type Range, type Scheme, type View, viewOf} from './device';
import {type Fit, fakeQuantLevels, learnedLevels, quantizeAndDequantizeLevels, type RoundingMode} from './grid';

export type KernelInputs = Readonly<Record<string, TensorInfo>>;

/**
 * What a gradient kernel can be asked for: the gradient of the inputs, or of a bound, or the terms of a bound's sum
 * (which second derivatives need). Each is computed only when asked for.
 */
export type Wrt = 'inputs' | 'min' | 'max' | 'minTerms' | 'maxTerms';

/** The same of a learned grid: the gradient of the inputs, of the scale, of the low end, or of the grid in one tensor. */
export type LearnedWrt = 'inputs' | 'scale' | 'offset' | 'grid';

/** The attributes of the FakeQuant kernels. `min` and `max` are Args', `axis` PerChannel's, `wrt` the gradients'. */
export interface FakeQuantAttrs {
  numBits: number;
  narrowRange: boolean;
  min?: number;
  max?: number;
  axis?: number;
  wrt?: readonly Wrt[];
}

/** The attributes of QuantizeAndDequantizeV4; its gradient has `axis` and `wrt`. */
export interface QuantizeAndDequantizeAttrs {
  signedInput: boolean;
  numBits: number;
  rangeGiven: boolean;
  roundMode: 'HALF_TO_EVEN' | 'HALF_UP';
  narrowRange: boolean;
  axis: number;
  wrt?: readonly Wrt[];
}

/** The attributes of the kernels with a learned scale. */
export interface LearnedAttrs<Of = LearnedWrt> {
  /** Counted from 0; left out for one scale per tensor. */
  axis?: number;
  numBits: number;
  narrowRange: boolean;
  symmetric: boolean;
  /** Of the gradient, which is always told: the one asked for. */
  wrt?: Of;
  /** The highest value of a ReLU that the inputs are to pass first. It has no part in gradients. */
  relu?: number;
}

export interface OpRow<Attrs, Needs = Device> {
  readonly kernelName: string;
  readonly kernel: (device: Needs, inputs: KernelInputs, attrs: Attrs) => TensorInfo | TensorInfo[];
}

const ALL: readonly Wrt[] = ['inputs', 'min', 'max'];

export function input(inputs: KernelInputs, name: string): TensorInfo {
  const tensor = inputs[name];
  if (tensor === undefined) throw new Error(`Kernel input '${name}' is missing.`);
  return tensor;
}

function rangeInputs(inputs: KernelInputs, min: string, max: string): Range {
  return {kind: 'tensors', min: input(inputs, min), max: input(inputs, max)};
}

export function isEmpty(x: TensorInfo): boolean {
  return util.sizeFromShape(x.shape) === 0;
}

const GRADIENT_PARTS: Readonly<Record<Wrt | Exclude<LearnedWrt, 'grid'>, GradientPart>> = {
  inputs: {side: 'inside', summed: false},
  min: {side: 'below', summed: true},
  max: {side: 'above', summed: true},
  minTerms: {side: 'below', summed: false},
  maxTerms: {side: 'above', summed: false},
  scale: {side: 'scale', summed: true},
  offset: {side: 'outside', summed: true},
};

/** The outputs of a gradient kernel that `wrt` names. */
export function gradient(
  device: Device,
  dy: TensorInfo,
  x: TensorInfo,
  range: Range,
  view: View,
  scheme: Scheme,
  wrt: readonly (keyof typeof GRADIENT_PARTS)[],
) {
  const outputs = wrt.map(output => GRADIENT_PARTS[output]);
  if (isEmpty(x)) return outputs.map(({summed}) => zeros(summed ? [...view.rangeShape] : x.shape));
  return device.straightThrough(dy, x, range, view, scheme, outputs);
}

/** A FakeQuant op and its gradient. They differ in where the range comes from and in how a distance becomes a level. */
function fakeQuant(
  name: string,
  rounding: RoundingMode,
  place: (x: TensorInfo, inputs: KernelInputs, attrs: FakeQuantAttrs) => {range: Range; view: View},
  outputs: readonly Wrt[] = ALL,
): OpRow<FakeQuantAttrs>[] {
  const scheme = ({numBits, narrowRange}: FakeQuantAttrs): Scheme => ({
    fit: 'nudge',
    rounding,
    levels: fakeQuantLevels(numBits, narrowRange),
    clamped: true,
  });
  return [
    {
      kernelName: name,
      kernel(device, inputs, attrs) {
        const x = input(inputs, 'inputs');
        const {range, view} = place(x, inputs, attrs);
        return isEmpty(x) ? zeros(x.shape) : device.roundToGrid(x, range, view, scheme(attrs));
      },
    },
    {
      kernelName: `${name}Gradient`,
      kernel(device, inputs, attrs) {
        const x = input(inputs, 'inputs');
        const {range, view} = place(x, inputs, attrs);
        return gradient(device, input(inputs, 'gradients'), x, range, view, scheme(attrs), attrs.wrt ?? outputs);
      },
    },
  ];
}

export const FAKE_QUANT_OPS: readonly OpRow<FakeQuantAttrs>[] = [
  ...fakeQuant(
    'FakeQuantWithMinMaxArgs',
    'multiply',
    (x, _, {min = -6, max = 6}) => ({range: {kind: 'numbers', min, max}, view: viewOf(x.shape)}),
    ['inputs'],
  ),
  ...fakeQuant('FakeQuantWithMinMaxVars', 'divide', (x, inputs) => ({
    range: rangeInputs(inputs, 'min', 'max'),
    view: viewOf(x.shape),
  })),
  ...fakeQuant('FakeQuantWithMinMaxVarsPerChannel', 'multiply', (x, inputs, {axis = -1}) => ({
    range: rangeInputs(inputs, 'min', 'max'),
    view: viewOf(x.shape, axis < 0 ? axis + x.shape.length : axis),
  })),
];

export const QUANTIZE_AND_DEQUANTIZE_OPS: readonly OpRow<QuantizeAndDequantizeAttrs>[] = [
  {
    kernelName: 'QuantizeAndDequantizeV4',
    kernel(device, inputs, {signedInput, numBits, rangeGiven, roundMode, narrowRange, axis}) {
      const x = input(inputs, 'input');
      if (isEmpty(x)) return zeros(x.shape);
      const view = viewOf(x.shape, axis < 0 ? undefined : axis);
      const scheme: Scheme = {
        fit: 'adjust',
        rounding: roundMode === 'HALF_UP' ? 'up' : 'even',
        levels: quantizeAndDequantizeLevels(numBits, signedInput, narrowRange),
        clamped: rangeGiven,
      };
      if (rangeGiven) return device.roundToGrid(x, rangeInputs(inputs, 'inputMin', 'inputMax'), view, scheme);
      const rows = device.measure(x, view);
      const y = device.roundToGrid(x, {kind: 'rows', rows}, view, scheme);
      device.dispose(rows);
      return y;
    },
  },
  {
    kernelName: 'QuantizeAndDequantizeV4Grad',
    kernel(device, inputs, {axis, wrt = ALL}) {
      const x = input(inputs, 'input');
      const range = rangeInputs(inputs, 'inputMin', 'inputMax');
      const {shape} = input(inputs, 'inputMin');
      const view = viewOf(x.shape, axis < 0 || shape.length === 0 ? undefined : axis);
      // The bounds have no gradient in TensorFlow, and the mask is on the range as it was given.
      const scheme: Scheme = {fit: 'raw', rounding: 'even', levels: {qmin: 0, qmax: 1}, clamped: true};
      return wrt.flatMap(output =>
        output === 'inputs'
          ? gradient(device, input(inputs, 'gradients'), x, range, view, scheme, ['inputs'])
          : zeros(shape),
      );
    },
  },
];

export const STATISTICS_OPS: readonly OpRow<{axis?: number}>[] = [
  {
    kernelName: 'MinMax',
    kernel(device, inputs, {axis}) {
      const x = input(inputs, 'x');
      const view = viewOf(x.shape, axis);
      if (!isEmpty(x)) return device.measure(x, view);
      const nothing = [Infinity, -Infinity].flatMap(bound => new Array<number>(view.channels).fill(bound));
      return tensor(nothing, [2, ...view.rangeShape]);
    },
  },
];

/** An op whose grid is learned, and its gradient, which is `gradientOf` what both are placed on. */
export function learned<Needs extends Device, Of extends LearnedWrt>(
  name: string,
  fit: Fit,
  rangeOf: (inputs: KernelInputs) => Range,
  gradientOf: (device: Needs, dy: TensorInfo, placed: Placed, wrt: Of) => TensorInfo,
): OpRow<LearnedAttrs<Of>, Needs>[] {
  const place = (inputs: KernelInputs, {axis, numBits, narrowRange, symmetric, relu}: LearnedAttrs<Of>): Placed => {
    const x = input(inputs, 'inputs');
    const levels = learnedLevels(numBits, narrowRange, symmetric);
    const scheme: Scheme = {fit, rounding: 'even', levels, clamped: true, ...(relu !== undefined && {relu})};
    return [x, rangeOf(inputs), viewOf(x.shape, axis), scheme];
  };
  return [
    {
      kernelName: name,
      kernel(device, inputs, attrs) {
        const [x, ...grid] = place(inputs, attrs);
        return isEmpty(x) ? zeros(x.shape) : device.roundToGrid(x, ...grid);
      },
    },
    {
      kernelName: `${name}Gradient`,
      kernel: (device, inputs, attrs) =>
        gradientOf(device, input(inputs, 'gradients'), place(inputs, attrs), attrs.wrt!),
    },
  ];
}

/** x, and what says on which grid it is to be rounded. */
type Placed = readonly [x: TensorInfo, range: Range, view: View, scheme: Scheme];

export function learnedGradient(
  device: Device,
  dy: TensorInfo,
  placed: Placed,
  wrt: Exclude<LearnedWrt, 'grid'>,
): TensorInfo {
  return gradient(device, dy, ...placed, [wrt])[0]!;
}

export const LEARNED_OPS: readonly OpRow<LearnedAttrs<'inputs' | 'scale' | 'offset'>>[] = [
  // Where only the scale is learned, it stands for the low end too, unread.
  ...learned('FakeQuantWithLearnedScale', 'scaled', inputs => rangeInputs(inputs, 'scale', 'scale'), learnedGradient),
  ...learned(
    'FakeQuantWithLearnedRange',
    'anchored',
    inputs => rangeInputs(inputs, 'scale', 'offset'),
    learnedGradient,
  ),
];
