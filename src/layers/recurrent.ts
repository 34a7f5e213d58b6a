/** What cells of recurrent layers are to a runtime. */
import type {Layer} from './graph';
import {attributesOf} from './tfjs_internals';

/** Whether a cell is an LSTM as runtimes have it whole: its gates are sigmoids, its activation is tanh. */
export function isWholeLSTM(cell: Layer): boolean {
  const {activation, recurrentActivation} = attributesOf(cell);
  return (
    cell.getClassName() === 'LSTMCell' &&
    activation?.getClassName() === 'tanh' &&
    recurrentActivation?.getClassName() === 'sigmoid'
  );
}
