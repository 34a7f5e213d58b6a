/** Samples of whatever kind a visitor has. */
import type {GivenFile} from '../contract';
import {extensionOf, nameOf, someOf, unpacked} from '../files';
import type {Job} from '../job';
import {readRows} from './csv';
import {readImages} from './images';
import {readArrays} from './npy';
import {mixedOrder, picked, type SampleSet, type Wanted} from './sample_set';

type Kind = 'image' | 'npy' | 'csv';

const KINDS: Readonly<Record<string, Kind>> = {
  ...Object.fromEntries(
    ['png', 'jpg', 'jpeg', 'jfif', 'webp', 'gif', 'bmp', 'avif', 'ico', 'tif', 'tiff', 'heic', 'heif'].map(ending => [
      ending,
      'image' as const,
    ]),
  ),
  npy: 'npy',
  csv: 'csv',
  tsv: 'csv',
};

const WANTED =
  'Give images (folders of them are classes), a .csv with a row for each sample, or .npy arrays; a zip of any of these does as well.';

export async function readSamples(
  given: readonly GivenFile[],
  wanted: Wanted,
  labelColumn: string | undefined,
  job: Job,
): Promise<SampleSet> {
  const files = await unpacked(given, job);
  const of = (kind: Kind) => files.filter(({path}) => KINDS[extensionOf(path)] === kind);
  const [images, arrays, tables] = [of('image'), of('npy'), of('csv')];
  const used = [images, arrays, tables].find(each => each.length > 0);
  if (!used) {
    const found =
      files.length > 0
        ? `Among the files (${someOf(files.map(({path}) => nameOf(path)))}) are no samples.`
        : 'There are no files.';
    throw new Error(`${found} ${WANTED}`);
  }
  const set = await readOf(used, used === images, used === arrays, wanted, labelColumn, job);
  const taken = new Set(used === tables ? used.slice(0, 1) : used);
  const others = files.filter(file => !taken.has(file)).map(({path}) => nameOf(path));
  const warnings =
    others.length > 0 ? [`Left out, as they are no samples of the kind of the others: ${someOf(others)}.`] : [];
  return {...set, warnings: [...set.warnings, ...warnings]};
}

async function readOf(
  files: readonly GivenFile[],
  areImages: boolean,
  areArrays: boolean,
  wanted: Wanted,
  labelColumn: string | undefined,
  job: Job,
): Promise<SampleSet> {
  if (areImages) return readImages(files, wanted, job);
  const set = areArrays ? await readArrays(files, wanted) : await readRows(files[0]!, wanted, labelColumn);
  return picked(set, mixedOrder(set.count));
}
