/** The specs in Node, on the cpu backend. Results go to the file that RESULTS names. */
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import {bundleSpecs} from './bundle_specs.mjs';
import {runSpecs} from './run_specs.mjs';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const {values: options} = parseArgs({options: {specs: {type: 'string'}, grep: {type: 'string'}}});

process.chdir(ROOT);
process.env.TEST_SETUP = JSON.stringify({backend: 'cpu', gpu: false});
const bundle = await bundleSpecs('node', `${ROOT}.cache/test/node.mjs`, {only: options.specs});
process.exit(await runSpecs([bundle], options.grep));
