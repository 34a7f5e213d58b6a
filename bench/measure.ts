/** Times a row's contestants against each other: in turn, on the same tensors, after they have shown to agree. */
import * as tf from '@tensorflow/tfjs-core';
import {type Case, casesOf, nameOf, ROWS, type RowName} from './catalogue';
import type {Counts, Probe} from './probe';
import {type Contest, contestOf, disposeOperands, type Nearness, operandsOf} from './rows';

/** What is to be measured in one go. */
export interface Plan {
  readonly backend: string;
  /** Whether WebGL holds tensors four to a texel. */
  readonly packed: boolean;
  readonly row: RowName;
  readonly sizes?: readonly string[];
  /** Rounds that are timed. */
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
  readonly packed: boolean;
  readonly row: RowName;
  readonly case: Case;
  /** What went wrong instead of the rest. */
  readonly error?: string;
  readonly timings?: Readonly<Record<string, Timing>>;
  /** ours / yardstick and composed / ours, within each round. */
  readonly overYardstick?: Spread;
  readonly composedOver?: Spread;
}

type Contestant = () => tf.Tensor[];

/** Measures every case of a row. */
export async function measureRow(plan: Plan, probe: Probe, onCase: (done: number, of: number, name: string) => void) {
  const row = ROWS.find(({name}) => name === plan.row)!;
  const cases = casesOf(row, plan.sizes);
  const results: Result[] = [];
  for (const [done, each] of cases.entries()) {
    onCase(done, cases.length, nameOf(each));
    results.push(await measureCase(plan, each, probe));
  }
  return results;
}

async function measureCase(plan: Plan, each: Case, probe: Probe): Promise<Result> {
  const {backend, packed, row} = plan;
  const about = {backend, packed, row, case: each};
  const operands = operandsOf(each);
  const complaintsBefore = probe.complaints.length;
  try {
    const contest = contestOf(row, operands);
    await checkAgreement(contest);
    const copier = probe.copier?.(operands.x);
    const {ours, yardstick, composed} = contest;
    const copy = copier && (() => (copier.run(), []));
    const times = await race({ours, yardstick, composed, ...(copy && {copy})}, plan.rounds, probe);
    copier?.dispose();
    const complaint = probe.complaints[complaintsBefore];
    return complaint === undefined ? {...about, ...times} : {...about, error: complaint};
  } catch (error) {
    return {...about, error: error instanceof Error ? error.message : String(error)};
  } finally {
    disposeOperands(operands);
  }
}

function runOnce(contestant: Contestant): void {
  tf.dispose(tf.tidy(contestant));
}

/**
 * A shorter sample, in milliseconds, is of several runs: waiting for the device would hide them. Where waiting itself takes long
 * (Firefox looks every 100 ms whether WebGPU is done), ten times that.
 */
const LONG_ENOUGH = 10;
const MANY = 1000;

async function sample(contestant: Contestant, runs: number, probe: Probe): Promise<number> {
  await probe.finish();
  const start = performance.now();
  for (let i = 0; i < runs; ++i) runOnce(contestant);
  await probe.finish();
  return (performance.now() - start) / runs;
}

async function race(contestants: Readonly<Record<string, Contestant>>, rounds: number, probe: Probe) {
  const names = Object.keys(contestants);
  const longEnough = Math.max(LONG_ENOUGH, 10 * (await latency(probe)));
  const runs: Record<string, number> = {};
  const times: Record<string, number[]> = {};
  const counts: Record<string, Counts> = {};
  for (const name of names) {
    counts[name] = probe.count(() => runOnce(contestants[name]!));
    runs[name] = await warmUp(contestants[name]!, longEnough, probe);
    times[name] = [];
  }
  for (let round = 0; round < rounds; ++round) {
    // Another one begins each round, so that nobody always follows the same one.
    for (let turn = 0; turn < names.length; ++turn) {
      const name = names[(round + turn) % names.length]!;
      times[name]!.push(await sample(contestants[name]!, runs[name]!, probe));
    }
  }
  const timings: Record<string, Timing> = {};
  for (const name of names) {
    const deviceMs = name === 'copy' ? undefined : await deviceTime(contestants[name]!, probe);
    const timing = {ms: spread(times[name]!), counts: counts[name]!};
    timings[name] = deviceMs === undefined ? timing : {...timing, deviceMs};
  }
  return {
    timings,
    overYardstick: spread(ratios(times['ours']!, times['yardstick']!)),
    composedOver: spread(ratios(times['composed']!, times['ours']!)),
  };
}

/** Runs until nothing is new any more, and finds how many runs make a sample. */
async function warmUp(contestant: Contestant, longEnough: number, probe: Probe): Promise<number> {
  await sample(contestant, 2, probe);
  for (let runs = 1; ;) {
    const milliseconds = (await sample(contestant, runs, probe)) * runs;
    if (milliseconds >= longEnough || runs >= MANY) return runs;
    runs = Math.min(MANY, runs * Math.max(2, Math.ceil(longEnough / Math.max(1, milliseconds))));
  }
}

/** How long the device takes to say that it is done with next to nothing. */
async function latency(probe: Probe): Promise<number> {
  const nothing = () => [tf.add(tf.scalar(1), tf.scalar(2))];
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
  for (let i = 0; i < 5; ++i) times.push(await deviceTime(() => runOnce(contestant)));
  return spread(times).median;
}

function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return {median, min: sorted[0]!, max: sorted.at(-1)!};
}

/** Throws unless the composition computes what our op does: a race of other numbers proves nothing. */
async function checkAgreement({ours, composed, near}: Contest): Promise<void> {
  const [a, b] = [tf.tidy(ours), tf.tidy(composed)];
  for (const [i, nearness] of near.entries()) {
    const problem = differenceOf(await a[i]!.data(), await b[i]!.data(), nearness);
    if (problem) throw new Error(`output ${i} of the composition differs from ours: ${problem}`);
  }
  tf.dispose([a, b]);
}

function differenceOf(a: ArrayLike<number>, b: ArrayLike<number>, nearness: Nearness): string | undefined {
  if (a.length !== b.length) return `${b.length} values, not ${a.length}`;
  let steps = 0;
  for (let i = 0; i < a.length; ++i) {
    const distance = Math.abs(a[i]! - b[i]!);
    if (distance <= slack(a[i]!, nearness)) continue;
    steps += 1;
    const astray = nearness.kind !== 'step' || !(distance <= 1.01 * nearness.step);
    if (astray || steps > Math.max(1, a.length / 1000)) return `${b[i]} at ${i}, not ${a[i]}`;
  }
  return undefined;
}

/** What rounding in another order may do to a value. */
function slack(value: number, nearness: Nearness): number {
  switch (nearness.kind) {
    case 'equal':
      return 0;
    case 'sum':
      return 1e-6 * nearness.terms + 1e-5 * Math.abs(value);
    case 'step':
      return 1e-5 * Math.max(1, Math.abs(value));
  }
}
