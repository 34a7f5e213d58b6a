/** Whether a teacher is one for a quantized model, and that a student that learns. */
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {allLayers, asContainer} from '../../layers/graph';
import {isQuantizing} from '../quantized_layers/quantizing';
import {pairProblems} from '../tools/model_pair';
import {trainedIn} from './student';

/** What is wrong with two models that are to be the student and the teacher. */
export function modelProblems(q: LayersModel, teacher: LayersModel): string[] {
  return [
    ...pairProblems(q, teacher, 'the teacher'),
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
