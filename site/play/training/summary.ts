/** Scores as a table and as a plot. */
import * as Plot from '@observablehq/plot';
import {COLORS, legend, STYLE} from '../../../lab/plots';
import {summaryOf} from '../../../lab/statistics';
import {branchEpoch, type Method, type Plan, type Score} from './plan';

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
  const summary = summaryOf(values);
  if (!summary) return '–';
  const {mean, deviation} = summary;
  return mean.toFixed(1) + (deviation === undefined ? '' : ` ± ${deviation.toFixed(1)}`);
}

const METHODS: Readonly<Record<Method, string>> = {float: COLORS.gray, PTQ: COLORS.orange, QAT: COLORS.blue};

/** Below so many pixels, panels are below each other. */
const NARROW = 600;

/** Accuracy over epochs, averaged over seeds: a panel per width, float in each for comparison. */
export function curvesOf(width: number, scores: readonly Score[], plan: Plan): Plot.PlotOptions {
  const branch = branchEpoch(plan);
  const only = (method: Method) => scores.filter(score => score.method === method);
  // Where it branches off, a network trained for few bits is the float one, quantized. Lines join points as they come.
  const start = only('PTQ').filter(score => score.epoch === branch);
  const quantized = [...only('PTQ'), ...start.map(score => ({...score, method: 'QAT'})), ...only('QAT')];
  const curve = {x: 'epoch', y: 'accuracy', z: 'method', stroke: 'method'};
  const facet = width < NARROW ? 'fy' : 'fx';
  const panels = {label: null, domain: plan.bits, tickFormat: (bits: number) => `${bits} bits`};
  return {
    width,
    height: facet === 'fy' ? 60 + 160 * plan.bits.length : 340,
    marginTop: 40,
    marginRight: 60,
    marginBottom: 44,
    insetTop: 6,
    style: STYLE,
    x: {
      label: 'epochs',
      labelOffset: 36,
      domain: [1, plan.epochs],
      ticks: Math.min(4, plan.epochs - 1),
      tickFormat: 'd',
    },
    y: {label: 'test accuracy, %', domain: [0, 100], grid: true, tickSize: 0, ticks: 5},
    [facet]: panels,
    color: {domain: Object.keys(METHODS), range: Object.values(METHODS)},
    marks: [
      // Every panel is there from the start.
      Plot.ruleY(plan.bits, {y: 0, [facet]: Plot.identity, strokeOpacity: 0.1}),
      Plot.ruleX([branch], {stroke: 'currentColor', strokeOpacity: 0.3, strokeDasharray: '3,3'}),
      Plot.lineY(only('float'), Plot.groupX({y: 'mean'}, curve)),
      Plot.lineY(quantized, Plot.groupX({y: 'mean'}, {...curve, [facet]: 'bits'})),
      Plot.dot(quantized, Plot.groupX({y: 'mean'}, {...curve, [facet]: 'bits', r: 2.5, fill: 'method'})),
      ...(facet === 'fx' ? legend(METHODS, plan.bits.at(-1)) : []),
    ],
  };
}
