/** What rounding costs, layer by layer. */
import type {ReportRow} from '../worker/contract';
import {COLORS, type Make} from './common';

export type Measure = 'cost' | 'snr';

/** The signal to noise of a layer is that of its worst tensor; undefined where it rounds nothing, or changes nothing. */
export function worstSnr({tensors}: ReportRow): number | undefined {
  const found = tensors.flatMap(({snr}) => (snr !== undefined && Number.isFinite(snr) ? [snr] : []));
  return found.length > 0 ? Math.min(...found) : undefined;
}

/** The rows that have the measure, the worst first. */
export function byMeasure(rows: readonly ReportRow[], measure: Measure): {layer: string; value: number}[] {
  const values = rows.flatMap(row => {
    const value = measure === 'cost' ? row.only : worstSnr(row);
    return value === undefined ? [] : [{layer: row.layer, value}];
  });
  return values.sort((a, b) => (measure === 'cost' ? b.value - a.value : a.value - b.value));
}

const ROW = 24;
const NAMES = {share: 0.38, most: 230, letter: 7.5};

const AXES: Record<Measure, string> = {
  cost: 'divergence of the outputs →',
  snr: 'signal to noise, dB →',
};

export function layerBars(bars: readonly {layer: string; value: number}[], measure: Measure): Make {
  return (plot, width) => {
    const marginLeft = Math.min(NAMES.most, width * NAMES.share);
    return {
      width,
      height: bars.length * ROW + 46,
      marginLeft,
      marginRight: 16,
      x: {label: AXES[measure], grid: true, nice: true, ticks: Math.max(2, Math.min(8, width / 110))},
      y: {label: null, domain: bars.map(({layer}) => layer)},
      marks: [
        plot.axisY({tickSize: 0, lineWidth: (marginLeft - 10) / NAMES.letter, textOverflow: 'ellipsis-middle'}),
        plot.barX(bars, {x: 'value', y: 'layer', fill: measure === 'cost' ? COLORS.other : COLORS.quantized, rx: 2}),
        plot.ruleX([0], {strokeOpacity: 0.4}),
        plot.tip(bars, plot.pointerY({x: 'value', y: 'layer'})),
      ],
    };
  };
}
