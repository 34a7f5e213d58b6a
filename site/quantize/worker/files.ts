/** Files as they are given: archives are unpacked, and what systems put beside files is left out. */
import {gunzipSync, unzipSync} from 'fflate';
import type {GivenFile} from './contract';
import type {Job} from './job';

/** More than this is not unpacked, as a page has no room for it. */
const MOST_BYTES = 2 ** 30;

/** So many bytes are unpacked in one go: between them others have their turn. */
const AT_ONCE = 2 ** 23;

/** What systems and archivers put beside files. */
const JUNK = /(^|\/)(__MACOSX\/|\.[^/]*$|Thumbs\.db$|desktop\.ini$)/i;

/** What files of gzip begin with: its mark, and the one method that it has. */
const GZIP = [0x1f, 0x8b, 8];

const MIB = 2 ** 20;

/** Arrays of numpy come in archives of their own kind. */
const isZip = (path: string) => /\.(zip|npz)$/i.test(path);

/** The name of a file, without its folders. */
export const nameOf = (path: string) => path.slice(path.lastIndexOf('/') + 1);

/** The folder of a file, with a slash at its end; '' of none. */
export const folderOf = (path: string) => path.slice(0, path.lastIndexOf('/') + 1);

/** In lower case, without the dot. */
export const extensionOf = (path: string) => /\.([^./]+)$/.exec(path)?.[1]?.toLowerCase() ?? '';

/** Some of many names, for errors and warnings. */
export function someOf(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(', ');
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}

/** The files, those within archives in a folder of the archive's name; '/' separates folders. */
export async function unpacked(files: readonly GivenFile[], job: Job): Promise<GivenFile[]> {
  const all: GivenFile[] = [];
  for (const file of files) {
    const path = file.path.replaceAll('\\', '/');
    if (JUNK.test(path)) continue;
    if (isZip(path)) {
      const inner = await unpacked(await filesInZip(path, file.data, job), job);
      const folder = path.replace(/\.[^.]*$/, '/');
      all.push(...inner.map(({path: within, data}) => ({path: folder + within, data})));
    } else all.push(await gunzipped({path, data: file.data}));
  }
  return all;
}

/** Whoever downloads what a server compresses may keep it so, under its own name. */
async function gunzipped(file: GivenFile): Promise<GivenFile> {
  const start = new Uint8Array(await file.data.slice(0, GZIP.length).arrayBuffer());
  if (!GZIP.every((byte, i) => start[i] === byte)) return file;
  try {
    const data = new Blob([gunzipSync(new Uint8Array(await file.data.arrayBuffer()))]);
    return {path: file.path.replace(/\.gz$/i, ''), data};
  } catch {
    return file;
  }
}

function brokenZip(path: string, error: unknown): Error {
  const {message} = error as Error;
  const isUnknown = /compression type/.test(message);
  const remedy = isUnknown
    ? 'It is packed by a method that browsers do not know. Pack it as an ordinary zip, or give the files in it.'
    : 'It is broken, or not all of it was downloaded. Download it again, or unpack it and give the files in it.';
  return new Error(`${nameOf(path)} cannot be unpacked (${message}). ${remedy}`);
}

interface Entry {
  readonly name: string;
  readonly originalSize: number;
}

/** What is in an archive, in its order. */
function entriesOf(path: string, bytes: Uint8Array): Entry[] {
  const entries: Entry[] = [];
  try {
    unzipSync(bytes, {filter: entry => entries.push(entry) < 0});
  } catch (error) {
    throw brokenZip(path, error);
  }
  const total = entries.reduce((sum, {originalSize}) => sum + originalSize, 0);
  if (total <= MOST_BYTES) return entries;
  throw new Error(
    `${nameOf(path)} holds ${Math.round(total / MIB)} MB, more than the ${MOST_BYTES / MIB} MB that this page unpacks. Give fewer files.`,
  );
}

/** An archive is read from its end, and once for each group of files, which only then take room. */
async function filesInZip(path: string, data: Blob, job: Job): Promise<GivenFile[]> {
  if (data.size > MOST_BYTES) {
    throw new Error(
      `${nameOf(path)} has ${Math.round(data.size / MIB)} MB, more than this page has room for. Give fewer files.`,
    );
  }
  const bytes = new Uint8Array(await data.arrayBuffer());
  const entries = entriesOf(path, bytes);
  const files: GivenFile[] = [];
  for (let first = 0, end = 0; first < entries.length; first = end) {
    await job.turn();
    for (let size = 0; end < entries.length && (end === first || size < AT_ONCE); ++end)
      size += entries[end]!.originalSize;
    files.push(...filesBetween(path, bytes, first, end));
    job.tell('Unpacking', end, entries.length);
  }
  return files;
}

/** The files among the entries from one to before another. */
function filesBetween(path: string, bytes: Uint8Array, first: number, end: number): GivenFile[] {
  let at = -1;
  const isWanted = ({name}: Entry) => ++at >= first && at < end && !name.endsWith('/') && !JUNK.test(name);
  try {
    return Object.entries(unzipSync(bytes, {filter: isWanted})).map(([name, content]) => ({
      path: name.replaceAll('\\', '/'),
      data: new Blob([content]),
    }));
  } catch (error) {
    throw brokenZip(path, error);
  }
}
