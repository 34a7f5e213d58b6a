/** Packages of registries that are looked into, not installed. Imports nothing but Node. */
import {execFileSync} from 'node:child_process';
import {existsSync, mkdirSync, renameSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {ROOT} from './command.mjs';

/**
 * The folder of a package of npm's registry, unpacked on first use.
 *
 * @param {string} spec - as 'name@version'
 */
export function npmPackage(spec) {
  const folder = join(ROOT, '.cache', 'packages', spec.replaceAll('/', '+'));
  if (!existsSync(folder)) {
    console.error(`Fetching ${spec} …`);
    const part = `${folder}.part`; // what is left half-done is not taken for the package
    rmSync(part, {recursive: true, force: true});
    mkdirSync(part, {recursive: true});
    const windows = process.platform === 'win32';
    const archive = execFileSync('npm', ['pack', spec, '--silent'], {cwd: part, encoding: 'utf8', shell: windows});
    execFileSync('tar', ['xzf', archive.trim()], {cwd: part});
    rmSync(join(part, archive.trim()));
    renameSync(part, folder);
  }
  return join(folder, 'package');
}

/** The Python of a folder's requirements.txt, made on first use. */
export function pythonOf(folder) {
  return execFileSync(process.execPath, ['scripts/python.mjs', folder], {cwd: ROOT, encoding: 'utf8'}).trim();
}
