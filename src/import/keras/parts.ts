/** What a layer becomes: one of tfjs's or several, whose last gives what the layer gave. */
import type {Config, KerasModel} from './topology';

/** Where a part's input comes from: the layer's own input of that index, or another part by its name. */
export type Source = number | string;

/** A weight of Keras's layer. */
export interface WeightSlot {
  /** The last parts of its name in Keras: of versions, one each. */
  readonly names: readonly string[];
  /** Its name within tfjs's layer; undefined if tfjs needs none of it. */
  readonly to: string | undefined;
  /** The layers inside the layer that have it, as .keras files name them. */
  readonly within: readonly string[];
  /** What is in the names of .h5 files between the layer's and the weight's, if that tells weights apart. */
  readonly hint: string | undefined;
  /** Which of the variables it is there. */
  readonly index: number;
  readonly isTrained: boolean;
  /** Another shape for the same numbers. */
  readonly reshaped?: (shape: readonly number[]) => number[];
}

/** Numbers that a part has for weights, made of the layer's. */
export interface MadeWeight {
  readonly to: string;
  readonly shape: readonly number[];
  readonly values: (valuesOf: (name: string) => Float32Array) => Float32Array;
}

export interface Part {
  readonly className: string;
  readonly config: Config;
  name: string;
  readonly takes: Source[];
  /** Those of the layer's weights that it has. */
  readonly weights?: readonly WeightSlot[];
  readonly made?: readonly MadeWeight[];
  /** If it is a model. */
  readonly model?: KerasModel;
}

/** Puts parts together. */
export class Parts {
  readonly #name: string;
  readonly #parts: Part[] = [];
  readonly #names = new Map<string, number>();

  constructor(name: string) {
    this.#name = name;
  }

  /** Adds a part, and returns its name. */
  add(
    className: string,
    config: Config,
    takes: readonly Source[],
    more: Pick<Part, 'weights' | 'made' | 'model'> = {},
  ): string {
    const kind = className.replace(/[a-z](?=[A-Z])/g, '$&_').toLowerCase();
    const count = (this.#names.get(kind) ?? 0) + 1;
    this.#names.set(kind, count);
    const name = `${this.#name}/${kind}${count > 1 ? `_${count}` : ''}`;
    this.#parts.push({className, config, name, takes: [...takes], ...more});
    return name;
  }

  /** All parts. The last goes by the layer's name. */
  finished(): Part[] {
    const last = this.#parts.at(-1);
    if (last) last.name = this.#name;
    return this.#parts;
  }
}
