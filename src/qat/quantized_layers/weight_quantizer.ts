/** Rounding a weight of a layer, or making it of the levels that a file has in its place. */
import {add, div, mul, reshape, sub, type Tensor, tensor1d, tidy, type Variable} from '@tensorflow/tfjs-core';
import type {LayerVariable} from '@tensorflow/tfjs-layers';
import {foldingGain, foldingSources} from '../../layers/folding';
import {type BatchNorm, setConstraint} from '../../layers/tfjs_internals';
import type {Slot} from '../../layers/weights';
import {Derived} from '../../quantizer/derived';
import {FakeQuantizer} from '../../quantizer/fake_quantizer';
import {channelOf, type WeightLevels} from '../../quantizer/levels';
import {stepsOf} from '../../quantizer/range';
import type {Channels} from './layer_quantizer';

/** How many an LSTM has. */
const GATES = 4;

/** One weight of a layer and its quantizer, which measures it whenever it has changed. */
export class WeightQuantizer {
  readonly slot: Slot;
  readonly quantizer: FakeQuantizer;
  /** What the output channels were multiplied with before the levels were found that are saved, if they were. */
  gainOfLevels: readonly number[] | undefined;
  readonly #kept = new Derived();
  #measured: object | undefined;
  #holdsLevels: boolean;
  /** Whether a file is to have levels where the variable has values. */
  #savesLevels = false;
  /** What the weight is held to once it is made of its levels, which it would clip. */
  readonly #constraint: LayerVariable['constraint'] | null;

  constructor(slot: Slot, quantizer: FakeQuantizer, holdsLevels = false) {
    this.slot = slot;
    this.quantizer = quantizer;
    this.#holdsLevels = holdsLevels;
    this.#constraint = this.#layerVariable.constraint;
    if (holdsLevels) setConstraint(this.#layerVariable, null);
  }

  /** Whether what is saved are levels, from which the first call makes values. */
  get savesLevels(): boolean {
    return this.#holdsLevels || this.#savesLevels;
  }

  /**
   * Freezes the range, and has the saved layer say that the weight's variable holds levels: for a small file, where they are
   * put in its place. Gives what it is to hold.
   */
  keepLevels({levels, view, grid: {axis, spacing, lowest}, gain}: WeightLevels): ArrayLike<number> {
    this.quantizer.observing = false;
    this.#savesLevels = true;
    this.gainOfLevels = gain && Array.from(gain);
    if (!this.quantizer.countsFromLow) return levels;
    const channel = channelOf(view, axis);
    const counted = new Uint16Array(levels.length);
    levels.forEach((level, i) => (counted[i] = (level - lowest[channel(i)]!) / spacing));
    return counted;
  }

  /** The rounded weight, of the weight's shape: rounded once, until the weight, its range or the BatchNormalization changes. */
  quantized(batchNorm?: BatchNorm): Tensor {
    const {quantizer} = this;
    // What passes as it is needs no copy, and what measures, by a watcher or in the place of `apply`, is to see it.
    const isSeen = quantizer.watcher !== undefined || quantizer.apply !== FakeQuantizer.prototype.apply;
    const rounds = quantizer.quantizing && !isSeen && (quantizer.observing || quantizer.isSet());
    const value = () => reshape(this.#quantized(batchNorm), this.#layerVariable.shape as number[]);
    if (!rounds) return value();
    const sources = () => [this.#variable, ...quantizer.cells, ...(batchNorm ? foldingSources(batchNorm) : [])];
    return this.#kept.of(sources, value);
  }

  /** Frees what is kept for predictions. */
  forget(): void {
    this.#kept.forget();
    this.quantizer.forget();
  }

  #quantized(batchNorm?: BatchNorm): Tensor {
    const gain = batchNorm && this.#gain(batchNorm);
    const rounded = this.#rounded(gain);
    return gain ? div(rounded, gain) : rounded;
  }

  /** What the quantizer gives: the weight in the quantizer's view of it and, if a BatchNormalization is given, folded. */
  rounded(batchNorm?: BatchNorm): Tensor {
    return this.#rounded(batchNorm && this.#gain(batchNorm));
  }

  #rounded(gain?: Tensor): Tensor {
    if (this.#holdsLevels) this.#restore(gain);
    const weight = this.#variable;
    const viewed = this.#view(weight);
    if (gain) return this.quantizer.apply(mul(viewed, gain), {training: true});
    const training = weight.dataId !== this.#measured || !this.quantizer.isSet();
    if (this.quantizer.observing) this.#measured = weight.dataId;
    return this.quantizer.apply(viewed, {training});
  }

  /** Measures the weight as it is now, whatever its range was of; if it holds levels, these times `gain` were rounded. */
  restart(gain?: readonly number[]): void {
    if (this.#holdsLevels && gain) tidy(() => this.#restore(this.#alongOutputs(tensor1d([...gain]))));
    this.quantizer.restart(this.#view(this.#variable));
  }

  get #layerVariable(): LayerVariable {
    return this.slot.host[this.slot.attr]!;
  }

  get #variable(): Variable {
    return this.#layerVariable.read() as Variable;
  }

  /** Makes values of levels: about theirs, which rounding then makes exact. */
  #restore(gain?: Tensor): void {
    this.#holdsLevels = false;
    setConstraint(this.#layerVariable, this.#constraint);
    const {quantizing} = this.quantizer;
    this.quantizer.quantizing = true;
    tidy(() => {
      const {axis} = this.quantizer.options;
      const [low, high] = this.quantizer.range();
      const along = (ends: Tensor) => (axis === undefined ? ends : this.#alongOutputs(ends));
      const steps = mul(this.#view(this.#variable), along(div(sub(high, low), stepsOf(this.quantizer.options))));
      const rounded = this.quantizer.apply(this.quantizer.countsFromLow ? add(steps, along(low)) : steps);
      const values = gain ? div(rounded, gain) : rounded;
      this.#variable.assign(reshape(values, this.#variable.shape));
    });
    this.quantizer.quantizing = quantizing;
  }

  #view(weight: Tensor): Tensor {
    const {axis} = this.slot;
    return axis === 'depthwise' ? depthwiseView(weight) : axis === 'gates' ? gatesView(weight) : weight;
  }

  /** What folding multiplies with, along the output channels of the quantizer's view. */
  #gain(batchNorm: BatchNorm): Tensor {
    return this.#alongOutputs(foldingGain(batchNorm));
  }

  #alongOutputs(values: Tensor): Tensor {
    const {axis} = this.slot;
    if (axis === 'depthwise' || axis === 'gates') return reshape(values, [1, -1, 1]);
    const {rank} = this.#variable;
    const outputs = axis ?? rank - 1;
    return reshape(
      values,
      Array.from({length: rank}, (_, i) => (i === outputs ? -1 : 1)),
    );
  }
}

function depthwiseView(kernel: Tensor): Tensor {
  const [height, width, channels, multiplier] = kernel.shape as [number, number, number, number];
  // With the last dimension a kernel of multiplier 1 lies in WebGL's packed textures as it did, and is not moved.
  return reshape(kernel, [height * width, channels * multiplier, 1]);
}

function gatesView(kernel: Tensor): Tensor {
  return reshape(kernel, [kernel.shape[0], GATES, -1]);
}

/** The channels of a slot, in the quantizer's view of it, if it has any. */
export function channelsIn({host, attr, axis}: Slot): Channels | undefined {
  if (axis === undefined) return undefined;
  const {shape} = host[attr]!;
  if (axis === 'gates') return {axis: 1, count: GATES};
  return axis === 'depthwise' ? {axis: 1, count: shape[2]! * shape[3]!} : {axis, count: shape[axis]!};
}
