/** What is kept from visit to visit, in this browser alone. Where nothing can be kept, nothing breaks. */
import {clear, createStore, getMany, setMany} from 'idb-keyval';
import type {io} from 'tfjs-quantization/tf';
import type {GivenFile, Settings} from './contract';
import type {Known} from './opened_model';

export interface Kept {
  readonly model: {readonly files: readonly GivenFile[]; readonly known: Known};
  readonly settings: Settings | undefined;
  readonly quantized: io.ModelArtifacts | undefined;
}

type Name = keyof Kept;

const NAMES: readonly Name[] = ['model', 'settings', 'quantized'];

const store = () => createStore('tfjs-quantization', 'bench');

/** Keeps some of it. Whether that worked: a private window, or a full disk, may have no room. */
export async function keep(what: Partial<Kept>): Promise<boolean> {
  try {
    await setMany(Object.entries(what), store());
    return true;
  } catch {
    return false;
  }
}

export async function kept(): Promise<Kept | undefined> {
  try {
    const [model, settings, quantized] = (await getMany(NAMES as string[], store())) as [
      Kept['model'] | undefined,
      Settings?,
      io.ModelArtifacts?,
    ];
    return model && {model, settings, quantized};
  } catch {
    return undefined;
  }
}

export async function forgetAll(): Promise<void> {
  try {
    await clear(store());
  } catch {
    // There was nothing to forget.
  }
}
