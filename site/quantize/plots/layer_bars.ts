/** What rounding costs, layer by layer. */
import type {ReportRow} from '../worker/contract';
import {COLORS, type Make, names, STYLE, ticksIn} from './common';

export type Measure = 'cost' | 'snr';

export interface Bar {
  readonly layer: string;
  readonly value: number;
}

/** The signal to noise of a layer is that of its worst tensor; undefined where it rounds nothing, or changes nothing. */
function worstSnr({tensors}: ReportRow): number | undefined {
  const found = tensors.flatMap(({snr}) => (snr !== undefined && Number.isFinite(snr) ? [snr] : []));
  return found.length > 0 ? Math.min(...found) : undefined;
}

/** The layers that have the measure, the worst first. */
export function barsOf(rows: readonly ReportRow[], measure: Measure): Bar[] {
  const bars = rows.flatMap(row => {
    const value = measure === 'cost' ? row.only : worstSnr(row);
    return value === undefined ? [] : [{layer: row.layer, value}];
  });
  return bars.sort((a, b) => (measure === 'cost' ? b.value - a.value : a.value - b.value));
}

const ROW = 26;

const LOOKS: Readonly<Record<Measure, {label: string; fill: string}>> = {
  cost: {label: 'divergence of the outputs →', fill: COLORS.other},
  snr: {label: 'signal to noise, dB →', fill: COLORS.quantized},
};

export function layerBars(bars: readonly Bar[], measure: Measure, shortName: (layer: string) => string): Make {
  const {label, fill} = LOOKS[measure];
  return (plot, width) => {
    const marginLeft = Math.min(260, 0.4 * width);
    return {
      width,
      height: bars.length * ROW + 56,
      marginLeft,
      marginRight: 36,
      marginTop: 4,
      marginBottom: 44,
      style: STYLE,
      x: {label, labelOffset: 38, grid: true, nice: true, ticks: ticksIn(width - marginLeft)},
      y: {label: null, domain: bars.map(({layer}) => layer)},
      marks: [
        names(plot, marginLeft, shortName),
        plot.barX(bars, {x: 'value', y: 'layer', fill, rx: 2}),
        plot.ruleX([0], {strokeOpacity: 0.4}),
        plot.tip(bars, plot.pointerY({x: 'value', y: 'layer'})),
      ],
    };
  };
}
