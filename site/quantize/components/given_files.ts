/** Files that visitors give, with the paths that they have in their folders. */
import type {GivenFile} from '../worker/contract';

/** Those that a file input holds. */
export function chosenFiles(input: HTMLInputElement): GivenFile[] {
  return [...(input.files ?? [])].map(data => ({path: data.webkitRelativePath || data.name, data}));
}

/** Those that were dropped, with all that is in folders among them. */
export async function droppedFiles({items}: DataTransfer): Promise<GivenFile[]> {
  // After the first wait a browser takes the items away.
  const entries = [...items].map(item => item.webkitGetAsEntry()).filter(entry => entry !== null);
  return (await Promise.all(entries.map(walk))).flat();
}

async function walk(entry: FileSystemEntry): Promise<GivenFile[]> {
  if (isFile(entry)) {
    const data = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
    return [{path: entry.fullPath.replace(/^\//, ''), data}];
  }
  return (await Promise.all((await entriesOf(entry as FileSystemDirectoryEntry)).map(walk))).flat();
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}

/** A reader gives a hundred at a time, and none at the end. */
async function entriesOf(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return all;
    all.push(...some);
  }
}
