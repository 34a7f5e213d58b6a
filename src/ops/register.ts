/** Registers the kernels and gradients of the ops for every backend, and adds the chained methods. */
import {registerKernels} from '../../kernels/register';
import {addChainedMethods} from './chained';
import {registerGradients} from './gradients';

registerKernels();
registerGradients();
addChainedMethods();
