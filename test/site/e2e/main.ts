/** All that a visitor does. Firefox takes the main way only. */
import {isChromium} from './setup';
import * as tf from '../../../src/entries/tf';
import {stopRuntimes as stopOnnx} from '../../onnx/runtimes';
import {stopRuntimes} from '../../tflite/runtimes';
import {graphModel} from './graph_model';
import {teachableMachine} from './teachable_machine';

jasmine.DEFAULT_TIMEOUT_INTERVAL = 300_000;

describe(`The site`, () => {
  beforeAll(() => tf.setBackend('cpu'));
  afterAll(() => {
    stopRuntimes();
    stopOnnx();
  });
  teachableMachine();
  if (!isChromium) return;
  graphModel();
});
