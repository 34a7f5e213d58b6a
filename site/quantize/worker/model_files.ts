/** From the files that a visitor has to what importModel takes: the model.json, its weights, and what metadata tells of both. */
import type {io} from 'tfjs-quantization/tf';
import type {GivenFile, Scaling} from './contract';
import {extensionOf, folderOf, nameOf, someOf, unpacked} from './files';
import type {Job} from './job';

/** A model as it lies in files. */
export interface ModelFiles {
  readonly json: io.ModelJSON;
  readonly weights: ArrayBuffer[];
  readonly metadata: Metadata;
  /** By its file, archive or folder; undefined where these are called as all are. */
  readonly name: string | undefined;
  /** The files that these were read from, to keep. */
  readonly files: readonly GivenFile[];
  readonly notes: readonly string[];
}

/** What is told of a model beside it. */
export interface Metadata {
  readonly name: string | undefined;
  /** Which of Teachable Machine's projects it is of. */
  readonly teachableMachine: 'image' | 'audio' | 'pose' | undefined;
  readonly labels: readonly string[] | undefined;
  readonly scaling: {readonly scaling: Scaling; readonly because: string} | undefined;
}

type Json = Readonly<Record<string, unknown>>;

const isJson = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

const CONVERT =
  'Convert it with tensorflowjs_converter (pip install tensorflowjs), and give the model.json and the .bin files that it writes';

/** Models of other kinds, by the ending of their names, and what to do with them. */
const OTHERS: Readonly<Record<string, string>> = {
  keras: `is Keras's own file. ${CONVERT}: tensorflowjs_converter --input_format keras.`,
  h5: `is Keras's own file. ${CONVERT}: tensorflowjs_converter --input_format keras.`,
  hdf5: `is Keras's own file. ${CONVERT}: tensorflowjs_converter --input_format keras.`,
  pb: `is of a SavedModel of TensorFlow. ${CONVERT}: tensorflowjs_converter --input_format tf_saved_model.`,
  tflite:
    'is a .tflite file, from which there is no way back. Give the model that it was made of: of Teachable Machine, export "Tensorflow.js".',
  onnx: 'is an ONNX file, which this page writes but does not read. Give the model for TensorFlow.js that it was made of.',
  pt: "is PyTorch's own file. Convert it to TensorFlow, and that with tensorflowjs_converter.",
  pth: "is PyTorch's own file. Convert it to TensorFlow, and that with tensorflowjs_converter.",
  safetensors: 'holds weights alone. Give a model for TensorFlow.js: model.json and its .bin files.',
};

const WANTED = 'Give the model.json and its weight files (.bin), the folder that they lie in, or a zip of it.';

/** Reads a model from files, archives among them. Throws what is missing, in words. */
export async function readModelFiles(given: readonly GivenFile[], job: Job): Promise<ModelFiles> {
  if (given.length === 0) throw new Error(`There are no files. ${WANTED}`);
  const files = await unpacked(given, job);
  const jsons = await parsedJsons(files);
  const model = onlyModel(jsons, files);
  const metadata = jsons.find(each => isMetadata(each.json) && folderOf(each.file.path) === folderOf(model.file.path));
  const {weightFiles, notes} = weightFilesOf(model, files);
  return {
    json: model.json as unknown as io.ModelJSON,
    weights: await Promise.all(weightFiles.map(readWeights)),
    metadata: metadataOf(metadata?.json ?? {}),
    name: calledAs(model.file.path, given),
    files: [model.file, ...weightFiles, ...(metadata ? [metadata.file] : [])],
    notes,
  };
}

/** The name that the visitor's own files have. */
function calledAs(path: string, given: readonly GivenFile[]): string | undefined {
  const stem = (file: string) => nameOf(file).replace(/\.[^.]*$/, '');
  const archive = given.length === 1 ? stem(given[0]!.path) : undefined;
  const folder = nameOf(folderOf(path).slice(0, -1));
  return [stem(path), archive, folder].find(name => name && !/^(model|tfjs_model|web_model)\b/i.test(name));
}

interface ParsedFile {
  readonly file: GivenFile;
  readonly json: Json;
}

/** The JSON files that can be read. Of one that cannot nothing is said unless it is the model. */
async function parsedJsons(files: readonly GivenFile[]): Promise<ParsedFile[]> {
  const named = files.filter(({path}) => extensionOf(path) === 'json');
  const parsed = await Promise.all(
    named.map(async file => {
      const text = await file.data.text();
      try {
        return {file, json: JSON.parse(text) as unknown};
      } catch (error) {
        if (named.length > 1 && !/model/i.test(nameOf(file.path))) return undefined;
        const isPage = /^\s*</.test(text);
        const problem = isPage
          ? 'is a web page, not a model: it was saved in the place of a file that was not there. Download the model again.'
          : `is not JSON (${(error as Error).message}). It is broken, or not all of it is there: download it again.`;
        throw new Error(`${file.path} ${problem}`, {cause: error});
      }
    }),
  );
  return parsed.flatMap(each => (each && isJson(each.json) ? [each as ParsedFile] : []));
}

const isModel = ({json}: ParsedFile) => 'modelTopology' in json || 'weightsManifest' in json;

function onlyModel(jsons: readonly ParsedFile[], files: readonly GivenFile[]): ParsedFile {
  const models = jsons.filter(isModel);
  if (models.length === 1) return models[0]!;
  if (models.length > 1) {
    throw new Error(
      `There are ${models.length} models (${someOf(models.map(({file}) => file.path))}). Give one of them with its weights.`,
    );
  }
  const [keras] = jsons.filter(({json}) => 'class_name' in json && 'config' in json);
  if (keras) throw new Error(`${nameOf(keras.file.path)} is Keras's own, and holds no weights. ${CONVERT}.`);
  const manifest = files.find(({path}) => nameOf(path) === 'weights_manifest.json');
  if (manifest) {
    throw new Error(
      `${nameOf(manifest.path)} is of a model as TensorFlow.js before 1.0 had them. Convert the model that it was made of anew, with today's tensorflowjs_converter.`,
    );
  }
  const other = files.find(({path}) => extensionOf(path) in OTHERS);
  if (other) throw new Error(`${nameOf(other.path)} ${OTHERS[extensionOf(other.path)]!}`);
  const [weights] = files.filter(({path}) => extensionOf(path) === 'bin');
  if (weights)
    throw new Error(
      `${nameOf(weights.path)} holds weights, but the model.json that tells what they are of is missing. ${WANTED}`,
    );
  const found = files.length > 0 ? `Among the files (${someOf(files.map(({path}) => path))}) is` : 'There is';
  throw new Error(`${found} no model.json of TensorFlow.js. ${WANTED}`);
}

/** As file systems change names: in lower case, without the number that a browser gives to what was downloaded before. */
const plainName = (path: string) =>
  nameOf(path)
    .toLowerCase()
    .replace(/ ?\(\d+\)(?=\.[^.]*$)/, '');

/** What lies in the place of weights now and then, by its first characters. */
const NO_WEIGHTS: readonly (readonly [RegExp, string])[] = [
  [/^\s*<(!doctype|html|\?xml)/i, 'is a web page: it was saved in the place of a file that was not there'],
  [/^version https:\/\/git-lfs/, 'is a pointer of Git LFS, not the file itself'],
];

async function readWeights({path, data}: GivenFile): Promise<ArrayBuffer> {
  const start = await data.slice(0, 64).text();
  const [, problem] = NO_WEIGHTS.find(([mark]) => mark.test(start)) ?? [];
  if (problem) throw new Error(`${nameOf(path)} ${problem}. Download it again, from where the model came.`);
  return data.arrayBuffer();
}

/** The files of a manifest, in its order: by their paths beside the model, or wherever else a file of that name is. */
function weightFilesOf(
  {file, json}: ParsedFile,
  files: readonly GivenFile[],
): {weightFiles: readonly GivenFile[]; notes: readonly string[]} {
  const manifest = Array.isArray(json['weightsManifest']) ? (json['weightsManifest'] as unknown[]) : [];
  const paths = manifest
    .flatMap(group => (isJson(group) && Array.isArray(group['paths']) ? (group['paths'] as unknown[]) : []))
    .map(String);
  const others = files.filter(other => other !== file);
  const folder = folderOf(file.path);
  const found = paths.map(path => {
    const whole = `${folder}${path.replace(/^\.\//, '')}`;
    return (
      others.find(other => other.path === whole) ??
      others.find(other => nameOf(other.path) === nameOf(path)) ??
      others.find(other => plainName(other.path) === plainName(path))
    );
  });
  const missing = paths.filter((_, i) => !found[i]);
  if (missing.length === 0) return {weightFiles: found as GivenFile[], notes: []};
  // A browser that downloads a file twice calls the second one otherwise.
  const binaries = others.filter(({path}) => extensionOf(path) === 'bin');
  if (paths.length === 1 && binaries.length === 1) {
    const note = `The weights were taken from ${nameOf(binaries[0]!.path)}, though the model calls them ${missing.join()}.`;
    return {weightFiles: binaries, notes: [note]};
  }
  const are =
    missing.length > 1
      ? `${missing.length} weight files (${someOf(missing)}) are`
      : `The weight file ${missing.join()} is`;
  throw new Error(
    `${are} missing. What ${nameOf(file.path)} names lies where it came from: choose all files at once, or the folder.`,
  );
}

const isMetadata = (json: Json) =>
  'labels' in json || 'wordLabels' in json || 'packageName' in json || 'tmVersion' in json;

const PROJECTS = ['image', 'audio', 'pose'] as const;

/** What Teachable Machine's metadata.json tells, or another with labels. */
export function metadataOf(json: Json): Metadata {
  const {labels, wordLabels, packageName, modelName} = json;
  const listed = [labels, wordLabels].find(each => Array.isArray(each) && each.length > 0) as unknown[] | undefined;
  const isTheirs = 'tmVersion' in json || String(packageName).startsWith('@teachablemachine/');
  const project =
    PROJECTS.find(each => packageName === `@teachablemachine/${each}`) ?? ('wordLabels' in json ? 'audio' : 'image');
  const teachableMachine = isTheirs || 'wordLabels' in json ? project : undefined;
  return {
    name: typeof modelName === 'string' && modelName !== '' ? modelName : undefined,
    teachableMachine,
    labels: listed?.map(String),
    scaling:
      teachableMachine === 'image'
        ? {
            scaling: {kind: 'symmetric'},
            because: "Teachable Machine's image models take pixels from -1 to 1 (metadata.json)",
          }
        : undefined,
  };
}
