/** What was made of the quantized model as it is now. */
import {batch, signal} from '@preact/signals';
import {proxy} from 'comlink';
import {FILE_KINDS, type FileKindInfo} from './file_kinds';
import type {Comparison} from './run/compared';
import {bench, model, perform, say, scores} from './state';
import type {FileKind, OnProgress, Scores, WrittenFile} from './worker/contract';

/** A file, of the float model, or of the quantized one that had these scores; or why there is none. */
export type Outcome = {readonly of: Scores | 'float' | undefined} & (
  {readonly file: WrittenFile} | {readonly problem: string; readonly file?: never}
);

/** The files that were written. Those of a model that has changed stay until they are written anew. */
export const files = signal<Readonly<Partial<Record<FileKind, Outcome>>>>({});

/** A tensor whose values are looked at. */
export interface Chosen {
  readonly layer: string;
  readonly what: string;
}

export const chosen = signal<Chosen | undefined>(undefined);

/** What the file gave in LiteRT.js, beside both models in tfjs. */
export const comparison = signal<Comparison | undefined>(undefined);

scores.subscribe(() => {
  batch(() => {
    chosen.value = undefined;
    comparison.value = undefined;
  });
});

model.subscribe(() => {
  files.value = {};
});

const OF_FLOAT: ReadonlySet<FileKind> = new Set(FILE_KINDS.filter(({isOfFloat}) => isOfFloat).map(({kind}) => kind));

/** Whether what was written is of the model as it is now. */
export function isFresh(outcome: Outcome): boolean {
  return outcome.of === 'float' || outcome.of === scores.value;
}

/** The file of a kind, if there is one of the model as it is now. */
export function fresh(kind: FileKind): WrittenFile | undefined {
  const outcome = files.value[kind];
  return outcome && isFresh(outcome) ? outcome.file : undefined;
}

/** Writes a file, unless it is there. */
export async function written(kind: FileKind, onProgress: OnProgress): Promise<WrittenFile> {
  const before = fresh(kind);
  if (before) return before;
  const of = OF_FLOAT.has(kind) ? 'float' : scores.value;
  const keep = (outcome: Outcome) => (files.value = {...files.value, [kind]: outcome});
  try {
    const file = await bench.write(kind, onProgress);
    keep({of, file});
    return file;
  } catch (error) {
    const {name, message} = error as Error;
    if (name !== 'AbortError') keep({of, problem: message});
    throw error;
  }
}

/** Writes a file, and resolves to undefined where that fails; why is said beside the file. */
export async function write({kind, title}: FileKindInfo): Promise<WrittenFile | undefined> {
  return perform('take', `Writing ${title}`, onProgress => written(kind, onProgress).catch(unlessProblem));
}

/** Writes all files, one after the other. */
export async function writeAll(): Promise<void> {
  const all = await perform('take', 'Writing all files', async onProgress => {
    for (const [done, {kind, title}] of FILE_KINDS.entries()) {
      onProgress({doing: `Writing ${title}`, done, total: FILE_KINDS.length});
      await written(
        kind,
        proxy(() => undefined),
      ).catch(unlessProblem);
    }
    return true;
  });
  if (all) say('All files are written.');
}

/** What cannot be written is said beside its file, and keeps no other from being written. */
function unlessProblem(error: unknown): undefined {
  if ((error as Error).name === 'AbortError') throw error;
  return undefined;
}
