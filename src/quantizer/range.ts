/**
 * What every kind of range does, whether batches move it or gradient descent trains it. A kind is a file beside this one and
 * a row in fake_quantizer.ts; nothing else tells kinds apart.
 */
import {type Tensor, tidy, variable, type Variable, zeros} from '@tensorflow/tfjs-core';
import type {Grid} from '../../kernels/grid';
import type {QuantizerOptions} from './options';

/**
 * A range on the host: one number per channel.
 *
 * @example
 * ```js
 * import * as tf from '@tensorflow/tfjs';
 * import {FakeQuantizer} from 'tfjs-quantization/qat';
 *
 * const quantizer = new FakeQuantizer({axis: 1});
 * quantizer.apply(tf.tensor([[-1, 2], [1, 4]]), {training: true});
 * const {values} = await quantizer.snapshot();
 * console.log(values.min, values.max); // [-1,0] [1,4]
 * ```
 */
export interface RangeValues {
  /** The lower ends. */
  readonly min: readonly number[];
  /** The upper ends. */
  readonly max: readonly number[];
}

/**
 * What a quantizer knows at a time.
 *
 * @example
 * ```js
 * import {FakeQuantizer} from 'tfjs-quantization/qat';
 *
 * const quantizer = new FakeQuantizer({initialRange: [-1, 3]});
 * const {values, missed} = await quantizer.snapshot();
 * console.log(values.min, values.max, missed); // [-1] [3] 0
 * ```
 */
export interface RangeSnapshot {
  /** Undefined if there is no range yet. */
  readonly values: RangeValues | undefined;
  /** How many of the last batches were NaN or infinite, and so left the range as it was. */
  readonly missed: number;
  /** The grids in the numbers that training used, one per channel, if they are learned. */
  readonly learned?: readonly Grid[];
  /** How many of the ranges were learned to nothing, or to NaN, so that their last good values serve. */
  readonly collapsed?: number;
}

/** What is to be done with a tensor: whether it is a batch of training, whether it is rounded. */
export interface RangeMode {
  readonly training: boolean;
  readonly quantizing: boolean;
}

/** A kind of range. None waits for the device, but to give a snapshot. */
export interface QuantizerRange {
  /** All that the range is kept in. */
  readonly cells: readonly Cell[];
  /** What an optimizer has to train, if anything. */
  readonly variables: Variable[];
  /** Whether levels that are saved count from the low end; else from 0, which is a whole number of steps away from it. */
  readonly countsFromLow: boolean;
  /**
   * Rounds x, once it has moved the range in training; where there is no range, x stays as it is. Where nothing is to be
   * rounded it is called in training alone, and not while the range is frozen.
   */
  apply<T extends Tensor>(x: T, mode: RangeMode): T;
  /**
   * Rounds, in a prediction, what a ReLU gives of x, whose highest value is `relu`, in one pass and without a gradient. Undefined
   * where there is no one grid for all values, or where it is not sure that there is a range.
   */
  roundRelu<T extends Tensor>(x: T, relu: number): T | undefined;
  /** Sets the range as if `x` were the first batch, whatever it was before, frozen or not. */
  start(x: Tensor): void;
  /** Whether there is a range; what only the device knows is assumed. */
  isSet(): boolean;
  /** The ends of a range that is set, scalars or one value per channel. They are the caller's to dispose. */
  range(): [min: Tensor, max: Tensor];
  /** What {@link RangeSnapshot} says, read without anybody waiting. */
  snapshot(): Promise<RangeSnapshot>;
  /** Sets the range, each channel's or the one; `weight` is how much of an average it is. */
  set(min: readonly number[], max: readonly number[], weight: number): void;
  /** Says whether the range is to stay as it is in training. */
  freeze(frozen: boolean): void;
  /** Frees what is kept for predictions. */
  forget(): void;
}

/** A range as it was. */
export interface RangeMemory {
  /** Sets the range to it. */
  restore(): void;
  /** Forgets it. */
  dispose(): void;
}

/** What a kind of range is made with. */
export interface RangeOptions extends QuantizerOptions {
  /** The range before any batch, of each channel. */
  readonly initialRange?: readonly [min: number, max: number];
}

/** Makes a range of one kind: of each of so many channels or, if that is undefined, of all values. */
export type RangeKind = new (options: RangeOptions, newCell: NewCell, channels: number | undefined) => QuantizerRange;

/** A tensor that is kept from step to step: where it lives is up to who made it. */
export interface Cell {
  read(): Tensor;
  write(value: Tensor): unknown;
  dispose(): void;
  /** Of a moving range that is one from the start, whatever its weight. */
  readonly alwaysSet?: boolean;
}

/** Makes a cell of zeros. Layers add a weight, and save it by the name. */
export type NewCell = (name: string, shape: number[], trainable: boolean) => Cell;

/** A cell for code of tf-core. What is trained is a variable that optimizers find. */
export function variableCell(_name: string, shape: number[], trainable: boolean): Cell {
  const cell: Variable = tidy(() => variable(zeros(shape), trainable));
  return {read: () => cell, write: value => cell.assign(value), dispose: () => cell.dispose()};
}

/** How many steps lie between the ends of a range. */
export function stepsOf({numBits, narrowRange}: {readonly numBits: number; readonly narrowRange: boolean}): number {
  return 2 ** numBits - (narrowRange ? 2 : 1);
}
