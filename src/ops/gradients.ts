/** registerGradient for every forward op, and for the gradient kernels, which are linear in dy. */
import {
  add,
  broadcastTo,
  getGradient,
  type NamedTensorMap,
  registerGradient,
  reshape,
  type Tensor,
  zerosLike,
} from '@tensorflow/tfjs-core';
import type {LearnedWrt, Wrt} from '../../kernels/op_table';
import {runKernel} from '../../kernels/register';

type NamedGradientMap = Record<string, () => Tensor>;

/** A forward kernel and its gradient's, with TensorFlow's names for x and, where they are tensors, its bounds. */
interface Differentiable {
  readonly kernelName: string;
  readonly gradientName: string;
  readonly names: readonly string[];
  /** Whether the bounds get a gradient that is not always 0. */
  readonly trainsRange: boolean;
}

const OPS: readonly Differentiable[] = [
  {
    kernelName: 'FakeQuantWithMinMaxArgs',
    gradientName: 'FakeQuantWithMinMaxArgsGradient',
    names: ['inputs'],
    trainsRange: false,
  },
  {
    kernelName: 'FakeQuantWithMinMaxVars',
    gradientName: 'FakeQuantWithMinMaxVarsGradient',
    names: ['inputs', 'min', 'max'],
    trainsRange: true,
  },
  {
    kernelName: 'FakeQuantWithMinMaxVarsPerChannel',
    gradientName: 'FakeQuantWithMinMaxVarsPerChannelGradient',
    names: ['inputs', 'min', 'max'],
    trainsRange: true,
  },
  {
    kernelName: 'QuantizeAndDequantizeV4',
    gradientName: 'QuantizeAndDequantizeV4Grad',
    names: ['input', 'inputMin', 'inputMax'],
    trainsRange: false,
  },
];

const OUTPUTS: readonly Wrt[] = ['inputs', 'min', 'max'];

/** Before they are summed, the terms of a bound's gradient are what they are to x's: a mask times dy. */
const TERMS: Readonly<Record<Wrt, Wrt>> = {
  inputs: 'inputs',
  min: 'minTerms',
  max: 'maxTerms',
  minTerms: 'minTerms',
  maxTerms: 'maxTerms',
};

/** One kernel call per thunk: tfjs runs each in a tidy of its own, and only those whose result is needed. */
function thunks(names: readonly string[], compute: (index: number) => Tensor): NamedGradientMap {
  return Object.fromEntries(names.map((name, index) => [name, () => compute(index)]));
}

function named(names: readonly string[], tensors: readonly Tensor[]): NamedTensorMap {
  return Object.fromEntries(names.map((name, index) => [name, tensors[index]!]));
}

/** The gradient of a bound, or anything else of x's rank or less, spread over the elements it was summed from. */
function spread(dy: Tensor, x: Tensor, axis: number): Tensor {
  if (dy.rank === x.rank && dy.size === x.size) return dy;
  const aligned =
    dy.rank === 1
      ? reshape(
          dy,
          x.shape.map((dim, i) => (i === axis ? dim : 1)),
        )
      : dy;
  return broadcastTo(aligned, x.shape);
}

function registerForward({kernelName, gradientName, names}: Differentiable): void {
  registerGradient({
    kernelName,
    inputsToSave: [...names],
    gradFunc: (dy, saved, attrs) =>
      thunks(names, index => {
        const inputs = {gradients: dy as Tensor, ...named(names, saved)};
        return runKernel<Tensor[]>(gradientName, inputs, {...attrs, wrt: [OUTPUTS[index]]})[0]!;
      }),
  });
}

/** Second order. The gradient is linear in dy, and constant in x and the bounds wherever it is differentiable. */
function registerSecondOrder({gradientName, names, trainsRange}: Differentiable): void {
  registerGradient({
    kernelName: gradientName,
    inputsToSave: [...names],
    gradFunc: (dys, saved, attrs) => {
      const x = saved[0]!;
      const asked = (attrs['wrt'] ?? (names.length > 1 ? OUTPUTS : ['inputs'])) as readonly Wrt[];
      const axis = (attrs['axis'] as number | undefined) ?? -1;
      const term = (dy: Tensor, output: Wrt) => {
        const inputs = {gradients: spread(dy, x, axis < 0 ? axis + x.rank : axis), ...named(names, saved)};
        return runKernel<Tensor[]>(gradientName, inputs, {...attrs, wrt: [TERMS[output]]})[0]!;
      };
      const terms = () =>
        (Array.isArray(dys) ? dys : [dys])
          .map((dy, index) => ({dy, output: asked[index]!}))
          .filter(({output}) => output === 'inputs' || trainsRange)
          .map(({dy, output}) => term(dy, output));
      return {
        gradients: () => terms().reduce((sum, each) => add(sum, each), zerosLike(x)),
        ...thunks(names, index => zerosLike(saved[index]!)),
      };
    },
  });
}

/** What has a gradient of the ops whose grid is learned. */
const LEARNED: readonly (readonly [kernelName: string, names: readonly LearnedWrt[]])[] = [
  ['FakeQuantWithLearnedScale', ['inputs', 'scale']],
  ['FakeQuantWithLearnedRange', ['inputs', 'scale', 'offset']],
];

/** A learned grid's: each of its thunks is one kernel. */
export function registerLearned(kernelName: string, names: readonly LearnedWrt[]): void {
  if (getGradient(kernelName)) return;
  registerGradient({
    kernelName,
    inputsToSave: [...names],
    gradFunc: (dy, saved, attrs) =>
      thunks(names, index => {
        const inputs = {gradients: dy as Tensor, ...named(names, saved)};
        return runKernel<Tensor>(`${kernelName}Gradient`, inputs, {...attrs, wrt: names[index]});
      }),
  });
}

/** Registers the gradients of the ops, unless a copy of this package has done so before. */
export function registerGradients(): void {
  for (const differentiable of OPS) {
    if (!getGradient(differentiable.kernelName)) registerForward(differentiable);
    if (!getGradient(differentiable.gradientName)) registerSecondOrder(differentiable);
  }
  for (const [kernelName, names] of LEARNED) registerLearned(kernelName, names);
}
