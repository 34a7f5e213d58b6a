/** Training without labels: the float model teaches its quantized copy. */
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {checkOptions} from '../../check/options';
import {throwProblems} from '../../check/rules';
import {checkModel} from '../../layers/model';
import {quantizingLayers} from '../quantized_layers/quantizing';
import {withModelLock} from '../tools/model_lock';
import {checkSamples, sampleRule, type Samples} from '../tools/samples';
import {modelProblems} from './check_models';
import {Distillation} from './distillation';
import {KEPT} from './lessons';
import {lossProblems} from './loss_option';
import {DISTIL, type DistilOptions, type DistilResult, type SampleFunction} from './options';

/**
 * Trains a quantized model to say what the float model says, which needs no labels. What comes before is done too: the
 * statistics of BatchNormalization are measured anew (the float model's for as long as it teaches), and activations are
 * calibrated by 'mse', both by up to 512 of the samples. Then all that is trainable learns, ranges too, by Adam; noise such as Dropout is off, regularizers are
 * left out, and what the model is compiled with is neither used nor touched. At the end statistics are measured once more.
 *
 * Classes are compared by their divergence (Kullback and Leibler), probabilities of their own each by itself, other numbers by
 * the squared error relative to their variance; several outputs weigh alike. Distillation: Hinton et al. 2015, at a
 * temperature of 1.
 *
 * What the float model says is kept on the device, up to 256 MB of it; where all of it were more, or samples are more than the
 * steps take, it is asked in each step.
 *
 * Unless a learning rate is given, it is 3e-3, and 6e-3 where there are 3 bits or fewer. Networks without a BatchNormalization that
 * is measured anew, as where it is folded, may need steps relative to the root mean square of the weights of each output channel:
 * there both are tried first, each for a tenth of the steps. If the loss of relative ones is lower by a quarter, they train from the
 * start, at 1e-3 (6e-3). Of fewer than 40 steps none is tried, and steps are relative there.
 *
 * @param q - a model of `quantizeModel`.
 * @param teacher - the float model, which stays as it is.
 * @param samples - what the model is for, without labels: some hundreds of samples, as tensors or batches of any kind (1024
 * are kept of batches), or a function that makes a batch for each step. It is called for some of the first steps before
 * them, to calibrate with and to try rates, and its tensors are disposed of after use. Targets that go along are left alone.
 * @param options - steps, batch size, learning rate, loss, seed, progress and signal.
 * @returns the loss before and after, which rate served, and how many steps were undone as they made NaN.
 * @throws if the models do not fit each other or the samples, if the samples are of another scale than the model was
 * calibrated with, if nothing is trainable, or if one of them is at work in another call: the model is then as it was. If
 * the signal stops it, if steps go on making NaN, or if a function that was given throws, while it trains: the model is then
 * in its best state so far.
 *
 * @example
 * ```js
 * import {distil, quantizeModel} from 'tfjs-quantization/qat';
 *
 * const q = quantizeModel(model, {weights: {numBits: 4}});
 * const onProgress = ({step, steps, loss}) => console.log(`${step} of ${steps}: ${loss}`);
 * const {loss} = await distil(q, model, images, {steps: 60, onProgress});
 * console.log(`divergence: ${loss.before} before, ${loss.after} after`);
 * ```
 */
export async function distil(
  q: LayersModel,
  teacher: LayersModel,
  samples: Samples | SampleFunction,
  options: DistilOptions = {},
): Promise<DistilResult> {
  checkOptions('distil', options, DISTIL);
  quantizingLayers('distil', q);
  checkModel('distil: teacher', teacher);
  const madeAnew = typeof samples === 'function';
  throwProblems('distil', [
    ...modelProblems(q, teacher),
    ...lossProblems(q, options.loss),
    ...(madeAnew ? [] : sampleRule(samples, 'samples')),
  ]);
  if (!madeAnew) checkSamples('distil', q, samples, KEPT);
  options.signal?.throwIfAborted();
  return withModelLock('distil', q, () =>
    withModelLock('distil', teacher, async () => {
      const distillation = await Distillation.of(q, teacher, samples, options);
      try {
        return await distillation.run();
      } finally {
        distillation.dispose();
      }
    }),
  );
}
