/** Which class of the model a name in a visitor's files stands for. */
import {folderOf, someOf} from '../files';
import type {GivenFile} from '../contract';

/** Folders that part samples for training from others, not into classes. */
const SPLITS = /^(train(ing)?|test(ing|s)?|val(id(ation)?)?)$/i;

const TESTS = /^(test(ing|s)?|val(id(ation)?)?)$/i;

/** Names that differ in case, or in what is between words, are the same; Teachable Machine's archives end in "-samples". */
const plain = (name: string) =>
  name
    .toLowerCase()
    .replace(/-samples$/, '')
    .replace(/[\s_-]+/g, ' ')
    .trim();

const inOrder = new Intl.Collator('en', {numeric: true}).compare;

/** What the names of classes come to. */
export interface ClassMatch {
  /** The class of each name; undefined where the names cannot be the model's classes. */
  readonly classOf: ReadonlyMap<string, number> | undefined;
  readonly warnings: readonly string[];
}

/**
 * Finds the class of each name: by the model's labels, else by numbers that names are, else in the order of the names, as
 * Keras takes folders.
 */
export function matchClasses(
  names: readonly string[],
  {classes, labels}: {readonly classes: number | undefined; readonly labels: readonly string[] | undefined},
): ClassMatch {
  const sorted = [...new Set(names)].sort(inOrder);
  const none = (why: string): ClassMatch => ({classOf: undefined, warnings: why ? [why] : []});
  if (sorted.length === 0) return none('');
  if (classes === undefined) return none(`The model tells no classes apart, so that ${someOf(sorted)} are not used.`);
  const byLabel = new Map(labels?.map((label, i) => [plain(label), i]));
  const labelled = sorted.filter(name => byLabel.has(plain(name)));
  const toMap = (from: readonly string[], of: (name: string, i: number) => number) =>
    new Map(from.map((name, i) => [name, of(name, i)]));
  if (labelled.length > 0) {
    const unknown = sorted.filter(name => !byLabel.has(plain(name)));
    const warning = `${someOf(unknown)}: the model has no such class, so that these samples are left out. It has ${someOf(labels!)}.`;
    return {classOf: toMap(labelled, name => byLabel.get(plain(name))!), warnings: unknown.length > 0 ? [warning] : []};
  }
  if (sorted.every(name => /^\d+$/.test(name) && Number(name) < classes))
    return {classOf: toMap(sorted, Number), warnings: []};
  if (sorted.length !== classes) {
    return none(
      `There are ${sorted.length} classes (${someOf(sorted)}), but the model has ${classes}${labels ? ` (${someOf(labels)})` : ''}. Accuracy is not told.`,
    );
  }
  const warning = labels
    ? [
        `The classes are not called as the model's (${someOf(labels)}): in order, ${sorted[0]} is taken for ${labels[0]}, and so on.`,
      ]
    : [
        `The classes are taken in the order of their names: ${someOf(sorted)}. If accuracy is low, the model has another order.`,
      ];
  return {classOf: toMap(sorted, (_, i) => i), warnings: warning};
}

/** What the folders of a file say of it. */
export interface Placed {
  readonly file: GivenFile;
  /** The folder that may name a class; undefined of a file that lies in none. */
  readonly className: string | undefined;
  readonly isTest: boolean;
}

/** Reads folders, less what all have in common unless that is a label, and less those that part training from tests. */
export function placedFiles(files: readonly GivenFile[], labels: readonly string[] | undefined): Placed[] {
  const isLabel = (name: string) => labels?.some(label => plain(label) === plain(name)) ?? false;
  const folders = files.map(({path}) => folderOf(path).split('/').filter(Boolean));
  let common = 0;
  while (folders.length > 0) {
    const name = folders[0]![common];
    if (name === undefined || isLabel(name) || SPLITS.test(name)) break;
    if (!folders.every(folder => folder[common] === name)) break;
    common++;
  }
  const inner = folders.map(folder => folder.slice(common));
  const areSplit =
    inner.length > 0 && inner.every(([first]) => first !== undefined && SPLITS.test(first) && !isLabel(first));
  return files.map((file, i) => {
    const folder = inner[i]!;
    return {file, className: folder[areSplit ? 1 : 0], isTest: areSplit && TESTS.test(folder[0]!)};
  });
}
