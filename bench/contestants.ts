/** Who is timed against each other. */
import type * as tf from '@tensorflow/tfjs-core';

/** Runs once and frees what it made. */
export type Contestant = () => void | Promise<void>;

/** Who is timed on a case. */
export interface Contestants {
  readonly ours: Contestant;
  readonly yardstick: Contestant;
  readonly composed?: Contestant;
  /** Puts things as they are to be before ours runs; not timed. */
  readonly prepare?: Contestant;
  /** What our op is given, to be compared with a plain copy. */
  readonly x?: tf.Tensor;
  /** Throws unless what is timed is right. */
  readonly check: () => Promise<void>;
  readonly dispose: () => void;
}
