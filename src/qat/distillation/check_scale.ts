/** Whether samples are of the scale of those that a model was calibrated with. */
import {abs, cast, greater, less, logicalOr, max, mean, reshape, stack, type Tensor, tidy} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {asContainer, flatten} from '../../layers/graph';
import {QuantizedInput} from '../quantized_layers/quantized_input';

/** By what share of a range values may be outside of it, and how small all may be beside it. */
const MARGIN = 0.1;
/** What share of the values may be outside. */
const OUTSIDE = 0.1;

/** What is wrong with the scale of some samples, by the ranges that the model's inputs have already. */
export async function scaleProblems(q: LayersModel, inputs: readonly Tensor[]): Promise<string[]> {
  const flat = flatten(asContainer(q));
  const problems: string[] = [];
  for (const [i, input] of flat.inputs.entries()) {
    const rounding = flat.consumers(input).find(({layer}) => layer instanceof QuantizedInput)?.layer;
    const quantizer = rounding instanceof QuantizedInput ? rounding.outputQuantizer : undefined;
    const {values} = (await quantizer?.snapshot()) ?? {};
    if (!values) continue;
    const [low, high] = [values.min[0]!, values.max[0]!];
    const {outside, largest} = await scaleOf(inputs[i]!, low, high);
    const isOutside = outside > OUTSIDE;
    if (!isOutside && !(largest < MARGIN * Math.max(-low, high))) continue;
    const found = isOutside
      ? `${(100 * outside).toPrecision(3)} % of the values are outside of it, the largest is ${largest.toPrecision(3)}`
      : `no value is larger than ${largest.toPrecision(3)}`;
    problems.push(
      `the samples of input ${q.inputNames[i]} do not fit the range that it was calibrated to, ${low.toPrecision(3)} … ` +
        `${high.toPrecision(3)}: ${found}. Scale them as those, or calibrate the model with these first.`,
    );
  }
  return problems;
}

async function scaleOf(x: Tensor, low: number, high: number): Promise<{outside: number; largest: number}> {
  const margin = MARGIN * (high - low);
  const told = tidy(() => {
    const values = cast(reshape(x, [-1]), 'float32');
    const isOutside = logicalOr(less(values, low - margin), greater(values, high + margin));
    return stack([mean(cast(isOutside, 'float32')), max(abs(values))]);
  });
  const [outside, largest] = await told.data();
  told.dispose();
  return {outside: outside!, largest: largest!};
}
