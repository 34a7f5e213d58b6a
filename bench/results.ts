/** A run of the benchmark: the machine-readable file, and what reports are made of. */
import type {Plan, Spread} from './measure';
import type {Report} from './session';

/** One plan, and what came of it. */
export interface Session {
  readonly plan: Plan;
  /** The browser or Node. */
  readonly host: string;
  /** How many processes wanted a core over the last minute before; the benchmark itself is one or two of them. */
  readonly load?: number;
  readonly report?: Report;
  readonly error?: string;
}

interface TensorFlowTimes {
  readonly version: string;
  readonly times: readonly {
    readonly shape: readonly number[];
    readonly axis?: number;
    readonly forward: number;
    readonly gradient: number;
    readonly relu: number;
  }[];
}

/** Steps of training the digit classifier, in milliseconds, and quantized / float within a round. */
interface KerasTimes {
  readonly tensorflow: string;
  readonly tfmot: string;
  readonly steps: readonly {
    /** What trains: 'train_on_batch', 'tf.function'. */
    readonly how: string;
    readonly float: Spread;
    readonly quantized: Spread;
    readonly ratio: Spread;
  }[];
}

/** All of a run of the benchmark: this is the machine-readable file. */
export interface Run {
  readonly date: string;
  readonly machine: {readonly cpu: string; readonly cores: number; readonly memory: number; readonly system: string};
  readonly rounds: number;
  /** Of the ops entry, minified and compressed. */
  readonly entryBytes?: number;
  readonly sessions: readonly Session[];
  readonly tensorflow?: TensorFlowTimes;
  readonly keras?: KerasTimes;
}
