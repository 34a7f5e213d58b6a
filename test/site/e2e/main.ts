/** All that a visitor does. Firefox takes the main way only. */
import {isChromium} from './setup';
import {stopRuntimes} from '../../tflite/runtimes';
import {teachableMachine} from './teachable_machine';

jasmine.DEFAULT_TIMEOUT_INTERVAL = 300_000;

describe(`The site`, () => {
  afterAll(stopRuntimes);
  teachableMachine();
  if (!isChromium) return;
});
