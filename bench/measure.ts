/** Times a row's contestants against each other: in turn, on the same tensors, after they have shown to agree. */
import * as tf from '@tensorflow/tfjs-core';
import {type Case, casesOf, nameOf, ROWS, type RowName} from './catalogue';
import type {Contestant} from './contestants';
import type {Counts, Probe} from './probe';
import {contestantsOf} from './rows';

/** What is to be measured in one go. */
export interface Plan {
  readonly backend: string;
  readonly row: RowName;
  readonly sizes?: readonly string[];
  /** The row's. */
  readonly place?: string;
  /** Rounds that are timed at most. */
  readonly rounds: number;
}

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface Timing {
  readonly ms: Spread;
  /** On the device's own clock, where it has one. */
  readonly deviceMs?: number;
  readonly counts: Counts;
}

export interface Result {
  readonly backend: string;
  readonly row: RowName;
  readonly case: Case;
  /** What went wrong instead of the rest. */
  readonly error?: string;
  readonly timings?: Readonly<Record<string, Timing>>;
  /** ours / yardstick and composed / ours, within each round. */
  readonly overYardstick?: Spread;
  readonly composedOver?: Spread;
  /** How many there were. */
  readonly rounds?: number;
}

/** Measures every case of a row. */
export async function measureRow(plan: Plan, probe: Probe, onCase: (done: number, of: number, name: string) => void) {
  const row = ROWS.find(({name}) => name === plan.row)!;
  const cases = casesOf(row, plan.backend, plan.sizes);
  const results: Result[] = [];
  for (const [done, each] of cases.entries()) {
    onCase(done, cases.length, nameOf(each));
    results.push(await measureCase(plan, each, probe));
  }
  return results;
}

async function measureCase(plan: Plan, each: Case, probe: Probe): Promise<Result> {
  const {backend, row} = plan;
  const about = {backend, row, case: each};
  const contestants = await contestantsOf(row, each);
  const complaintsBefore = probe.complaints.length;
  try {
    await contestants.check();
    const {ours, yardstick, composed, prepare, x} = contestants;
    const copier = x && probe.copier?.(x);
    const runners = {
      ours: {run: ours, prepare},
      yardstick: {run: yardstick},
      ...(composed && {composed: {run: composed}}),
      ...(copier && {copy: {run: copier.run}}),
    };
    // The device's clock counts what is started at once; a step waits in between.
    const times = await race(runners, plan.rounds, probe, x !== undefined);
    copier?.dispose();
    const complaint = probe.complaints[complaintsBefore];
    return complaint === undefined ? {...about, ...times} : {...about, error: complaint};
  } catch (error) {
    return {...about, error: error instanceof Error ? error.message : String(error)};
  } finally {
    contestants.dispose();
  }
}

/**
 * A shorter sample, in milliseconds, is of several runs: waiting for the device would hide them. Where waiting itself takes long
 * (Firefox looks every 100 ms whether WebGPU is done), ten times that.
 */
const LONG_ENOUGH = 10;
const MANY = 1000;

/** Rounds of every case, and those once a case has taken its time; of compositions, whose ratios are large, at most, and then. */
const ROUNDS = {least: 5, late: 3};
const COMPOSED = {most: 5, late: 1};
const LATE = 1500;

interface Runner {
  readonly run: Contestant;
  readonly prepare?: Contestant | undefined;
}

async function sample({run, prepare}: Runner, runs: number, probe: Probe): Promise<number> {
  // What is prepared holds for one run.
  await prepare?.();
  await probe.finish();
  const start = performance.now();
  for (let i = 0; i < runs; ++i) await run();
  await probe.finish();
  return (performance.now() - start) / runs;
}

async function race(runners: Readonly<Record<string, Runner>>, rounds: number, probe: Probe, onDevice: boolean) {
  const names = Object.keys(runners);
  const longEnough = Math.max(LONG_ENOUGH, 10 * (await latency(probe)));
  const runs: Record<string, number> = {};
  const times: Record<string, number[]> = {};
  const counts: Record<string, Counts> = {};
  for (const name of names) {
    const runner = runners[name]!;
    await runner.prepare?.();
    counts[name] = await probe.count(runner.run);
    runs[name] = await warmUp(runner, longEnough, probe);
    times[name] = [];
  }
  const start = performance.now();
  const isLate = () => performance.now() - start > LATE;
  const over = () => ratios(times['ours']!, times['yardstick']!);
  for (let round = 0; round < rounds; ++round) {
    if (round >= ROUNDS.late && isLate()) break;
    if (round >= ROUNDS.least && isSettled(over())) break;
    const isOver = round >= (isLate() ? COMPOSED.late : COMPOSED.most);
    const racing = names.filter(name => !isOver || name === 'ours' || name === 'yardstick');
    // Another one begins each round, so that nobody always follows the same one.
    for (let turn = 0; turn < racing.length; ++turn) {
      const name = racing[(round + turn) % racing.length]!;
      times[name]!.push(await sample(runners[name]!, runs[name]!, probe));
    }
  }
  const timings: Record<string, Timing> = {};
  for (const name of names) {
    const deviceMs = onDevice && name !== 'copy' ? await deviceTime(runners[name]!.run, probe) : undefined;
    const timing = {ms: spread(times[name]!), counts: counts[name]!};
    timings[name] = deviceMs === undefined ? timing : {...timing, deviceMs};
  }
  return {
    timings,
    rounds: times['ours']!.length,
    overYardstick: spread(over()),
    ...(times['composed'] && {composedOver: spread(ratios(times['composed'], times['ours']!))}),
  };
}

/** Whether the middle half of ratios lies within a tenth of the median. */
function isSettled(values: readonly number[]): boolean {
  const sorted = [...values].sort((a, b) => a - b);
  const quarter = sorted.length >> 2;
  return sorted.at(-1 - quarter)! - sorted[quarter]! <= 0.1 * spread(values).median;
}

/** Runs until nothing is new any more, and finds how many runs make a sample. */
async function warmUp(runner: Runner, longEnough: number, probe: Probe): Promise<number> {
  for (let runs = 1; ;) {
    const milliseconds = (await sample(runner, runs, probe)) * runs;
    if (runner.prepare || milliseconds >= longEnough || runs >= MANY) return runs;
    runs = Math.min(MANY, runs * Math.max(2, Math.ceil(longEnough / Math.max(1, milliseconds))));
  }
}

/** How long the device takes to say that it is done with next to nothing. */
async function latency(probe: Probe): Promise<number> {
  const nothing = {run: () => tf.dispose(tf.tidy(() => tf.add(tf.scalar(1), tf.scalar(2))))};
  await sample(nothing, 1, probe);
  const times = [];
  for (let i = 0; i < 5; ++i) times.push(await sample(nothing, 1, probe));
  return spread(times).median;
}

function ratios(numerators: readonly number[], denominators: readonly number[]): number[] {
  return numerators.map((value, i) => value / denominators[i]!);
}

async function deviceTime(contestant: Contestant, {deviceTime}: Probe): Promise<number | undefined> {
  if (deviceTime === undefined) return undefined;
  const times: number[] = [];
  for (let i = 0; i < 5; ++i) times.push(await deviceTime(() => void contestant()));
  return spread(times).median;
}

function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return {median, min: sorted[0]!, max: sorted.at(-1)!};
}
