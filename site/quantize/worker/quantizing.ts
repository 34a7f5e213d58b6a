/** Quantized models: made, calibrated, trained, copied. */
import {
  calibrate,
  distil,
  freezeBatchNorm,
  type LayerOptions,
  quantizeModel,
  type QuantizeOptions,
  reestimateBatchNorm,
} from 'tfjs-quantization/qat';
import * as tf from 'tfjs-quantization/tf';
import type {CurvePoint, Improvement, LayerSettings, Settings} from './contract';
import {disposeModel} from './disposal';
import type {Job} from './job';
import {batchSizeOf, type Kind, kindOfOutput, Outputs, rightOf} from './outputs';
import type {Feed} from './samples/feed';

/** So many samples are enough for ranges. */
const CALIBRATED = 512;

/** Samples in a step of training. */
const STEP = 32;

function layerOptions({weights, activations, isFloat}: LayerSettings): LayerOptions | false {
  if (isFloat) return false;
  return {...(weights && {weights: {numBits: weights}}), ...(activations && {activations: {numBits: activations}})};
}

export function optionsOf({weights, activations, keepEnds8bit, layers}: Settings) {
  return {
    weights: {numBits: weights},
    activations: {numBits: activations},
    keepEnds8bit,
    layers: Object.fromEntries(Object.entries(layers).map(([name, own]) => [name, layerOptions(own)])),
  } satisfies QuantizeOptions;
}

/** A calibrated copy of a model, which is the caller's. */
export async function quantized(
  float: tf.LayersModel,
  feed: Feed,
  settings: Settings,
  job: Job,
): Promise<tf.LayersModel> {
  const q = quantizeModel(float, optionsOf(settings));
  try {
    if (!isRounded(q))
      throw new Error(
        'All layers stay float, so that there is nothing to quantize. Let at least one have a width of bits.',
      );
    const rows = feed.rows().slice(0, CALIBRATED);
    await calibrate(q, feed.batches(rows, batchSizeOf(float), job), {
      method: settings.method,
      reestimateBatchNorm: settings.reestimateBatchNorm && hasBatchNorm(float),
      onProgress: ({done}) => {
        job.signal.throwIfAborted();
        job.tell('Finding ranges', done, rows.length);
      },
    });
    return q;
  } catch (error) {
    disposeModel(q);
    throw error;
  }
}

/** Layers as they compute: those of models within in their place. */
export function leavesOf(container: {readonly layers: readonly tf.layers.Layer[]}): tf.layers.Layer[] {
  return container.layers.flatMap(layer =>
    'layers' in layer ? leavesOf(layer as unknown as {layers: tf.layers.Layer[]}) : [layer],
  );
}

/** Whether anything in it is rounded. */
export function isRounded(model: tf.LayersModel): boolean {
  return leavesOf(model).some(layer => /(^|>)Quantize/.test(layer.getClassName()));
}

function hasBatchNorm(model: {readonly layers: readonly tf.layers.Layer[]}): boolean {
  return model.layers.some(layer => {
    const {layer: inner} = layer as {layer?: tf.layers.Layer};
    const within = layer as {layers?: readonly tf.layers.Layer[]};
    return (
      (inner ?? layer).getClassName() === 'BatchNormalization' ||
      (within.layers !== undefined && hasBatchNorm({layers: within.layers}))
    );
  });
}

/** A model as it is saved. */
export async function artifactsOf(model: tf.LayersModel): Promise<tf.io.ModelArtifacts> {
  let artifacts: tf.io.ModelArtifacts | undefined;
  await model.save(
    tf.io.withSaveHandler(saved => {
      artifacts = saved;
      return Promise.resolve({modelArtifactsInfo: {dateSaved: new Date(), modelTopologyType: 'JSON'}});
    }),
  );
  return artifacts!;
}

export function modelOf(artifacts: tf.io.ModelArtifacts): Promise<tf.LayersModel> {
  return tf.loadLayersModel(tf.io.fromMemory(artifacts));
}

/** A copy of a quantized model that learnt, which is the caller's: whatever goes wrong, the model itself stays as it is. */
export async function improved(
  q: tf.LayersModel,
  float: tf.LayersModel,
  feed: Feed,
  improvement: Improvement,
  reestimates: boolean,
  onPoint: (point: CurvePoint) => void,
  job: Job,
): Promise<tf.LayersModel> {
  const copy = await modelOf(await artifactsOf(q));
  try {
    if (improvement.kind === 'distil') await taught(copy, float, feed, {...improvement, reestimates}, onPoint, job);
    else await trained(copy, float, feed, {...improvement, reestimates}, onPoint, job);
    return copy;
  } catch (error) {
    disposeModel(copy);
    throw error;
  }
}

async function taught(
  q: tf.LayersModel,
  float: tf.LayersModel,
  feed: Feed,
  {steps, reestimates}: {readonly steps: number; readonly reestimates: boolean},
  onPoint: (point: CurvePoint) => void,
  job: Job,
): Promise<void> {
  const fixed = float.inputs[0]!.shape[0];
  await distil(q, float, feed.batches(feed.rows('training'), batchSizeOf(float), job), {
    steps,
    batchSize: fixed ?? STEP,
    reestimateBatchNorm: reestimates,
    signal: job.signal,
    onProgress: ({step, steps: total, loss}) => {
      job.tell('Learning', step, total);
      onPoint({step, steps: total, loss, accuracy: undefined});
    },
  });
}

type LossFunction = (expected: tf.Tensor, given: tf.Tensor) => tf.Tensor;

const LOSSES: Readonly<Record<Kind, string | LossFunction>> = {
  softmax: 'categoricalCrossentropy',
  sigmoid: 'binaryCrossentropy',
  // Scores that nothing made shares of yet.
  linear: (expected, given) => tf.losses.softmaxCrossEntropy(expected, given),
};

async function trained(
  q: tf.LayersModel,
  float: tf.LayersModel,
  feed: Feed,
  {epochs, learningRate, reestimates}: Extract<Improvement, {kind: 'train'}> & {readonly reestimates: boolean},
  onPoint: (point: CurvePoint) => void,
  job: Job,
): Promise<void> {
  const {labels} = feed.set;
  const rows = feed.rows('training');
  const fixed = float.inputs[0]!.shape[0];
  const size = Math.min(fixed ?? STEP, rows.length);
  if (!labels)
    throw new Error(
      'Training needs a class for each sample: bring folders of images, a column of classes, or labels.npy. Without them, let the float model teach.',
    );
  if (q.outputs.length > 1)
    throw new Error(
      `Training with labels is for models of one output, and this has ${q.outputs.length}. Let the float model teach.`,
    );
  // Statistics of few samples, batch by batch, are worse than those of all that the network was trained on.
  if (!reestimates) freezeBatchNorm(q);
  const optimizer = tf.train.adam(learningRate);
  q.compile({optimizer, loss: LOSSES[await kindOfOutput(float, feed)]});
  try {
    const steps = epochs * Math.floor(rows.length / size);
    let step = 0;
    for (let epoch = 0; epoch < epochs; ++epoch) {
      for (const batch of batchesIn(shuffled(rows), size)) {
        await job.turn();
        // Along a cosine, as distil has it: steps that stay large end anywhere.
        Object.assign(optimizer, {learningRate: (learningRate * (1 + Math.cos((Math.PI * step) / steps))) / 2});
        const loss = await trainedStep(q, feed, batch, labels);
        step++;
        job.tell('Training', step, steps);
        onPoint({step, steps, loss, accuracy: undefined});
      }
      onPoint({step, steps, loss: undefined, accuracy: await accuracyOn(q, feed, job)});
    }
  } finally {
    optimizer.dispose();
    if (!reestimates) freezeBatchNorm(q, false);
  }
  if (reestimates && hasBatchNorm(q)) {
    await reestimateBatchNorm(q, feed.batches(rows, Math.max(size, batchSizeOf(float)), job), {
      samples: Math.min(rows.length, CALIBRATED),
    });
  }
}

async function trainedStep(
  q: tf.LayersModel,
  feed: Feed,
  rows: readonly number[],
  labels: Int32Array,
): Promise<number> {
  const inputs = feed.tensors(rows);
  const classes = q.outputs[0]!.shape.at(-1)!;
  const expected = tf.tidy(() => {
    const own = tf.tensor1d(
      rows.map(row => labels[row]!),
      'int32',
    );
    return classes === 1 ? tf.cast(tf.expandDims(own, 1), 'float32') : tf.cast(tf.oneHot(own, classes), 'float32');
  });
  try {
    const loss = [await q.trainOnBatch(inputs.length === 1 ? inputs[0]! : inputs, expected)].flat()[0]!;
    if (!Number.isFinite(loss))
      throw new Error('The training ran away: its loss is no number any more. Choose a lower learning rate.');
    return loss;
  } finally {
    tf.dispose([inputs, expected]);
  }
}

async function accuracyOn(q: tf.LayersModel, feed: Feed, job: Job): Promise<number | undefined> {
  const rows = feed.rows('held out');
  if (rows.length === 0) return undefined;
  const {values, size} = await Outputs.of(q, feed, rows, job);
  return rightOf(values, size, rows, feed.set.labels!) / rows.length;
}

function shuffled(rows: readonly number[]): number[] {
  const order = [...rows];
  for (let i = order.length - 1; i > 0; --i) {
    const j = Math.floor(Math.random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/** Whole batches alone: of few samples, statistics would be noise. */
function* batchesIn(rows: readonly number[], size: number): Generator<number[]> {
  for (let start = 0; start + size <= rows.length; start += size) yield rows.slice(start, start + size);
}
