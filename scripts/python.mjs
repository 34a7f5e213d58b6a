/**
 * Makes the virtual environment of a folder's requirements.txt, unless it is there, and prints the path of its Python.
 * Imports nothing but Node.
 */
import {execFileSync, spawnSync} from 'node:child_process';
import {existsSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {basename, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {aptInstall} from './browsers.mjs';

const ROOT = fileURLToPath(new URL('../', import.meta.url));

function make(venv) {
  const create = () => spawnSync('python3', ['-m', 'venv', '--clear', venv], {stdio: ['ignore', 2, 2]}).status === 0;
  if (create()) return;
  aptInstall(['python3', 'python3-venv']);
  if (!create()) throw new Error('python3 -m venv failed. Install Python 3.11 or newer, with its venv module.');
}

function pythonFor(folder) {
  const requirements = join(ROOT, folder, 'requirements.txt');
  const venv = join(ROOT, '.cache', 'python', basename(folder));
  const [python, installed] = [join(venv, 'bin', 'python'), join(venv, 'installed.txt')];
  const wanted = readFileSync(requirements, 'utf8');
  if (existsSync(installed) && readFileSync(installed, 'utf8') === wanted) return python;
  rmSync(installed, {force: true});
  make(venv);
  execFileSync(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements], {
    stdio: ['ignore', 2, 2],
  });
  writeFileSync(installed, wanted);
  return python;
}

console.log(pythonFor(process.argv[2]));
