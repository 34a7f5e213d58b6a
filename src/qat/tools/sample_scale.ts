/** Whether samples are of the scale of those that a model was calibrated with. */
import {
  abs,
  cast,
  clipByValue,
  max,
  mean,
  notEqual,
  reshape,
  stack,
  sub,
  type Tensor,
  tidy,
} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {asContainer, flatten} from '../../layers/graph';
import {QuantizedInput} from '../quantized_layers/quantized_input';

/** How small all values may be beside a range. */
const SMALL = 0.1;
/**
 * How much of the values' size may be cut off. The range of least squared error cuts off as much as an eighth of it, at 2 bits,
 * and training more. Of pixels in [-1, 1] a range that is for [0, 1] cuts off half.
 */
const CUT_OFF = 1 / 3;

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
    const {cutOff, outside, largest} = await scaleOf(inputs[i]!, low, high);
    const isOutside = cutOff > CUT_OFF;
    if (!isOutside && !(largest < SMALL * Math.max(-low, high))) continue;
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

async function scaleOf(x: Tensor, low: number, high: number) {
  const told = tidy(() => {
    const values = cast(reshape(x, [-1]), 'float32');
    const excess = sub(values, clipByValue(values, low, high));
    return stack([mean(abs(excess)), mean(abs(values)), mean(cast(notEqual(excess, 0), 'float32')), max(abs(values))]);
  });
  const [cut, size, outside, largest] = await told.data();
  told.dispose();
  return {cutOff: cut! / size!, outside: outside!, largest: largest!};
}
