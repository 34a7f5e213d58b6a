/** registerGradient for the ops that only training needs. */
import {getGradient, type NamedAttrMap, registerGradient, type Tensor, zerosLike} from '@tensorflow/tfjs-core';
import {runKernel} from '../../kernels/register';
import {registerLearned} from './gradients';

/** Ranges that are measured are not trained: dx is the mask of the range that the forward pass used. */
function registerRangeGradients(): void {
  const pass = (dy: Tensor, x: Tensor, range: Tensor, attrs: NamedAttrMap) =>
    runKernel<Tensor>('FakeQuantWithRangeGradient', {gradients: dy, inputs: x, range}, attrs);
  registerGradient({
    kernelName: 'FakeQuantWithRange',
    inputsToSave: ['inputs', 'range'],
    gradFunc: (dy, [x, range], attrs) => ({
      inputs: () => pass(dy as Tensor, x!, range!, attrs),
      range: () => zerosLike(range!),
    }),
  });
  registerGradient({
    kernelName: 'FakeQuantWithMovingRange',
    inputsToSave: ['inputs'],
    outputsToSave: [false, true],
    gradFunc: (dys, [x, range], attrs) => ({
      inputs: () => pass((dys as Tensor[])[0]!, x!, range!, attrs),
      range: () => zerosLike(range!),
    }),
  });
  registerGradient({
    kernelName: 'FakeQuantWithRangeGradient',
    inputsToSave: ['inputs', 'range'],
    gradFunc: (dy, [x, range], attrs) => ({
      gradients: () => pass(dy as Tensor, x!, range!, attrs),
      inputs: () => zerosLike(x!),
      range: () => zerosLike(range!),
    }),
  });
}

/** A learned range's, where its logarithms become a grid. The last good grid has none. */
function registerLearning(): void {
  registerGradient({
    kernelName: 'LearnGrid',
    outputsToSave: [true],
    gradFunc: (dy, [grid], attrs) => ({
      trained: () => runKernel<Tensor>('LearnGridGradient', {gradients: dy as Tensor, grid: grid!}, attrs),
      last: () => zerosLike(grid!),
    }),
  });
}

/** Registers them, unless a copy of this package has done so before. */
export function registerTrainingGradients(): void {
  if (!getGradient('FakeQuantWithRange')) registerRangeGradients();
  registerLearned('FakeQuantWithLearnedGrid', ['inputs', 'grid']);
  if (!getGradient('LearnGrid')) registerLearning();
}
