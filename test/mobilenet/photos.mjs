/** Photos of two Python packages, made by images.py on first use and kept in .cache. */
import {execFileSync} from 'node:child_process';
import {existsSync} from 'node:fs';
import {mkdir, readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {ROOT} from '../../lab/command.mjs';
import {pythonOf} from '../../lab/packages.mjs';

const SCRIPT = fileURLToPath(new URL('images.py', import.meta.url));
/** Where they lie, as COUNT.bin. */
export const PHOTOS = join(ROOT, '.cache', 'photos');

/** So many photos, of 224 by 224 pixels of three bytes each. */
export async function loadPhotos(count) {
  const file = join(PHOTOS, `${count}.bin`);
  if (!existsSync(file)) {
    await mkdir(PHOTOS, {recursive: true});
    execFileSync(pythonOf('test/mobilenet'), [SCRIPT, String(count), file], {stdio: ['ignore', 'inherit', 'inherit']});
  }
  return readFile(file);
}
