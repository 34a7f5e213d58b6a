/** What is compared, and what comes of it. */

export interface Plan {
  /** Widths of weights and activations alike. */
  readonly bits: readonly number[];
  /** Epochs that every network gets in all. */
  readonly epochs: number;
  /** The first seed, and how many from it on. */
  readonly seed: number;
  readonly seeds: number;
}

/** `PTQ`: quantized after training. `QAT`: quantization-aware training. */
export type Method = 'float' | 'PTQ' | 'QAT';

/** Test accuracy in percent after `epoch` epochs. */
export interface Score {
  readonly method: Method;
  /** Undefined for float. */
  readonly bits: number | undefined;
  readonly seed: number;
  readonly epoch: number;
  readonly accuracy: number;
  /** All numbers of the network, if it was trained and this is the end. */
  readonly numbers?: Float32Array;
  /** The network as a .tflite file, at the end of quantization-aware training. */
  readonly file?: Uint8Array;
}

/** The epoch at which quantization-aware training branches off from float training: after about three quarters. */
export function branchEpoch({epochs}: Plan): number {
  return epochs - Math.max(1, Math.round(epochs / 4));
}

/** How many epochs the whole comparison trains. Each ends with a score that is not PTQ's. */
export function epochCount(plan: Plan): number {
  return plan.seeds * (plan.epochs + plan.bits.length * (plan.epochs - branchEpoch(plan)));
}
