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
  /** Programs compiled after the first step of a training loop with changing ranges and widths. */
  readonly recompiled: number;
  /** Whether times are also taken on the device's clock. */
  readonly deviceClock: boolean;
}

export type OnCase = (done: number, of: number, name: string) => void;

export async function runPlan(plan: Plan, onCase: OnCase): Promise<Report> {
  tf.enableProdMode();
  tf.env().set('WEBGL_PACK', plan.packed);
  if (!(await openBackend(plan.backend))) throw new Error(`there is no ${plan.backend} backend here`);
  const opened = probe();
  const results = await measureRow(plan, opened, onCase);
  const recompiled = await compiledAfterFirstStep(opened);
  return {results, renderer: opened.renderer, recompiled, deviceClock: opened.deviceTime !== undefined};
}
