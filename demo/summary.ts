/** Scores as a table and as a plot. */
import * as Plot from '@observablehq/plot';
import {branchEpoch, type Method, type Plan, type Score} from './train';

/** Accuracies after the last epoch, as text. */
export interface Summary {
  readonly float: string;
  readonly rows: readonly {readonly bits: number; readonly PTQ: string; readonly QAT: string}[];
}

export function summarize(scores: readonly Score[], plan: Plan): Summary {
  const cell = (method: Method, bits?: number) =>
    describe(
      scores
        .filter(score => score.method === method && score.bits === bits && score.epoch === plan.epochs)
        .map(score => score.accuracy),
    );
  return {
    float: cell('float'),
    rows: plan.bits.map(bits => ({bits, PTQ: cell('PTQ', bits), QAT: cell('QAT', bits)})),
  };
}

/** Mean and sample standard deviation: 92.9 ± 0.6. */
export function describe(values: readonly number[]): string {
  if (values.length === 0) return '–';
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  if (values.length === 1) return mean.toFixed(1);
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return `${mean.toFixed(1)} ± ${Math.sqrt(squares / (values.length - 1)).toFixed(1)}`;
}

const COLORS = {float: '#8a94a6', PTQ: '#e07a1f', QAT: '#2f80ed'};

/** Accuracy over epochs, averaged over seeds: a panel per width, float in each for comparison. */
export function plotCurves(scores: readonly Score[], plan: Plan): Element {
  const branch = branchEpoch(plan);
  const only = (method: Method) => scores.filter(score => score.method === method);
  // Where it branches off, a network trained for few bits is the float one, quantized. Lines join points as they come.
  const start = only('PTQ').filter(score => score.epoch === branch);
  const quantized = [...only('PTQ'), ...start.map(score => ({...score, method: 'QAT'})), ...only('QAT')];
  const curve = {x: 'epoch', y: 'accuracy', z: 'method', stroke: 'method'};
  const legend = Object.entries(COLORS).map(([text, fill], i) =>
    Plot.text([text], {
      fx: plan.bits.slice(-1),
      frameAnchor: 'top-right',
      textAnchor: 'start',
      dx: 10,
      dy: 20 * i,
      fill,
    }),
  );
  return Plot.plot({
    width: 960,
    height: 340,
    marginTop: 40,
    marginRight: 50,
    marginBottom: 44,
    insetTop: 6,
    style: {fontSize: '13px', background: 'transparent'},
    x: {
      label: 'epochs',
      labelOffset: 36,
      domain: [1, plan.epochs],
      ticks: Math.min(4, plan.epochs - 1),
      tickFormat: 'd',
    },
    y: {label: 'test accuracy, %', domain: [0, 100], grid: true, tickSize: 0},
    fx: {label: null, domain: plan.bits, tickFormat: (bits: number) => `${bits} bits`},
    color: {domain: Object.keys(COLORS), range: Object.values(COLORS)},
    marks: [
      Plot.ruleX([branch], {stroke: 'currentColor', strokeOpacity: 0.3, strokeDasharray: '3,3'}),
      Plot.lineY(only('float'), Plot.groupX({y: 'mean'}, curve)),
      Plot.lineY(quantized, Plot.groupX({y: 'mean'}, {...curve, fx: 'bits'})),
      Plot.dot(quantized, Plot.groupX({y: 'mean'}, {...curve, fx: 'bits', r: 2.5, fill: 'method'})),
      ...legend,
    ],
  });
}
