/** Files of what is on the bench. */
import {zipSync} from 'fflate';
import {toONNX} from 'tfjs-quantization/onnx';
import {quantizedSaveHandler, quantizedWeights} from 'tfjs-quantization/qat';
import * as tf from 'tfjs-quantization/tf';
import {arduinoSketch, arenaSize, cSource, toTFLite, type TFLiteOptions} from 'tfjs-quantization/tflite';
import type {FileKind, WrittenFile} from './contract';
import {disposeModel} from './disposal';
import type {Job} from './job';
import {artifactsOf, modelOf} from './quantizing';

/** What files are made of. */
export interface Written {
  readonly name: string;
  readonly labels: readonly string[] | undefined;
  readonly float: tf.LayersModel;
  readonly q: tf.LayersModel | undefined;
  /** Of the samples, one for each input; undefined where there are none. */
  readonly shapes: readonly (readonly number[])[] | undefined;
}

type Bytes = Uint8Array<ArrayBuffer>;

/** A name that files, and C, may have. */
function plainName(name: string): string {
  const plain = name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^A-Za-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '')
    .slice(0, 40);
  return /^[A-Za-z]/.test(plain) ? plain : `model${plain && `_${plain}`}`;
}

/** Labels that a file takes: of one line each. */
const linesOf = (labels: readonly string[] | undefined) => labels?.map(label => label.replace(/[\r\n]+/g, ' '));

/** What is against ports of int8. */
const NO_INT8 = /(inputType|outputType) int8 is/;

const OF_FLOAT: Readonly<Partial<Record<FileKind, TFLiteOptions['weights']>>> = {
  'tflite-float32': 'float32',
  'tflite-float16': 'float16',
  'tflite-dynamic-int8': 'int8',
  'tflite-dynamic-int4': 'int4',
};

/** Kinds in which everything has one size. */
const OF_ONE_SIZE: ReadonlySet<FileKind> = new Set(['tflite', 'tflite-int8', 'onnx', 'onnx-float32', 'cpp', 'arduino']);

export async function writeFile(kind: FileKind, bench: Written, job: Job): Promise<WrittenFile> {
  const {float, q, shapes} = bench;
  const isOpen = float.inputs.some(({shape}) => shape.slice(1).includes(null));
  if (!isOpen || !OF_ONE_SIZE.has(kind)) return written(kind, bench, job);
  if (!shapes)
    throw new Error(
      'The model takes inputs of any size, but this file is of one: bring samples of the size that it is to be of.',
    );
  const own = [await ofSize(float, shapes), q && (await ofSize(q, shapes))] as const;
  try {
    const file = await written(kind, {...bench, float: own[0], q: own[1]}, job);
    const sizes = shapes.map(shape => shape.join('x')).join(' and ');
    return {...file, note: `${file.note ?? ''} Its inputs are of ${sizes}, as the samples are.`.trim()};
  } finally {
    for (const model of own) if (model) disposeModel(model);
  }
}

/** A copy of a model that leaves sizes open, for inputs of one size. */
async function ofSize(model: tf.LayersModel, shapes: Written['shapes'] & {}): Promise<tf.LayersModel> {
  const copy = await modelOf(await artifactsOf(model));
  const inputs = model.inputs.map(({dtype}, i) =>
    tf.input({shape: [...shapes[i]!], dtype, name: model.inputNames[i]!}),
  );
  const outputs = copy.apply(inputs.length === 1 ? inputs[0]! : inputs) as tf.SymbolicTensor | tf.SymbolicTensor[];
  return tf.model({inputs, outputs});
}

async function written(kind: FileKind, bench: Written, job: Job): Promise<WrittenFile> {
  const name = plainName(bench.name);
  const file = (ending: string, content: BlobPart, note?: string): WrittenFile => ({
    kind,
    name: `${name}${ending}`,
    data: new Blob([content]),
    note,
  });
  const weights = OF_FLOAT[kind];
  if (weights)
    return file(
      `_${weights === 'int8' || weights === 'int4' ? `dynamic_${weights}` : weights}.tflite`,
      await tflite(bench.float, bench, {weights}, job),
    );
  if (kind === 'onnx-float32') return file('_float32.onnx', await onnx(bench.float, bench, job));
  const {q} = bench;
  if (!q) throw new Error('This file is of the quantized model: quantize it first.');
  switch (kind) {
    case 'tflite':
      return file('.tflite', await tflite(q, bench, {}, job));
    case 'tflite-int8': {
      const {bytes, note} = await int8TFLite(q, bench, job);
      return file('_int8.tflite', bytes, note);
    }
    case 'onnx':
      return file('.onnx', await onnx(q, bench, job));
    case 'tfjs':
      return file('_tfjs.zip', zipped(await tfjsFiles(q, bench)));
    case 'integers':
      return file('_integers.json', await integersOf(q));
    default:
      return sketch(kind === 'arduino', q, bench, name, job, file);
  }
}

type MakeFile = (ending: string, content: BlobPart, note?: string) => WrittenFile;

async function sketch(
  isArduino: boolean,
  q: tf.LayersModel,
  bench: Written,
  name: string,
  job: Job,
  file: MakeFile,
): Promise<WrittenFile> {
  const {bytes, note: told = ''} = await int8TFLite(q, bench, job);
  const texts = (isArduino ? arduinoSketch : cSource)(bytes, {name});
  // The Arduino IDE wants a sketch in a folder of its name.
  const folder = `${name}/`;
  const files = new Map([...texts].map(([path, text]) => [`${folder}${path}`, new TextEncoder().encode(text)]));
  const {required} = arenaSize(bytes);
  const note =
    `Needs ${required} bytes of RAM for its tensors (the arena), and ${bytes.length} bytes of flash for the model. ${told}`.trim();
  return file(isArduino ? '_arduino.zip' : '_cpp.zip', zipped(files), note);
}

/** A file that takes and gives int8, but where its ends are float. */
async function int8TFLite(
  q: tf.LayersModel,
  bench: Written,
  job: Job,
): Promise<{bytes: Bytes; note: string | undefined}> {
  const ports = new Set(['inputType', 'outputType']);
  for (let note: string | undefined; ; note = 'Its inputs or outputs are float, as the layers there are.') {
    try {
      return {bytes: await tflite(q, bench, Object.fromEntries([...ports].map(port => [port, 'int8'])), job), note};
    } catch (error) {
      const [, float] = NO_INT8.exec((error as Error).message) ?? [];
      if (!float || !ports.delete(float)) throw error;
    }
  }
}

async function tflite(model: tf.LayersModel, {labels, q}: Written, options: TFLiteOptions, job: Job): Promise<Bytes> {
  const lines = linesOf(labels);
  const own = isOneOutputOf(model, lines) ? {labels: lines!} : {};
  const floatFallback = model === q ? {floatFallback: true} : {};
  await job.turn();
  return (await toTFLite(model, {...options, ...own, ...floatFallback, ...progress(job)})) as Bytes;
}

/** A single output has two classes, but a file one label for each number. */
function isOneOutputOf({outputs}: tf.LayersModel, labels: readonly string[] | undefined): boolean {
  return labels !== undefined && outputs[0]!.shape.at(-1) === labels.length;
}

async function onnx(model: tf.LayersModel, {q}: Written, job: Job): Promise<Bytes> {
  await job.turn();
  return (await toONNX(model, {...(model === q && {floatFallback: true}), ...progress(job)})) as Bytes;
}

function progress(job: Job) {
  return {
    onProgress: ({done, total}: {readonly done: number; readonly total: number}) => {
      job.signal.throwIfAborted();
      job.tell('Writing', done, total);
    },
  };
}

async function tfjsFiles(q: tf.LayersModel, {labels}: Written): Promise<Map<string, Bytes>> {
  let saved: tf.io.ModelArtifacts | undefined;
  const keep = tf.io.withSaveHandler(artifacts => {
    saved = artifacts;
    return Promise.resolve({modelArtifactsInfo: {dateSaved: new Date(), modelTopologyType: 'JSON'}});
  });
  await q.save(quantizedSaveHandler(keep));
  const {weightData, weightSpecs = [], ...others} = saved!;
  const json = {...others, weightsManifest: [{paths: ['weights.bin'], weights: weightSpecs}]};
  const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  return new Map([
    ['model.json', text(json)],
    ['weights.bin', new Uint8Array(weightData as ArrayBuffer)],
    ...(labels ? ([['metadata.json', text({labels})]] as const) : []),
  ]);
}

async function integersOf(q: tf.LayersModel): Promise<string> {
  const numbers = await quantizedWeights(q);
  const plain = (_: string, value: unknown) => (ArrayBuffer.isView(value) ? Array.from(value as Int8Array) : value);
  return JSON.stringify(numbers, plain);
}

const zipped = (files: ReadonlyMap<string, Bytes>) => zipSync(Object.fromEntries(files));
