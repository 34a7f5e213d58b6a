/** Whether a teacher is one for a quantized model. */
import type {LayersModel, SymbolicTensor} from '@tensorflow/tfjs-layers';
import {allLayers, asContainer, isInput} from '../../layers/graph';
import {unwrapped} from '../../layers/layer_wrapper';
import {isQuantizing} from '../quantized_layers/quantizing';
import {orderProblems} from '../tools/same_order';
import {trainedIn} from './student';

/** What is wrong with two models that are to be the student and the teacher. */
export function modelProblems(q: LayersModel, teacher: LayersModel): string[] {
  if (q === teacher || sharesLayers(q, teacher)) {
    return [
      `the teacher ${teacher.name} has layers of the quantized model ${q.name}, which would learn from itself. ` +
        'Give it the float model that quantizeModel was given.',
    ];
  }
  return [
    ...(allLayers(asContainer(teacher)).some(isQuantizing)
      ? [`the teacher ${teacher.name} is quantized itself. Give it the float model, or dequantizeModel(teacher).`]
      : []),
    ...shapeProblems('inputs', q, teacher),
    ...shapeProblems('outputs', q, teacher),
    ...orderProblems(q, teacher),
    ...(isFloat(q)
      ? [`nothing in the model ${q.name} is rounded, as it is switched off. Call setFakeQuant(q, true) first.`]
      : []),
    ...(trainedIn(q).length === 0
      ? [`nothing in the model ${q.name} is trainable. Set trainable of its layers, or of some, to true.`]
      : []),
  ];
}

function isFloat(q: LayersModel): boolean {
  const roundings = allLayers(asContainer(q)).flatMap(layer => (isQuantizing(layer) ? layer.roundings : []));
  return !roundings.some(({quantizer}) => quantizer.quantizing);
}

function sharesLayers(q: LayersModel, teacher: LayersModel): boolean {
  const leaves = (model: LayersModel) => allLayers(asContainer(model)).filter(layer => !isInput(layer));
  const own = new Set(leaves(q).flatMap(layer => [layer, unwrapped(layer)]));
  return leaves(teacher).some(layer => own.has(layer) || own.has(unwrapped(layer)));
}

function shapeProblems(what: 'inputs' | 'outputs', q: LayersModel, teacher: LayersModel): string[] {
  const [own, others] = [q[what], teacher[what]];
  const fits = own.length === others.length && own.every((each, i) => isLike(each.shape, others[i]!.shape));
  if (fits) return [];
  return [
    `the ${what} of the teacher ${teacher.name} are ${shapesOf(others)}, but those of the model ${q.name} ${shapesOf(own)}. ` +
      'Give it the float model that quantizeModel was given.',
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
