/** Starts the backend, then defines the specs, then lets jasmine run them. */
import * as tf from '@tensorflow/tfjs-core';
import {failOnGpuErrors, onWebGPU, setup, startBackend} from './environment';

interface Karma {
  loaded: () => void;
}

/** Waits for what specs are defined from: karma would start as soon as the script is loaded. */
export async function start(specFiles: readonly (() => Promise<unknown>)[]): Promise<void> {
  const karma = (globalThis as {__karma__?: Karma}).__karma__;
  const run = karma?.loaded.bind(karma);
  if (karma) karma.loaded = () => undefined;
  // A spec that takes so long has hung: on two idle cores the longest takes some twenty seconds.
  jasmine.DEFAULT_TIMEOUT_INTERVAL = 300_000;
  try {
    await startBackend();
    failOnLeaks();
    if (onWebGPU) failOnGpuErrors();
    for (const define of specFiles) await define();
  } catch (error) {
    describe('tests', () => {
      it(`start on ${setup.backend}`, () => {
        throw error;
      });
    });
  }
  run?.();
}

/** Fails any spec that leaves tensors behind. */
function failOnLeaks(): void {
  let before = 0;
  beforeEach(() => {
    before = tf.memory().numTensors;
  });
  afterEach(() => {
    expect(tf.memory().numTensors).withContext('tensors alive after the spec').toBe(before);
  });
}
