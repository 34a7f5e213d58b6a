/** TensorFlow's own CPU kernels on the same data: sets up Python's package beside the build, and asks it. */
import {execFileSync} from 'node:child_process';
import {existsSync, mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';

const PACKAGE = 'tensorflow-cpu==2.21.0';
const CACHE = fileURLToPath(new URL('../.cache/bench/', import.meta.url));
const SCRIPT = fileURLToPath(new URL('time_tensorflow.py', import.meta.url));

/** The virtual environment's Python, made if it is not there. */
function setUpPython() {
  const folder = join(CACHE, 'python');
  const python = join(folder, ...(process.platform === 'win32' ? ['Scripts', 'python.exe'] : ['bin', 'python']));
  const ready = join(folder, 'ready');
  if (existsSync(ready)) return python;
  console.log(`Installing ${PACKAGE} …`);
  const run = (command, args) => execFileSync(command, args, {stdio: ['ignore', 'ignore', 'inherit']});
  try {
    run(process.platform === 'win32' ? 'python' : 'python3', ['-m', 'venv', folder]);
    run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', PACKAGE]);
  } catch (error) {
    throw new Error(`--tensorflow needs Python 3.10 to 3.13 with venv, and ${PACKAGE}: ${error.message}`, {
      cause: error,
    });
  }
  writeFileSync(ready, PACKAGE);
  return python;
}

/**
 * Times TensorFlow on cases, each with the range that the rows use.
 *
 * @param {{cases: object[], x: Float32Array, dy: Float32Array}} job
 */
export function timeTensorFlow({cases, x, dy}) {
  const python = setUpPython();
  const data = join(CACHE, 'data');
  mkdirSync(data, {recursive: true});
  writeFileSync(join(data, 'x.bin'), x);
  writeFileSync(join(data, 'dy.bin'), dy);
  const output = execFileSync(python, [SCRIPT], {
    input: JSON.stringify({data, cases}),
    stdio: 'pipe',
    encoding: 'utf8',
  });
  return JSON.parse(output);
}
