/** Layers that are told by a mask which steps of a sequence to leave out: no file has masks. */
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {asContainer, flatten, type Layer, withInner} from '../layers/graph';
import {kindOf, makesMask} from '../layers/kinds';
import {unwrapped} from '../layers/layer_wrapper';
import {attributesOf} from '../layers/tfjs_internals';

/** What computes otherwise where a mask is given to it: which tfjs does with all that it calls once there is one. */
const leavesOut = (layer: Layer) => withInner(layer).some(each => each.getClassName() === 'Softmax');

/** Recurrent layers whose steps are masked, and what else leaves out what is, each with the layer that does it. */
export function maskProblems(model: LayersModel): string[] {
  /** The layer that masks a tensor. */
  const masks = new Map<number, string>();
  const problems: string[] = [];
  let last: string | undefined;
  for (const {layer, inputs, outputs} of flatten(asContainer(model)).ops) {
    const inner = unwrapped(layer);
    const isRecurrent = kindOf(inner, {}) === 'recurrent';
    if (last !== undefined && leavesOut(inner)) {
      problems.push(
        `layer ${layer.name}: it leaves out what layer ${last} masks, and a file has no masks. Use an Activation of softmax, ` +
          'or build the model without the mask.',
      );
    }
    const [given] = inputs.slice(0, isRecurrent ? 1 : undefined).flatMap(tensor => masks.get(tensor) ?? []);
    const by = makesMask(inner) ? layer.name : inner.supportsMasking ? given : undefined;
    if (by === undefined) continue;
    last = by;
    if (isRecurrent) {
      problems.push(
        `layer ${layer.name}: its steps are masked by layer ${by}, and a file computes all steps. Build the model without ` +
          'the mask (maskZero: false, no Masking), for sequences of one length.',
      );
    }
    if (!isRecurrent || attributesOf(inner).returnSequences) masks.set(outputs[0]!, by);
  }
  return problems;
}
