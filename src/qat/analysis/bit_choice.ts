/** What chooseBits found, for people: a table, and a plot of what else there would have been. */
import {callback, throwProblems} from '../../check/rules';
import {tableOf} from '../../check/table';
import type {QuantizeOptions} from '../options/options';
import type {Agreement} from '../outputs/agreement';
import {plotOfChoice} from './bit_plot';

/** Widths of all layers' weights, what they take, and what is to be expected of them. */
export interface BitPoint {
  /** Bytes of all parameters: as `ChooseBitsOptions.bytes` counts them. */
  readonly bytes: number;
  /** Bits of a rounded weight on average. */
  readonly bitsPerWeight: number;
  /** The divergence from the float model's outputs that is predicted: the sum of what each layer loses by itself. */
  readonly predicted: number;
  /** For quantizeModel. */
  readonly options: QuantizeOptions;
}

/** A layer, or several of one name. */
export interface BitRow {
  readonly layer: string;
  /** How many weights are rounded. */
  readonly weights: number;
  /** The width chosen, or that the options name. */
  readonly numBits: number;
  /** Whether the options name the width. */
  readonly isPinned: boolean;
  /** Bytes of the weights at this width, with their scales. */
  readonly bytes: number;
  /** By width: the divergence from the float model's outputs if only this layer's weights are rounded. Empty where pinned. */
  readonly losses: Readonly<Record<number, number>>;
}

/** What chooseBits found. */
export interface BitChoice extends BitPoint {
  /** How well the outputs agree with the float model's, once it is quantized by the options and calibrated. */
  readonly measured: Agreement;
  /** For each layer, in the order of the model. */
  readonly rows: readonly BitRow[];
  /**
   * The Pareto front, by rising bytes: no other widths that take no more lose less, as far as is predicted. Where it has
   * very many points, some of them.
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

/** A choice that can be shown. */
export function bitChoice(found: BitFindings): BitChoice {
  return {
    ...found,
    print: (printLine = console.log) => {
      throwProblems('print', callback(printLine, 'printLine'));
      for (const line of linesOf(found)) printLine(line);
    },
    plot: () => plotOfChoice(found),
  };
}

function linesOf({rows, bytes, bitsPerWeight, predicted, measured, uniform}: BitFindings): string[] {
  const widths = uniform.map(({numBits}) => numBits);
  const heads = ['layer', 'weights', 'bytes', 'bits', ...widths.map(each => `loss at ${each}`)];
  const cells = rows.map(row => [
    row.layer,
    String(row.weights),
    String(row.bytes),
    `${row.numBits}${row.isPinned ? ' (pinned)' : ''}`,
    ...widths.map(each => lossText(row.losses[each])),
  ]);
  const {divergence, top1} = measured;
  const agree = top1 === undefined ? '' : `; the highest class agrees for ${(100 * top1).toFixed(1)} %`;
  return [
    ...tableOf(heads, cells),
    `${bytes} bytes, ${bitsPerWeight.toFixed(2)} bits a weight; divergence ${lossText(predicted)} predicted, ` +
      `${lossText(divergence)} measured${agree}`,
    ...uniform.map(
      each => `${each.numBits} bits everywhere: ${each.bytes} bytes; divergence ${lossText(each.predicted)} predicted`,
    ),
  ];
}

function lossText(loss: number | undefined): string {
  return loss === undefined ? '' : loss.toPrecision(3);
}
