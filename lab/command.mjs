/** What the commands have in common. Imports nothing but Node: on a fresh machine there is nothing else. */
import {spawnSync} from 'node:child_process';
import {existsSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
export const OUT = join(ROOT, 'out');

/** What whoever called the command can mend. */
export class UsageError extends Error {}

/** The command's options, as `parseArgs` describes them. */
export function readOptions(options) {
  try {
    return parseArgs({options}).values;
  } catch (error) {
    throw new UsageError(`${error.message}.`);
  }
}

/** 'a, b' as ['a', 'b']. */
export function listOf(text) {
  return text?.split(',').map(part => part.trim());
}

/** Refuses what is not known among what an option was given, if it was. */
export function checkAmong(option, given, known) {
  const odd = given?.find(name => !known.includes(name));
  if (odd !== undefined) throw new UsageError(`--${option} takes ${known.join(', ')}, but not '${odd}'.`);
}

export function installPackages() {
  if (existsSync(join(ROOT, 'node_modules'))) return;
  console.log('Installing packages …');
  const {status} = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: ROOT,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (status !== 0) throw new Error('npm ci failed: see its message above.');
}

/** A bar of progress; where there is no terminal, a line every so many seconds. */
export async function progressBar(format, seconds) {
  const {Presets, SingleBar} = await import('cli-progress');
  const elsewhere =
    seconds === undefined ? {clearOnComplete: true} : {noTTYOutput: true, notTTYSchedule: 1000 * seconds};
  return new SingleBar({format, hideCursor: true, ...elsewhere}, Presets.shades_classic);
}

/** Calls `work` with a function that shows how far it is: `(what, done, total)`. */
export async function withBar(work) {
  const bar = await progressBar('{bar} {value} of {total} | {what} | {duration_formatted}', 10);
  bar.start(1, 0, {what: 'starting'});
  try {
    return await work((what, done, total) => {
      bar.setTotal(total);
      bar.update(done, {what});
    });
  } finally {
    bar.stop();
  }
}

/** Runs a command and tells what went wrong with it, by its exit code too. */
export function runCommand(main) {
  main().catch(error => {
    const misused = error instanceof UsageError;
    console.error(misused ? `${error.message} See --help.` : error.message);
    process.exitCode = misused ? 2 : 1;
  });
}
