/** A choice for people: a table, and a plot of what else there would have been. */
import {callback, throwProblems} from '../../check/rules';
import {tableOf} from '../../check/table';
import {percent, short} from '../analysis/words';
import type {BitChoice, BitFindings, BitPoint} from './choice';
import {plotOfChoice} from './plot';

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

function linesOf({rows, uniform, measured, ...chosen}: BitFindings): string[] {
  const widths = uniform.map(({numBits}) => numBits);
  const heads = ['layer', 'of', 'count', 'bytes', 'bits', ...widths.map(each => `loss at ${each}`)];
  const cells = rows.map(row => [
    row.layer,
    row.what,
    String(row.count),
    String(row.bytes),
    `${Number(row.numBits.toFixed(2))}${row.isPinned ? ' (pinned)' : ''}`,
    ...widths.map(each => lossText(row.losses[each])),
  ]);
  const {divergence, top1} = measured;
  const agree = top1 === undefined ? '' : `; the highest class agrees for ${percent(top1)}`;
  return [
    ...tableOf(heads, cells),
    `chosen: ${sizeText(chosen)}`,
    `predicted: divergence ${lossText(chosen.predicted)}, the sum of what each loses alone`,
    `measured: divergence ${lossText(divergence)}, all rounded and calibrated${agree}`,
    ...uniform.map(
      each => `${each.numBits} bits everywhere: ${sizeText(each)}; divergence ${lossText(each.predicted)} predicted`,
    ),
  ];
}

function sizeText({bytes, bitsPerWeight, activationBytes, bitsPerActivation}: BitPoint): string {
  const weights = `${bytes} bytes, ${bitsPerWeight.toFixed(2)} bits a weight`;
  if (bitsPerActivation === undefined) return weights;
  return `${weights}; ${bitsPerActivation.toFixed(2)} bits an activation (${activationBytes} bytes a sample)`;
}

function lossText(loss: number | undefined): string {
  return loss === undefined ? '' : short(loss);
}
