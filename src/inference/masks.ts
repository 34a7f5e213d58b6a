/** Layers that are told by a mask which steps of a sequence to leave out: no file has masks. */
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {asContainer, flatten} from '../layers/graph';
import {kindOf, makesMask} from '../layers/kinds';
import {unwrapped} from '../layers/layer_wrapper';
import {attributesOf} from '../layers/tfjs_internals';

/** Recurrent layers whose steps are masked, each with the layer that does it. */
export function maskProblems(model: LayersModel): string[] {
  /** The layer that masks a tensor. */
  const masks = new Map<number, string>();
  const problems: string[] = [];
  for (const {layer, inputs, outputs} of flatten(asContainer(model)).ops) {
    const inner = unwrapped(layer);
    const isRecurrent = kindOf(inner, {}) === 'recurrent';
    const [given] = inputs.slice(0, isRecurrent ? 1 : undefined).flatMap(tensor => masks.get(tensor) ?? []);
    const by = makesMask(inner) ? layer.name : inner.supportsMasking ? given : undefined;
    if (by === undefined) continue;
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
