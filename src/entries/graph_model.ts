/**
 * Graph models: TensorFlow's quantization ops in models that `tensorflowjs_converter` wrote. Without this entry
 * FakeQuantWithMinMaxVars passes its input on and the others are unknown ops.
 *
 * @packageDocumentation
 */
import './index';

export {mendGraph, registerGraphOps} from '../graph_model/mend_graph';
