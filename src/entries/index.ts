/**
 * TensorFlow's fake quantization for TensorFlow.js. Importing this registers the kernels and gradients of every op for
 * every backend, and the chained methods.
 *
 * @packageDocumentation
 */
// For its types: a bundle of declarations leaves out what only values are taken from.
import '../ops/chained';
import '../ops/register';

export * from '../ops/ops';
export {fakeQuantWithLearnedScale, type LearnedScaleOptions} from '../ops/learned';
export {minMax} from '../ops/min_max';
