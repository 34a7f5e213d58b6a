/** The page that trains. */
import '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-webgpu';
import {openBackend} from '../lab/backend';
import type {Plan} from './plan';
import {type Listener, runSeed} from './procedure';

declare global {
  interface Window extends Listener {
    /** For whoever drives the page: makes a backend tfjs's own. */
    openBackend(name: string): Promise<void>;
    /** Trains and measures everything of a seed. */
    runSeed(plan: Plan): Promise<void>;
  }
}

window.openBackend = async name => {
  if (!(await openBackend(name))) throw new Error(`This browser offers no ${name} backend. Choose another.`);
};
window.runSeed = plan => runSeed(plan, window);
