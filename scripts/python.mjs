/**
 * Makes the virtual environment of a folder's requirements.txt, unless it is there, and prints the path of its Python.
 * Imports nothing but Node.
 */
import {execFileSync, spawnSync} from 'node:child_process';
import {copyFileSync, existsSync, readFileSync} from 'node:fs';
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

/** Lists of packages, and how pip installs them. Those without dependencies list what they need of them. */
const LISTS = [
  ['requirements.txt', []],
  ['requirements-no-deps.txt', ['--no-deps']],
];

function pythonFor(folder) {
  const venv = join(ROOT, '.cache', 'python', basename(folder));
  const python = join(venv, 'bin', 'python');
  const lists = LISTS.map(([name, options]) => {
    const installed = join(venv, name.replace('requirements', 'installed'));
    return {wanted: join(ROOT, folder, name), installed, options};
  }).filter(({wanted}) => existsSync(wanted));
  const textOf = file => existsSync(file) && readFileSync(file, 'utf8');
  const isMissing = ({wanted, installed}) => textOf(installed) !== textOf(wanted);
  if (isMissing(lists[0])) make(venv);
  for (const {wanted, installed, options} of lists.filter(isMissing)) {
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...options, '-r', wanted];
    execFileSync(python, pip, {stdio: ['ignore', 2, 2]});
    copyFileSync(wanted, installed);
  }
  return python;
}

console.log(pythonFor(process.argv[2]));
