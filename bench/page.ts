/** The benchmark in a browser. */
import type {Plan} from './measure';
import {type OnCase, type Report, runPlan} from './session';

declare global {
  interface Window {
    /** For whoever drives the page. */
    bench(plan: Plan): Promise<Report>;
    /** Called before each case. */
    onCase: OnCase;
  }
}

window.bench = plan => runPlan(plan, window.onCase);
