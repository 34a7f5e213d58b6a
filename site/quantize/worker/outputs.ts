/** What models say of samples, and how well they agree. */
import {analyzeQuantization} from 'tfjs-quantization/qat';
import * as tf from 'tfjs-quantization/tf';
import type {Scores} from './contract';
import type {Job} from './job';
import type {Feed} from './samples/feed';

export type Kind = 'softmax' | 'sigmoid' | 'linear';

/** Scores are of no more samples. */
const SCORED = 512;

/** So many values of samples pass at a time: more would keep a cancellation waiting on a slow machine. */
const PASSED = 2 ** 19;

/** Samples that pass at a time. A model that is made for batches of one size gets these. */
export function batchSizeOf({inputs}: tf.LayersModel): number {
  const size = inputs[0]!.shape.slice(1).reduce<number>((product, dim) => product * (dim ?? 224), 1);
  return inputs[0]!.shape[0] ?? Math.max(1, Math.min(32, Math.floor(PASSED / size)));
}

/** The first output of a model: of each sample so many values. */
export interface Outputs {
  readonly values: Float32Array;
  readonly size: number;
  readonly shape: readonly number[];
}

function predicted(model: tf.LayersModel, inputs: readonly tf.Tensor[]): tf.Tensor {
  return tf.tidy(() => {
    const outputs = model.predictOnBatch(inputs.length === 1 ? inputs[0]! : [...inputs]);
    return tf.cast([outputs].flat()[0]!, 'float32');
  });
}

export const Outputs = {
  async of(model: tf.LayersModel, feed: Feed, rows: readonly number[], job: Job, doing?: string): Promise<Outputs> {
    const parts: Float32Array[] = [];
    let shape: readonly number[] = [];
    const fixed = model.inputs[0]!.shape[0];
    const batchSize = batchSizeOf(model);
    let done = 0;
    for await (const batch of feed.batches(padded(rows, fixed), batchSize, job)) {
      const output = predicted(model, batch);
      shape = output.shape;
      try {
        parts.push(await output.data<'float32'>());
      } finally {
        output.dispose();
      }
      done += batch[0]!.shape[0];
      if (doing) job.tell(doing, Math.min(done, rows.length), rows.length);
    }
    const own = shape.slice(1);
    const size = own.reduce((product, dim) => product * dim, 1);
    const values = new Float32Array(rows.length * size);
    let at = 0;
    for (const part of parts) {
      const rest = part.subarray(0, values.length - at);
      values.set(rest, at);
      at += rest.length;
    }
    return {values, size, shape: own};
  },
};

/** A model made for batches of one size gets the last sample again where there are none left. */
function padded(rows: readonly number[], fixed: number | null | undefined): readonly number[] {
  const missing = fixed ? (fixed - (rows.length % fixed)) % fixed : 0;
  return [...rows, ...Array<number>(missing).fill(rows.at(-1)!)];
}

function highest(values: Float32Array, start: number, count: number): number {
  let best = 0;
  for (let i = 1; i < count; ++i) if (values[start + i]! > values[start + best]!) best = i;
  return best;
}

/** The class that an output decides for: the highest, or whether a single one is above ½. */
function classesIn(values: Float32Array, size: number): number[] {
  return Array.from({length: values.length / size}, (_, i) =>
    size === 1 ? Number(values[i]! > 0.5) : highest(values, i * size, size),
  );
}

/** How many of the samples are told right. */
export function rightOf(values: Float32Array, size: number, rows: readonly number[], labels: Int32Array): number {
  const classes = classesIn(values, size);
  return rows.filter((row, i) => classes[i] === labels[row]).length;
}

/** What the first output is, by the activation of the layer that gives it, or by what it gives for some samples. */
export async function kindOfOutput(model: tf.LayersModel, feed: Feed): Promise<Kind> {
  const rows = feed.rows().slice(0, Math.min(8, batchSizeOf(model)));
  const inputs = feed.tensors(padded(rows, model.inputs[0]!.shape[0]));
  const output = predicted(model, inputs);
  try {
    const values = await output.data<'float32'>();
    const size = output.shape.at(-1)!;
    const areShares = values.every(value => value >= 0 && value <= 1.001);
    if (!areShares) return 'linear';
    const sums = Array.from({length: values.length / size}, (_, i) =>
      values.subarray(i * size, (i + 1) * size).reduce((a, b) => a + b, 0),
    );
    return size > 1 && sums.every(sum => Math.abs(sum - 1) < 1e-3) ? 'softmax' : 'sigmoid';
  } finally {
    tf.dispose([output, inputs]);
  }
}

/** How a quantized model does against its float one; where classes are known, on those that training does not see. */
export async function scoresOf(
  q: tf.LayersModel,
  float: tf.LayersModel,
  feed: Feed,
  labels: readonly string[],
  job: Job,
): Promise<Omit<Scores, 'notes'>> {
  const rows = feed.rows().slice(0, SCORED);
  const fixed = float.inputs[0]!.shape[0];
  const whole = fixed ? rows.slice(0, Math.max(fixed, rows.length - (rows.length % fixed))) : rows;
  const {agreement} = await analyzeQuantization(q, float, feed.batches(whole, batchSizeOf(float), job), {
    sensitivity: 'none',
    samples: whole.length,
    signal: job.signal,
    onProgress: ({done, total}) => job.tell('Comparing', done, total),
  });
  const scores = {samples: rows.length, sameClass: agreement.top1, divergence: agreement.divergence, labels};
  const known = feed.set.labels;
  // Numbers that nobody calls classes may be anything.
  if (labels.length === 0 || (!known && agreement.top1 === undefined))
    return {...scores, accuracy: undefined, confusion: undefined};
  const judged = known ? feed.rows('held out').slice(0, SCORED) : rows;
  const tried = judged.length > 0 ? judged : rows;
  const own = await Outputs.of(q, feed, tried, job, 'Counting classes');
  const other = await Outputs.of(float, feed, tried, job, 'Counting classes');
  const [found, expected] = [classesIn(own.values, own.size), classesIn(other.values, other.size)];
  const truth = known ? tried.map(row => known[row]!) : expected;
  const confusion = labels.map(() => labels.map(() => 0));
  truth.forEach((label, i) => confusion[label]![found[i]!]!++);
  const share = (classes: readonly number[]) => classes.filter((each, i) => each === truth[i]).length / truth.length;
  return {...scores, confusion, accuracy: known && {float: share(expected), quantized: share(found)}};
}
