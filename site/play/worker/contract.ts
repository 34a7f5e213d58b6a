/** All that the page knows of its workers, which do what tfjs is needed for: one reads digits, and each training has its own. */
import type {Method, Plan, Score} from '../training/plan';

/** A network among those that read. */
export interface NetworkName {
  readonly method: Method;
  /** Undefined for float. */
  readonly bits: number | undefined;
}

/** Networks that were trained: all numbers of each. */
export type Trained = readonly (NetworkName & {readonly numbers: Float32Array})[];

export interface Reading {
  /** For each digit, how sure the network is that this is it: they sum to 1. */
  readonly shares: readonly number[];
  /** Of the network on the test images, in percent. */
  readonly accuracy: number;
}

export interface TestImages {
  readonly images: readonly Float32Array[];
  readonly labels: readonly number[];
}

/** Callbacks are proxies of Comlink on the page's side. */
type OnBackend = (name: string) => void | Promise<void>;
type OnScore = (score: Score) => void | Promise<void>;

export interface DigitsWorker {
  /** Takes these networks to read with, instead of those before. */
  open(trained: Trained): void;
  /**
   * What a network says of 8x8 pixels; undefined if others have been opened meanwhile. What is quantized after training may have
   * any width, the others must be among those opened.
   */
  read(pixels: Float32Array, network: NetworkName): Promise<Reading | undefined>;
  /** The images that no network was trained on. */
  testImages(): Promise<TestImages>;
  /** Trains on a backend of tfjs, or for `auto` on the one that does it fastest here. */
  train(plan: Plan, backend: string, onBackend: OnBackend, onScore: OnScore): Promise<void>;
}
