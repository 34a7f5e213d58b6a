/** Trains the network in float and for few bits, and compares what it then knows. */
import * as tf from 'tfjs-quantization/tf';
import {loadDigits} from '../../../lab/digits';
import {accuracyOf, type Examples, orderOf, pick, type Split} from '../../../lab/examples';
import {toTFLite} from 'tfjs-quantization/tflite';
import {distorted} from './distorted';
import {digitNet, numbersOf, quantized} from './network';
import {branchEpoch, type Plan, type Score} from './plan';

const BATCH = 64;
const LEARNING_RATE = {beforeBranch: 1e-2, afterBranch: 3e-3};
/** How many training images, from the first on, show a network what its ranges are. */
export const SAMPLES = 512;

const FILE = {description: 'Tells handwritten digits of 8x8 pixels apart', labels: '0 1 2 3 4 5 6 7 8 9'.split(' ')};

/**
 * How long a step of quantization-aware training takes on tfjs's current backend, in ms, once its programs are compiled:
 * the shortest of three, as other work on the machine makes steps longer only.
 */
export async function timeStep(): Promise<number> {
  const {train, test} = await loadDigits();
  const batch = pick(train, [...Array(BATCH).keys()]);
  const net = digitNet(0);
  const q = await quantized(net, 8, batch.images);
  const optimizer = tf.train.adam();
  const step = async () => {
    const started = performance.now();
    const loss = trainStep(q, optimizer, batch);
    await loss.data(); // until the device is done
    loss.dispose();
    return performance.now() - started;
  };
  await step();
  const milliseconds = Math.min(await step(), await step(), await step());
  for (const each of [net, q, optimizer]) each.dispose();
  tf.dispose([train, test, batch]);
  return milliseconds;
}

/** Runs the comparison on tfjs's current backend, giving each score as soon as it is known. */
export async function* compare(plan: Plan): AsyncGenerator<Score> {
  const digits = await loadDigits();
  const samples = digits.train.images.slice(0, SAMPLES);
  for (let seed = plan.seed; seed < plan.seed + plan.seeds; seed++) yield* compareOnce(plan, seed, digits, samples);
  tf.dispose([digits, samples]);
}

async function* compareOnce(plan: Plan, seed: number, digits: Split, samples: tf.Tensor): AsyncGenerator<Score> {
  const branch = branchEpoch(plan);
  const net = digitNet(1000 * seed);
  const {images, labels} = digits.train;
  const [count, side] = images.shape;
  const pixels = await images.data<'float32'>();

  function* train(model: tf.LayersModel, from: number, to: number): Generator<number> {
    const optimizer = tf.train.adam(from < branch ? LEARNING_RATE.beforeBranch : LEARNING_RATE.afterBranch);
    for (let epoch = from + 1; epoch <= to; epoch++) {
      const seen = tf.tensor4d(distorted(pixels, side, 1000 * seed + epoch), images.shape);
      trainEpoch(model, optimizer, {images: seen, labels}, orderOf(count, seed, epoch));
      seen.dispose();
      yield epoch;
    }
    optimizer.dispose();
  }
  async function* scoreQuantized(epoch: number): AsyncGenerator<Score> {
    for (const bits of plan.bits) {
      const q = await quantized(net, bits, samples, 'minMax');
      yield {method: 'PTQ', bits, seed, epoch, accuracy: await accuracyOf(q, digits.test)};
      q.dispose();
    }
  }

  for (const epoch of train(net, 0, branch)) {
    yield {method: 'float', bits: undefined, seed, epoch, accuracy: await accuracyOf(net, digits.test)};
  }
  yield* scoreQuantized(branch);
  const branched = new Map<number, tf.LayersModel>();
  for (const bits of plan.bits) branched.set(bits, await quantized(net, bits, samples));

  for (const epoch of train(net, branch, plan.epochs)) {
    const accuracy = await accuracyOf(net, digits.test);
    const end = epoch === plan.epochs && {numbers: await numbersOf(net)};
    yield {method: 'float', bits: undefined, seed, epoch, accuracy, ...end};
    yield* scoreQuantized(epoch);
  }

  for (const [bits, q] of branched) {
    for (const epoch of train(q, branch, plan.epochs)) {
      const accuracy = await accuracyOf(q, digits.test);
      const end = epoch === plan.epochs && {numbers: await numbersOf(q), file: await toTFLite(q, FILE)};
      yield {method: 'QAT', bits, seed, epoch, accuracy, ...end};
    }
    q.dispose();
  }
  net.dispose();
}

/** Trains on all full batches. */
function trainEpoch(
  model: tf.LayersModel,
  optimizer: tf.Optimizer,
  examples: Examples,
  order: readonly number[],
): void {
  for (let from = 0; from + BATCH <= order.length; from += BATCH) {
    const batch = pick(examples, order.slice(from, from + BATCH));
    tf.dispose([trainStep(model, optimizer, batch), batch]);
  }
}

/** The loss before the step, as `model.trainOnBatch` gives it, but without waiting for the device. */
function trainStep(model: tf.LayersModel, optimizer: tf.Optimizer, {images, labels}: Examples): tf.Scalar {
  const scores = () => model.apply(images, {training: true}) as tf.Tensor;
  const weights = model.trainableWeights.map(weight => weight.read() as tf.Variable);
  return optimizer.minimize(() => tf.losses.softmaxCrossEntropy(labels, scores()).asScalar(), true, weights)!;
}
