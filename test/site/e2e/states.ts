/** What holds in every state of a page: nothing that axe-core finds, light and dark; nothing wider than a phone. */
import {readFileSync} from 'node:fs';
import type {AxeResults, RunOptions} from 'axe-core';
import type {Visitor} from './visitor';

const AXE = readFileSync('node_modules/axe-core/axe.min.js', 'utf8');

/** Colors are looked at as they are in the end. */
function stopFading(): void {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync('* { transition: none !important; }');
  document.adoptedStyleSheets.push(sheet);
}

async function violations({page}: Visitor, options: RunOptions = {}): Promise<string[]> {
  if (!(await page.evaluate(() => 'axe' in globalThis))) {
    await page.evaluate(AXE);
    await page.evaluate(stopFading);
  }
  return page.evaluate(async given => {
    const {axe} = globalThis as unknown as {axe: {run: (options: RunOptions) => Promise<AxeResults>}};
    const found = await axe.run({...given, resultTypes: ['violations']});
    return found.violations.flatMap(({id, nodes}) => nodes.map(({html}) => `${id}: ${html.slice(0, 200)}`));
  }, options);
}

async function switchTheme({page}: Visitor): Promise<void> {
  // Behind a dialog nothing can be pressed, but the page keeps its theme.
  await page.evaluate(() => document.querySelector<HTMLElement>('#theme')!.click());
}

/** Looks at the page as it is now. */
export async function expectGoodState(visitor: Visitor, state: string): Promise<void> {
  const expectNone = (found: readonly string[], theme: string) =>
    expect(found).withContext(`axe-core on ${state}, ${theme}`).toEqual([]);
  expectNone(await violations(visitor), 'light');
  await switchTheme(visitor);
  // What else there is to find does not change with colors.
  expectNone(await violations(visitor, {runOnly: ['color-contrast']}), 'dark');
  await switchTheme(visitor);
  expect(await visitor.widthOnPhone())
    .withContext(`width of ${state}`)
    .toBeLessThanOrEqual(360);
  expect(visitor.problems).withContext(state).toEqual([]);
}
