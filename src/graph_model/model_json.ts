/** What is a model.json, and what people and servers take for one. */
import {isRecord} from '../check/rules';

/** A value of a file, as errors show it. */
export function inJson(value: unknown): string {
  if (typeof value === 'number') return String(value);
  let text: string;
  try {
    text = JSON.stringify(value) ?? typeof value;
  } catch {
    // Endless, or deeper than the stack.
    return 'too deep to show';
  }
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

/** What a file is, by its first characters, and what to do. */
type Kind = readonly [begins: (start: string) => boolean, is: string];

/** What servers send in place of any file. */
const NO_FILE: readonly Kind[] = [
  [
    start => /^\s*<(!doctype|html|\?xml)/i.test(start),
    'a web page, as servers send for folders and for what is not there. Check the URL: it must be that of the file.',
  ],
  [
    start => start.startsWith('version https://git-lfs'),
    'a pointer of Git LFS. Fetch the file that it stands for (git lfs pull).',
  ],
];

/** What people take for a model.json. */
const NO_JSON: readonly Kind[] = [
  ...NO_FILE,
  [
    start => start.startsWith('TFL3', 4),
    'a .tflite file, from which no way leads back. Give the model that it was made of, converted by tensorflowjs_converter.',
  ],
  [
    start => start.startsWith('\x89HDF'),
    "Keras's .h5 file. Convert it: tensorflowjs_converter --input_format keras model.h5 folder.",
  ],
  [
    start => start.startsWith('PK\x03\x04'),
    'a .zip or .keras file. Unpack the one; convert the other by tensorflowjs_converter.',
  ],
  [start => start.startsWith('\x1f\x8b'), 'compressed (gzip). Unpack it, or let the server say so (content-encoding).'],
  [
    // The first field of a SavedModel, or of a frozen graph.
    start => /^[\b\n][^\s"{[]/.test(start),
    'a SavedModel or another protocol buffer. Convert its folder by tensorflowjs_converter.',
  ],
];

function whatIs(bytes: ArrayBuffer, kinds: readonly Kind[]): string | undefined {
  const start = String.fromCharCode(...new Uint8Array(bytes, 0, Math.min(bytes.byteLength, 64)));
  return kinds.find(([begins]) => begins(start))?.[1];
}

/** What is wrong with a parsed model.json; undefined if nothing is. */
export function jsonProblem(json: unknown): string | undefined {
  const must = 'must be a parsed model.json, as tensorflowjs_converter and model.save write it';
  if (!isRecord(json)) return `${must}, but was ${inJson(json)}.`;
  const {modelTopology, weightsManifest = []} = json;
  if (modelTopology === undefined || modelTopology === null) {
    const is = 'class_name' in json ? "a Keras model's configuration alone: convert the model itself" : inJson(json);
    return `${must}, with modelTopology, but was ${is}.`;
  }
  const isGroup = (group: unknown) =>
    isRecord(group) && Array.isArray(group['paths']) && Array.isArray(group['weights']);
  if (Array.isArray(weightsManifest) && weightsManifest.every(isGroup)) return undefined;
  return `${must}, whose weightsManifest lists paths and weights, but that was ${inJson(weightsManifest)}.`;
}

/** Parses a model.json; throws what the file is instead, as words that follow its name. */
export function parseModelJson(bytes: ArrayBuffer): unknown {
  if (bytes.byteLength === 0) throw new Error('is empty. Fetch or convert it anew.');
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    const is = whatIs(bytes, NO_JSON) ?? `no JSON, or cut (${(error as Error).message}). Fetch or convert it anew.`;
    throw new Error(`is ${is}`, {cause: error});
  }
  const problem = jsonProblem(json);
  if (problem) throw new Error(problem);
  return json;
}

/** Why bytes cannot be weights, as words that follow the file's name; undefined if they may be. */
export function noWeights(bytes: ArrayBuffer): string | undefined {
  const is = whatIs(bytes, NO_FILE);
  return is && `is no weight file but ${is}`;
}
