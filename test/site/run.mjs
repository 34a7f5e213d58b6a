/** Drives the site that out/site holds as a visitor does, in a real browser. Results go to the file that RESULTS names. */
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import {bundleForNode, ensureDisplay, openBrowser} from '../../scripts/page.mjs';
import {runSpecs} from '../../scripts/run_specs.mjs';
import {buildSite, serveSite, SITE} from '../../site/build.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const {values: options} = parseArgs({
  options: {
    browser: {type: 'string', default: 'chromium'},
    grep: {type: 'string'},
    // Takes out/site as it is.
    built: {type: 'boolean', default: false},
  },
});
const {browser: name} = options;

ensureDisplay(name);
process.chdir(ROOT);
if (!options.built) await buildSite();
const bundle = await bundleForNode('test/site/e2e/main.ts', `${ROOT}.cache/test/site-${name}.cjs`);
const browser = await openBrowser(name);
globalThis.e2e = {name, browser, serveSite, folder: SITE};
const code = await runSpecs([bundle], options.grep);
await browser.close();
process.exit(code);
