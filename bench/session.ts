/** One backend, opened for one plan: what the page and Node have in common. */
import * as tf from '@tensorflow/tfjs-core';
// All of tfjs, for the gradients of its own ops.
import '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-webgpu';
import {openBackend} from '../lab/backend';
import {measureRow, type Plan, type Result} from './measure';
import {probe} from './probe';
import {compiledAfterFirstStep} from './recompiles';

export interface Report {
  readonly results: readonly Result[];
  readonly renderer: string;
  /** Programs compiled after the first step of a training loop with changing ranges and widths; of the row 'training'. */
  readonly recompiled?: number;
  /** Whether times are also taken on the device's clock. */
  readonly deviceClock: boolean;
}

export type OnCase = (done: number, of: number, name: string) => void;

export async function runPlan(plan: Plan, onCase: OnCase): Promise<Report> {
  tf.enableProdMode();
  if (!(await openBackend(plan.backend))) throw new Error(`there is no ${plan.backend} backend here`);
  const opened = probe();
  const results = await measureRow(plan, opened, onCase);
  return {
    results,
    renderer: opened.renderer,
    deviceClock: opened.deviceTime !== undefined,
    ...(plan.row === 'training' && {recompiled: await compiledAfterFirstStep(opened)}),
  };
}
