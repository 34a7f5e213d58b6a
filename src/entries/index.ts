/**
 * TensorFlow's fake quantization for TensorFlow.js. Importing this registers the kernels and gradients of every op for
 * every backend, and the chained methods.
 *
 * @packageDocumentation
 */
import {registerKernels} from '../../kernels/register';
// Once more for its types: a bundle of declarations leaves out what only values are taken from.
import '../ops/chained';
import {addChainedMethods} from '../ops/chained';
import {registerGradients} from '../ops/gradients';

registerKernels();
registerGradients();
addChainedMethods();

export * from '../ops/ops';
export {fakeQuantWithLearnedScale, type LearnedScaleOptions} from '../ops/learned';
export {minMax} from '../ops/range';
