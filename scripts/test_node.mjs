/** The specs in Node, on the cpu backend. Results go to the file that RESULTS names. */
import {writeFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import Jasmine from 'jasmine';
import {bundleSpecs} from './bundle_specs.mjs';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const {values: options} = parseArgs({options: {specs: {type: 'string'}, grep: {type: 'string'}}});

process.chdir(ROOT);
process.env.TEST_SETUP = JSON.stringify({backend: 'cpu', gpu: false});
const bundle = await bundleSpecs('node', `${ROOT}.cache/test/node.mjs`, {only: options.specs});

const specs = [];
const runner = new Jasmine({projectBaseDir: ROOT});
runner.exitOnCompletion = false;
runner.randomizeTests(false);
runner.clearReporters();
runner.addReporter({
  specDone({fullName, status, failedExpectations, pendingReason, properties, duration}) {
    if (status === 'excluded') return;
    const skipped = status === 'pending' && (pendingReason || true);
    const log = failedExpectations.map(({message, stack}) => `${message}\n${stack ?? ''}`);
    specs.push({
      name: fullName,
      success: failedExpectations.length === 0,
      skipped,
      time: duration,
      log,
      ...properties,
    });
  },
  suiteDone({fullName, failedExpectations}) {
    for (const {message} of failedExpectations) specs.push({name: fullName, success: false, log: [message]});
  },
});
const literally = options.grep?.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
const {overallStatus, incompleteReason} = await runner.execute([bundle], literally);
const complete = overallStatus !== 'incomplete' || incompleteReason === 'No specs found';
const failed = specs.filter(({success}) => !success);
if (process.env.RESULTS) writeFileSync(process.env.RESULTS, JSON.stringify({complete, specs}));
else console.log(failed, `${specs.length} specs`);
// Whoever reads the results judges by them.
process.exit(process.env.RESULTS || (complete && failed.length === 0) ? 0 : 1);
