/** All that a visitor does. Firefox takes the main way. */
import * as tf from '../../../src/entries/tf';
import {stopRuntimes as stopOnnx} from '../../onnx/runtimes';
import {stopRuntimes} from '../../tflite/runtimes';
import {documents} from './documents';
import {graphModel} from './graph_model';
import {hosting} from './hosting';
import {keyboard} from './keyboard';
import {largeModel} from './large_model';
import {play} from './play';
import {isChromium} from './setup';
import {teachableMachine} from './teachable_machine';
import {trouble} from './trouble';

jasmine.DEFAULT_TIMEOUT_INTERVAL = 300_000;

describe('The site', () => {
  beforeAll(() => tf.setBackend('cpu'));
  afterAll(() => {
    stopRuntimes();
    stopOnnx();
  });
  teachableMachine();
  trouble();
  if (!isChromium) return;
  graphModel();
  largeModel();
  keyboard();
  hosting();
  documents();
  play();
});
