/** The figures to reach, and what was measured of them. */
import {type Case, elementsOf, GPU, isFlat, K, M, nameOf, ROWS, type RowName} from './catalogue';
import type {Result, Spread} from './measure';
import type {Run} from './results';

/** One measured figure. Without `most`, it must be at least `least`. */
export interface Figure {
  readonly where: string;
  readonly value: number;
  /** The smallest and largest of its rounds. */
  readonly spread?: Spread;
}

export interface Goal {
  readonly title: string;
  readonly bound: {readonly most: number} | {readonly least: number};
  readonly figures: (run: Run) => Figure[];
}

const BACKENDS = ['webgpu', 'webgl', 'cpu', 'wasm'];

function resultsOf(run: Run, row: RowName, backends: readonly string[]): Result[] {
  return run.sessions
    .flatMap(({report}) => report?.results ?? [])
    .filter(result => result.row === row && backends.includes(result.backend) && result.timings);
}

function has(size: number): (each: Case) => boolean {
  return each => isFlat(each) && elementsOf(each) === size;
}

function ratioFigures(
  of: 'overYardstick' | 'composedOver',
  row: RowName,
  backends: readonly string[],
  selects: (each: Case) => boolean,
): (run: Run) => Figure[] {
  return run =>
    resultsOf(run, row, backends)
      .filter(result => selects(result.case))
      .map(result => ({
        where: `${result.backend} ${nameOf(result.case)}`,
        value: result[of]!.median,
        spread: result[of]!,
      }));
}

function over(row: RowName, backends: readonly string[], selects = has(4 * M)): (run: Run) => Figure[] {
  return ratioFigures('overYardstick', row, backends, selects);
}

function composedOver(row: RowName, backends: readonly string[], selects = has(4 * M)): (run: Run) => Figure[] {
  return ratioFigures('composedOver', row, backends, selects);
}

const any = () => true;
/** Launch overhead is not a matter of the axis. */
const large = (each: Case) => elementsOf(each) >= M;

/** Ours in milliseconds. */
function oursOf({timings}: Result): number {
  return timings!['ours']!.ms.median;
}

/** A figure for each backend from all of a row's results. */
function perBackend(row: RowName, figure: (results: readonly Result[]) => number | undefined) {
  return (run: Run): Figure[] => {
    const groups = new Map<string, Result[]>();
    for (const result of resultsOf(run, row, BACKENDS)) {
      groups.set(result.backend, [...(groups.get(result.backend) ?? []), result]);
    }
    return [...groups].flatMap(([where, results]) => {
      const value = figure(results);
      return value === undefined ? [] : [{where, value}];
    });
  };
}

function slowestOverFastest(results: readonly Result[]): number | undefined {
  const perElement = results.map(result => oursOf(result) / elementsOf(result.case));
  return results.length < 2 ? undefined : Math.max(...perElement) / Math.min(...perElement);
}

function growth(results: readonly Result[]): number | undefined {
  const [big, small] = [4 * M, 256 * K].map(size => results.find(result => has(size)(result.case)));
  return big && small ? oursOf(big) / oursOf(small) : undefined;
}

function recompiled(run: Run): Figure[] {
  const most = new Map<string, number>();
  for (const {plan, report} of run.sessions) {
    if (report?.recompiled === undefined || !GPU.includes(plan.backend)) continue;
    const name = plan.backend;
    most.set(name, Math.max(most.get(name) ?? 0, report.recompiled));
  }
  return [...most].map(([where, value]) => ({where, value}));
}

function dispatches(row: RowName) {
  return (run: Run): Figure[] =>
    resultsOf(run, row, GPU).map(result => ({
      where: `${result.backend} ${nameOf(result.case)}`,
      value: result.timings!['ours']!.counts.dispatches,
    }));
}

/** What tensors hold at most, by what they hold while the yardstick runs. */
function peaks(...rows: RowName[]) {
  return (run: Run): Figure[] =>
    rows.flatMap(row =>
      resultsOf(run, row, BACKENDS).map(({backend, case: each, timings}) => ({
        where: `${backend} ${nameOf(each)}`,
        value: timings!['ours']!.counts.peak / timings!['yardstick']!.counts.peak,
      })),
    );
}

/** Ours on the cpu backend over TensorFlow's kernel on one thread. */
function overTensorFlow(row: RowName, kernel: 'forward' | 'gradient', selects: (each: Case) => boolean) {
  return (run: Run): Figure[] =>
    resultsOf(run, row, ['cpu'])
      .filter(result => selects(result.case))
      .flatMap(result => {
        const theirs = run.tensorflow?.times.find(
          each => nameOf(each) === nameOf(result.case) && each.axis === result.case.axis,
        );
        if (!theirs) return [];
        return [{where: `cpu ${nameOf(result.case)}`, value: oursOf(result) / theirs[kernel]}];
      });
}

export const GOALS: readonly Goal[] = [
  {title: 'forward, per tensor, 4M / relu', bound: {most: 1.05}, figures: over('forward', GPU)},
  {title: 'forward, per channel, any axis / relu', bound: {most: 1.25}, figures: over('per-channel', GPU, large)},
  {title: 'forward, cpu / relu', bound: {most: 0.55}, figures: over('forward', ['cpu'])},
  {title: 'dx / gradient of relu', bound: {most: 1}, figures: over('dx', [...GPU, 'cpu'])},
  {title: 'dx + dmin + dmax, composed / ours, GPU', bound: {least: 6}, figures: composedOver('gradient', GPU)},
  {title: 'dx + dmin + dmax, composed / ours, cpu', bound: {least: 15}, figures: composedOver('gradient', ['cpu'])},
  {title: 'forward, composed / ours, GPU', bound: {least: 6}, figures: composedOver('forward', GPU)},
  {
    title: 'forward, composed as short as can be / ours, GPU (no goal of its own)',
    bound: {least: 1},
    figures: composedOver('forward-lean', GPU),
  },
  {title: 'forward, composed / ours, cpu', bound: {least: 15}, figures: composedOver('forward', ['cpu'])},
  {title: 'QuantizeAndDequantizeV4, range measured / relu', bound: {most: 2.2}, figures: over('v4-measured', GPU)},
  {
    title: 'per-channel sums: slowest / fastest per element',
    bound: {most: 2.5},
    figures: perBackend('sums', slowestOverFastest),
  },
  {title: 'forward, time(4M) / time(256k)', bound: {most: 18}, figures: perBackend('forward', growth)},
  {title: '1k elements: forward / relu, WebGPU', bound: {most: 1.2}, figures: over('forward', ['webgpu'], has(K))},
  {title: '1k elements: forward / relu, WebGL', bound: {most: 1.5}, figures: over('forward', ['webgl'], has(K))},
  {
    title: '1k elements: forward / relu, cpu and wasm',
    bound: {most: 1.3},
    figures: over('forward', ['cpu', 'wasm'], has(K)),
  },
  {title: 'programs compiled after the first step', bound: {most: 0}, figures: recompiled},
  {
    title: 'ops entry, min + gzip, kB',
    bound: {most: 18},
    figures: ({entryBytes}) => (entryBytes === undefined ? [] : [{where: 'index', value: entryBytes / 1000}]),
  },
  {title: 'wasm, forward / relu', bound: {most: 4}, figures: over('forward', ['wasm'])},
  {title: 'wasm, dx / gradient of relu', bound: {most: 4}, figures: over('dx', ['wasm'])},
  {
    title: 'cpu forward / TensorFlow on one thread',
    bound: {most: 6},
    figures: overTensorFlow('forward', 'forward', has(4 * M)),
  },
  {
    title: 'cpu forward per channel / TensorFlow on one thread',
    bound: {most: 0.8},
    figures: overTensorFlow('per-channel', 'forward', any),
  },
  {
    title: 'cpu dx + dmin + dmax per channel / TensorFlow on one thread',
    bound: {most: 0.5},
    figures: overTensorFlow('gradient-per-channel', 'gradient', any),
  },
  {title: 'minMax / max', bound: {most: 1.3}, figures: over('min-max', [...GPU, 'cpu'], large)},
  {title: 'minMax: dispatches', bound: {most: 2}, figures: dispatches('min-max')},
  {title: 'a step of an activation quantizer / relu', bound: {most: 2.3}, figures: over('moving-range', GPU)},
  {title: 'a step of an activation quantizer: dispatches', bound: {most: 4}, figures: dispatches('moving-range')},
  {title: 'QAT step / float step, MobileNetV2 block', bound: {most: 1.2}, figures: over('step-block', GPU, any)},
  {title: 'minMax step / float step, digit classifier', bound: {most: 1.08}, figures: over('step-digits', GPU, any)},
  {title: 'minMax step, digit classifier: dispatches', bound: {most: 560}, figures: dispatches('step-digits')},
  {
    title: 'step with learned ranges / float step, digit classifier, WebGPU',
    bound: {most: 1.08},
    figures: over('step-learned', ['webgpu'], any),
  },
  {
    title: 'step with learned ranges / float step, digit classifier, WebGL',
    bound: {most: 1.2},
    figures: over('step-learned', ['webgl'], any),
  },
  {
    title: 'step with learned ranges, digit classifier: dispatches',
    bound: {most: 660},
    figures: dispatches('step-learned'),
  },
  {title: "calibrate by 'minMax' / float predict", bound: {most: 1.3}, figures: over('mobile-min-max', BACKENDS, any)},
  {title: "calibrate by 'mse' / float predict", bound: {most: 1.8}, figures: over('mobile-mse', BACKENDS, any)},
  {
    title: "calibrate by 'percentile' / float predict",
    bound: {most: 1.8},
    figures: over('mobile-percentile', BACKENDS, any),
  },
  {title: 'quantized predict / float predict', bound: {most: 1.15}, figures: over('mobile-predict', BACKENDS, any)},
  {
    title: 'peak of tensors while it calibrates / while the float model predicts',
    bound: {most: 1.3},
    figures: peaks('mobile-min-max', 'mobile-mse', 'mobile-percentile'),
  },
];

/** The cases of which TensorFlow's times are wanted. */
export const TENSORFLOW_CASES: readonly Case[] = [
  {shape: [4 * M]},
  ROWS.find(({name}) => name === 'gradient-per-channel')!.cases[0]!,
];

export function isMet({bound}: Goal, value: number): boolean {
  return 'most' in bound ? value <= bound.most : value >= bound.least;
}

/** The figure that is worst for the goal. */
export function worst({bound}: Goal, figures: readonly Figure[]): Figure | undefined {
  const sign = 'most' in bound ? 1 : -1;
  return [...figures].sort((a, b) => sign * (b.value - a.value))[0];
}
