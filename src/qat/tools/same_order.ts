/** Whether two models take and give the same things in the same order. */
import type {LayersModel} from '@tensorflow/tfjs-layers';

/** What is wrong where inputs or outputs of one model are those of the other by name, but in another order. */
export function orderProblems(q: LayersModel, model: LayersModel): string[] {
  return (['input', 'output'] as const).flatMap(what => {
    const [own, others] = [q[`${what}Names`], model[`${what}Names`]];
    const isSame = own.every((name, i) => name === others[i]);
    if (isSame || [...own].sort().join() !== [...others].sort().join()) return [];
    return [
      `the ${what}s of model ${model.name} are in the order ${others.join(', ')}, but those of the quantized model in the ` +
        `order ${own.join(', ')}. Give the float model that quantizeModel was given, or one in that order.`,
    ];
  });
}
