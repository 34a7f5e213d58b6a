/** Trains the network in float and for few bits, and compares what it then knows. */
import * as tf from '../src/entries/tf';
import {batchesOf, type Digits, type DigitSplit, loadDigits} from './digits';
import {fileOf} from './export';
import {DigitNet, FLOAT, Grids, type Quantizer} from './model';

export interface Plan {
  /** Widths of weights and activations alike. */
  readonly bits: readonly number[];
  /** Epochs that every network gets in all. */
  readonly epochs: number;
  /** The first seed, and how many from it on. */
  readonly seed: number;
  readonly seeds: number;
}

/** `PTQ`: quantized after training. `QAT`: quantization-aware training. */
export type Method = 'float' | 'PTQ' | 'QAT';

/** Test accuracy in percent after `epoch` epochs. */
export interface Score {
  readonly method: Method;
  /** Undefined for float. */
  readonly bits: number | undefined;
  readonly seed: number;
  readonly epoch: number;
  readonly accuracy: number;
  /** The network as a .tflite file, at the end of quantization-aware training. */
  readonly file?: Uint8Array;
}

const BATCH = 64;
const LEARNING_RATE = {beforeBranch: 1e-2, afterBranch: 3e-3};
const CALIBRATION_BATCHES = 8;
/** Up to this width ranges are learned, as `quantizeModel` does by default. */
const LEARNED_BITS = 4;

/** The epoch at which quantization-aware training branches off from float training: after about three quarters. */
export function branchEpoch({epochs}: Plan): number {
  return epochs - Math.max(1, Math.round(epochs / 4));
}

/** How many epochs the whole comparison trains. Each ends with a score that is not PTQ's. */
export function epochCount(plan: Plan): number {
  return plan.seeds * (plan.epochs + plan.bits.length * (plan.epochs - branchEpoch(plan)));
}

/**
 * How long a step of quantization-aware training takes on tfjs's current backend, in ms, once its programs are compiled:
 * the shortest of three, as other work on the machine makes steps longer only.
 */
export async function timeStep(): Promise<number> {
  const {train, test} = await loadDigits();
  const [net, quantizer, optimizer] = [new DigitNet(0), new Grids(8, 'minMax'), tf.train.adam()];
  const step = async () => {
    const started = performance.now();
    const [batch] = batchesOf(train, BATCH, 0);
    const loss = trainStep(net, quantizer, optimizer, batch!);
    await loss.data(); // until the device is done
    tf.dispose([batch!, loss]);
    return performance.now() - started;
  };
  await step();
  const milliseconds = Math.min(await step(), await step(), await step());
  for (const each of [net, quantizer, optimizer]) each.dispose();
  tf.dispose([train, test]);
  return milliseconds;
}

/** Runs the comparison on tfjs's current backend, giving each score as soon as it is known. */
export async function* compare(plan: Plan): AsyncGenerator<Score> {
  const digits = await loadDigits();
  for (let seed = plan.seed; seed < plan.seed + plan.seeds; seed++) yield* compareOnce(plan, digits, seed);
  tf.dispose(digits);
}

async function* compareOnce(plan: Plan, digits: DigitSplit, seed: number): AsyncGenerator<Score> {
  const branch = branchEpoch(plan);
  const net = new DigitNet(1000 * seed);

  function* train(quantizer: Quantizer, from: number, to: number): Generator<number> {
    const optimizer = tf.train.adam(from < branch ? LEARNING_RATE.beforeBranch : LEARNING_RATE.afterBranch);
    for (let epoch = from + 1; epoch <= to; epoch++) {
      trainEpoch(net, quantizer, optimizer, batchesOf(digits.train, BATCH, 1000 * seed + epoch));
      yield epoch;
    }
    optimizer.dispose();
  }
  const score = async (quantizer: Quantizer) => accuracy(net, quantizer, digits.test);
  async function* scoreQuantized(epoch: number): AsyncGenerator<Score> {
    for (const bits of plan.bits) {
      const quantizer = new Grids(bits, 'minMax');
      calibrate(net, quantizer, batchesOf(digits.train, BATCH, 1000 * seed));
      yield {method: 'PTQ', bits, seed, epoch, accuracy: await score(quantizer)};
      quantizer.dispose();
    }
  }

  for (const epoch of train(FLOAT, 0, branch)) {
    yield {method: 'float', bits: undefined, seed, epoch, accuracy: await score(FLOAT)};
  }
  yield* scoreQuantized(branch);
  const branched = net.variables.map(variable => variable.clone());

  for (const epoch of train(FLOAT, branch, plan.epochs)) {
    yield {method: 'float', bits: undefined, seed, epoch, accuracy: await score(FLOAT)};
    yield* scoreQuantized(epoch);
  }

  for (const bits of plan.bits) {
    net.variables.forEach((variable, i) => variable.assign(branched[i] as tf.Tensor));
    const quantizer = new Grids(bits, bits <= LEARNED_BITS ? 'learned' : 'minMax');
    calibrate(net, quantizer, batchesOf(digits.train, BATCH, 1000 * seed));
    for (const epoch of train(quantizer, branch, plan.epochs)) {
      const file = epoch === plan.epochs && {file: await fileOf(net, quantizer, bits)};
      yield {method: 'QAT', bits, seed, epoch, accuracy: await score(quantizer), ...file};
    }
    quantizer.dispose();
  }
  tf.dispose(branched);
  net.dispose();
}

function trainEpoch(net: DigitNet, quantizer: Quantizer, optimizer: tf.Optimizer, batches: Iterable<Digits>): void {
  quantizer.observing = true;
  for (const batch of batches) tf.dispose([trainStep(net, quantizer, optimizer, batch), batch]);
}

/** The loss before the step. */
function trainStep(net: DigitNet, quantizer: Quantizer, optimizer: tf.Optimizer, {images, labels}: Digits): tf.Scalar {
  const loss = () => tf.losses.softmaxCrossEntropy(tf.oneHot(labels, 10), net.predict(images, quantizer)).asScalar();
  return optimizer.minimize(loss, true, [...net.variables, ...quantizer.variables])!;
}

/** Shows the quantizer training images, so that it knows the activations' ranges. */
function calibrate(net: DigitNet, quantizer: Quantizer, batches: Iterable<Digits>): void {
  quantizer.observing = true;
  let seen = 0;
  for (const batch of batches) {
    tf.tidy(() => void net.predict(batch.images, quantizer));
    tf.dispose(batch);
    if (++seen === CALIBRATION_BATCHES) return;
  }
}

/** The share of images whose digit gets the highest score, in percent. */
async function accuracy(net: DigitNet, quantizer: Quantizer, {images, labels}: Digits): Promise<number> {
  quantizer.observing = false;
  const right = tf.tidy(() => tf.mean(tf.equal(tf.argMax(net.predict(images, quantizer), 1), labels).toFloat()));
  const [share = NaN] = await right.data();
  right.dispose();
  return 100 * share;
}
