/** A process of Node that trains: on the cpu backend, hastened. */
import * as tf from '@tensorflow/tfjs';
import {hastenCpu} from '../lab/fast_cpu';
import type {Plan} from './plan';
import {runSeed} from './procedure';

/** What it tells the command: a listener's method by its name with what it is given, or how a seed ended. */
export type Told =
  readonly ['onSteps' | 'onFloat' | 'onResult', ...unknown[]] | readonly ['done'] | readonly ['failed', string];

const tell = (...told: Told) => process.send!(told);

async function run(plan: Plan): Promise<void> {
  await tf.setBackend('cpu');
  await runSeed(plan, {
    onSteps: count => tell('onSteps', count),
    onFloat: (weights, orders) => tell('onFloat', weights, orders),
    onResult: result => tell('onResult', result),
  });
}

hastenCpu();
process.on('message', (plan: Plan) => {
  run(plan).then(
    () => tell('done'),
    (error: unknown) => tell('failed', error instanceof Error ? (error.stack ?? error.message) : String(error)),
  );
});
