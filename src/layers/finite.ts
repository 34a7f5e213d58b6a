/** NaN and Infinity among weights, which no integer can tell: looked for before anything is made of them. */
import type {Layer} from './graph';
import {unwrapped} from './layer_wrapper';

/** What is wrong with the numbers of layers, weight by weight: kernels, biases, statistics. */
export async function nonFiniteProblems(layers: readonly Layer[]): Promise<string[]> {
  const problems: string[] = [];
  for (const layer of layers) {
    const inner = unwrapped(layer);
    for (const variable of inner.weights) {
      const values = await variable.read().data();
      if (values.every(Number.isFinite)) continue;
      const {originalName} = variable;
      const name = originalName.startsWith(`${inner.name}/`) ? originalName.slice(inner.name.length + 1) : originalName;
      problems.push(
        `layer ${layer.name}: its ${name} holds NaN or Infinity. Go back to weights from before training diverged.`,
      );
    }
  }
  return problems;
}
