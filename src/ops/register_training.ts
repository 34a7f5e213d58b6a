/** Registers the kernels and gradients that training needs beside those of the ops. */
import {registerTrainingKernels} from '../../kernels/register_training';
import './register';
import {registerTrainingGradients} from './training_gradients';

registerTrainingKernels();
registerTrainingGradients();
