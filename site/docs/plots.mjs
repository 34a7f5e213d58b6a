/** Which pages have plots, of which measured numbers: client/plots.ts draws them. */
import {accuracyPage, choosingBitsPage} from './results/accuracy.mjs';
import {modelsPage} from './results/models.mjs';
import {speedPage} from './results/speed.mjs';

const PAGES = {
  'accuracy/README.md': accuracyPage,
  'docs/choosing-bits.md': choosingBitsPage,
  'docs/models.md': modelsPage,
  'bench/RESULTS.md': speedPage,
};

/**
 * A document with places for its plots, and the data of these by name.
 *
 * @returns {Promise<{markdown: string, plots?: Record<string, {kind: string}>}>}
 */
export async function withPlots({file, markdown}) {
  return (await PAGES[file]?.(markdown)) ?? {markdown};
}
