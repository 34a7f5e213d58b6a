/** The pass of a quantized model in which is seen what quantizers are given, and what they make of it. */
import {clone, dispose, keep, slice, type Tensor, tidy} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {FakeQuantizer} from '../../quantizer/fake_quantizer';
import {AgreementCounter} from '../outputs/agreement';
import {outputsOf, type Reference} from './sensitivity';
import type {TensorProbe} from './tensor_report';

/** All that is rounded is kept until it is read: of so many samples at a time. */
const AT_ONCE = 8;

/** A tensor before and after it was rounded. */
interface Seen {
  readonly probe: TensorProbe;
  readonly values: Tensor;
  readonly rounded: Tensor;
}

/** What a quantizer is while something else is called in the place of its own `apply`. */
type Callable = {apply?: FakeQuantizer['apply']};

/** What quantizers saw and made, until it is read. */
class Sightings {
  readonly #probes: readonly TensorProbe[];
  readonly #seen: Seen[] = [];
  /** Weights, which are the same in each pass. */
  readonly #known = new Set<TensorProbe>();

  constructor(probes: readonly TensorProbe[]) {
    this.#probes = probes.filter(({isRounding}) => isRounding);
  }

  /** Runs while the quantizers are watched. They round as ever. */
  while<T>(run: () => T): T {
    for (const probe of this.#probes) this.#watch(probe);
    try {
      return run();
    } finally {
      for (const {quantizer} of this.#probes) delete (quantizer as Callable).apply;
    }
  }

  /** Counts what was seen since the last time. */
  async count(): Promise<void> {
    for (let seen = this.#seen.shift(); seen; seen = this.#seen.shift()) {
      const {probe, values, rounded} = seen;
      try {
        probe.add(await values.data(), await rounded.data(), values.shape);
      } finally {
        dispose([values, rounded]);
      }
    }
  }

  /** Forgets what was not counted. */
  dispose(): void {
    for (const {values, rounded} of this.#seen.splice(0)) dispose([values, rounded]);
  }

  #watch(probe: TensorProbe): void {
    const {quantizer, rounding} = probe;
    (quantizer as Callable).apply = (x, mode) => {
      const rounded = FakeQuantizer.prototype.apply.call(quantizer, x, mode) as typeof x;
      if (rounding.of === 'activations' || !this.#known.has(probe)) {
        this.#known.add(probe);
        this.#seen.push({probe, values: keep(clone(x)), rounded: keep(clone(rounded))});
      }
      return rounded;
    };
  }
}

/** Passes the quantized model as it is. Has the probes count, and gives how its outputs agree with the reference. */
export async function measuring(
  q: LayersModel,
  batches: readonly (readonly Tensor[])[],
  reference: Reference,
  probes: readonly TensorProbe[],
  signal: AbortSignal | undefined,
): Promise<AgreementCounter> {
  const counter = new AgreementCounter(reference.kinds);
  const sightings = new Sightings(probes);
  if (q.stateful) q.resetStates();
  try {
    for (const [i, batch] of batches.entries()) {
      const found: (readonly Float32Array[])[] = [];
      await inParts(q, batch, async part => {
        const {values} = await outputsOf(q, part, {signal, around: run => sightings.while(run)});
        found.push(values);
        await sightings.count();
      });
      const joined = found[0]!.map((_, output) => concatenated(found.map(values => values[output]!)));
      counter.add(reference.outputs[i]!, joined, reference.lasts);
    }
  } finally {
    sightings.dispose();
  }
  return counter;
}

/** Takes a batch in parts. Stateful layers are given it whole. */
async function inParts(
  q: LayersModel,
  batch: readonly Tensor[],
  take: (part: Tensor[]) => Promise<void>,
): Promise<void> {
  const total = batch[0]!.shape[0];
  const size = q.stateful ? total : AT_ONCE;
  for (let start = 0; start < total; start += size) {
    const part = tidy(() => batch.map(each => slice(each, start, Math.min(size, total - start))));
    try {
      await take(part);
    } finally {
      dispose(part);
    }
  }
}

function concatenated(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, {length}) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
