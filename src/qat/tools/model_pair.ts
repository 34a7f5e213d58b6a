/** Whether a float model is the one that a quantized model was made of, or one like it. */
import type {LayersModel, SymbolicTensor} from '@tensorflow/tfjs-layers';
import {allLayers, asContainer, isInput} from '../../layers/graph';
import {unwrapped} from '../../layers/layer_wrapper';
import {isQuantizing} from '../quantized_layers/quantizing';

const REMEDY = 'Give it the float model that quantizeModel was given';

/** What is wrong with a float model beside a quantized one. `called` is what the caller takes it for. */
export function pairProblems(q: LayersModel, model: LayersModel, called: 'the teacher' | 'the float model'): string[] {
  const name = `${called} ${model.name}`;
  if (q === model || sharesLayers(q, model)) {
    return [`${name} is the quantized one itself, or has layers of it. ${REMEDY}.`];
  }
  return [
    ...(allLayers(asContainer(model)).some(isQuantizing)
      ? [`${name} is quantized itself. ${REMEDY}, or what dequantizeModel makes of it.`]
      : []),
    ...(['inputs', 'outputs'] as const).flatMap(what => shapeProblems(what, q, model, name)),
    ...(['input', 'output'] as const).flatMap(what => orderProblems(what, q, model, name)),
  ];
}

function sharesLayers(q: LayersModel, model: LayersModel): boolean {
  const leaves = (of: LayersModel) => allLayers(asContainer(of)).filter(layer => !isInput(layer));
  const own = new Set(leaves(q).flatMap(layer => [layer, unwrapped(layer)]));
  return leaves(model).some(layer => own.has(layer) || own.has(unwrapped(layer)));
}

function shapeProblems(what: 'inputs' | 'outputs', q: LayersModel, model: LayersModel, name: string): string[] {
  const [own, others] = [q[what], model[what]];
  const fits = own.length === others.length && own.every((each, i) => isLike(each.shape, others[i]!.shape));
  if (fits) return [];
  return [
    `the ${what} of the quantized model ${q.name} are ${shapesOf(own)}, but the ${what} of ${name} ${shapesOf(others)}. ` +
      `${REMEDY}.`,
  ];
}

type Dims = SymbolicTensor['shape'];

/** Whether shapes may be the same: null stands for any size. */
function isLike(shape: Dims, other: Dims): boolean {
  return (
    shape.length === other.length && shape.every((dim, i) => dim === null || other[i] === null || dim === other[i])
  );
}

function shapesOf(tensors: readonly SymbolicTensor[]): string {
  return tensors.map(({name, shape}) => `${name} [${shape.map(dim => dim ?? 'any')}]`).join(', ');
}

/** What is wrong where inputs or outputs of one model are those of the other by name, but in another order. */
function orderProblems(what: 'input' | 'output', q: LayersModel, model: LayersModel, name: string): string[] {
  const [own, others] = [q[`${what}Names`], model[`${what}Names`]];
  const isSame = own.every((each, i) => each === others[i]);
  if (isSame || [...own].sort().join() !== [...others].sort().join()) return [];
  return [
    `the ${what}s of ${name} are in the order ${others.join(', ')}, but those of the quantized model in the order ` +
      `${own.join(', ')}. ${REMEDY}, or one in that order.`,
  ];
}
