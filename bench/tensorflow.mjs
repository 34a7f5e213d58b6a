/** TensorFlow's own CPU kernels on the same data, of the TensorFlow that computed the golden data; and steps of Keras and tfmot. */
import {execFileSync} from 'node:child_process';
import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';

const DATA = fileURLToPath(new URL('../.cache/bench/', import.meta.url));
const PYTHON = fileURLToPath(new URL('../scripts/python.mjs', import.meta.url));
const KERNELS = fileURLToPath(new URL('time_tensorflow.py', import.meta.url));
const STEPS = fileURLToPath(new URL('time_keras.py', import.meta.url));

/** Runs a script with the packages of a folder, and gives what it writes. */
function runPython(folder, script, job) {
  const python = execFileSync(process.execPath, [PYTHON, folder], {encoding: 'utf8'}).trim();
  const output = execFileSync(python, [script], {input: JSON.stringify(job), stdio: 'pipe', encoding: 'utf8'});
  return JSON.parse(output);
}

/** Times steps of training the digit classifier in Keras, float and quantized by tfmot. */
export function timeKeras() {
  return runPython('test/tfmot', STEPS, {});
}

/**
 * Times TensorFlow on cases, each with the range that the rows use.
 *
 * @param {{cases: object[], x: Float32Array, dy: Float32Array}} job
 */
export function timeTensorFlow({cases, x, dy}) {
  mkdirSync(DATA, {recursive: true});
  writeFileSync(join(DATA, 'x.bin'), x);
  writeFileSync(join(DATA, 'dy.bin'), dy);
  return runPython('test/golden', KERNELS, {data: DATA, cases});
}
