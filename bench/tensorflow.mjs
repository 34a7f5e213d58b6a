/** TensorFlow's own CPU kernels on the same data: of the TensorFlow that computed the golden data. */
import {execFileSync} from 'node:child_process';
import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';

const DATA = fileURLToPath(new URL('../.cache/bench/', import.meta.url));
const PYTHON = fileURLToPath(new URL('../scripts/python.mjs', import.meta.url));
const SCRIPT = fileURLToPath(new URL('time_tensorflow.py', import.meta.url));

/**
 * Times TensorFlow on cases, each with the range that the rows use.
 *
 * @param {{cases: object[], x: Float32Array, dy: Float32Array}} job
 */
export function timeTensorFlow({cases, x, dy}) {
  const python = execFileSync(process.execPath, [PYTHON, 'test/golden'], {encoding: 'utf8'}).trim();
  mkdirSync(DATA, {recursive: true});
  writeFileSync(join(DATA, 'x.bin'), x);
  writeFileSync(join(DATA, 'dy.bin'), dy);
  const output = execFileSync(python, [SCRIPT], {
    input: JSON.stringify({data: DATA, cases}),
    stdio: 'pipe',
    encoding: 'utf8',
  });
  return JSON.parse(output);
}
