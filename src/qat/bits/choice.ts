/** What chooseBits finds. */
import type {QuantizeOptions} from '../options/options';
import type {Agreement} from '../outputs/agreement';

/**
 * Widths of all layers, what they take, and what is to be expected of them.
 *
 * @example
 * ```js
 * import {chooseBits} from 'tfjs-quantization/qat';
 *
 * const {front} = await chooseBits(model, images, {bitsPerWeight: 4, widths: [4, 8]});
 * for (const {bytes, predicted, options} of front) {
 *   console.log(bytes, predicted, options.layers);
 * }
 * ```
 */
export interface BitPoint {
  /** Bytes of all parameters: as `ChooseBitsOptions.bytes` counts them. */
  readonly bytes: number;
  /** Bits of a rounded weight on average. */
  readonly bitsPerWeight: number;
  /** Bytes of all rounded activations of one sample, packed; undefined where only weights' widths are chosen. */
  readonly activationBytes: number | undefined;
  /** Bits of a rounded activation on average; undefined likewise. */
  readonly bitsPerActivation: number | undefined;
  /**
   * The divergence from the float model's outputs that is predicted, as `Agreement.divergence` is measured: the sum of what
   * each layer loses by itself, and of what is lost besides.
   */
  readonly predicted: number;
  /** For quantizeModel. */
  readonly options: QuantizeOptions;
}

/**
 * The weights or the activations of a layer, or of several of one name.
 *
 * @example
 * ```js
 * import {chooseBits} from 'tfjs-quantization/qat';
 *
 * const {rows} = await chooseBits(model, images, {bitsPerWeight: 6, widths: [4, 8]});
 * for (const {layer, count, numBits, losses} of rows) {
 *   console.log(layer, count, numBits, losses[4], losses[8]);
 * }
 * ```
 */
export interface BitRow {
  /** The layer's name. */
  readonly layer: string;
  /** Which of both; activations only where their widths are chosen. */
  readonly what: 'weights' | 'activations';
  /** How many weights are rounded, or how many activations of one sample. */
  readonly count: number;
  /** The width chosen, or that the options name. */
  readonly numBits: number;
  /** Whether the options, or a runtime, fix the width. */
  readonly isPinned: boolean;
  /** Bytes at this width: of weights with their scales. */
  readonly bytes: number;
  /** By width: the divergence from the float model's outputs if nothing but this is rounded. Empty where pinned. */
  readonly losses: Readonly<Record<number, number>>;
}

/**
 * What chooseBits found.
 *
 * @example
 * ```js
 * import {writeFile} from 'node:fs/promises';
 * import {chooseBits, quantizeModel} from 'tfjs-quantization/qat';
 *
 * const bits = await chooseBits(model, images, {bytes: 300, widths: [2, 4, 8]});
 * console.log(bits.bitsPerWeight, bits.measured.divergence);
 * await writeFile('bits.svg', bits.plot());
 * const q = quantizeModel(model, bits.options);
 * ```
 */
export interface BitChoice extends BitPoint {
  /** How well the outputs agree with the float model's, once it is quantized by the options and calibrated. */
  readonly measured: Agreement;
  /** For each layer, in the order of the model: of weights, then of activations. */
  readonly rows: readonly BitRow[];
  /**
   * The Pareto front, by rising size: no other widths that take no more lose less, as far as is predicted. Where it has
   * very many points, some of them. With `bitsPerActivation` it is the weights' alone, beside the activations' widths chosen.
   */
  readonly front: readonly BitPoint[];
  /** The same width for all layers that are not pinned, for each width. */
  readonly uniform: readonly (BitPoint & {readonly numBits: number})[];
  /** Prints the rows as a table, and what the choice takes and loses. */
  readonly print: (printLine?: (line: string) => void) => void;
  /** The front, the uniform widths and the choice, as the text of an SVG. */
  readonly plot: () => string;
}

/** All of a choice but the ways to show it. */
export type BitFindings = Omit<BitChoice, 'print' | 'plot'>;
