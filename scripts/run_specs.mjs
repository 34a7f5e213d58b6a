/** Runs specs in this process. Results go to the file that RESULTS names, or else what failed is printed. */
import {writeFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import Jasmine from 'jasmine';

const ROOT = fileURLToPath(new URL('../', import.meta.url));

/**
 * Resolves to the code that the process should exit with.
 *
 * @param {string[]} files
 * @param {string} [grep] - only specs whose full name contains it.
 */
export async function runSpecs(files, grep) {
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
  const literally = grep?.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const {overallStatus, incompleteReason} = await runner.execute(files, literally);
  const complete = overallStatus !== 'incomplete' || incompleteReason === 'No specs found';
  const failed = specs.filter(({success}) => !success);
  if (process.env.RESULTS) writeFileSync(process.env.RESULTS, JSON.stringify({complete, specs}));
  else console.log(failed, `${specs.length} specs`);
  // Whoever reads the results judges by them.
  return process.env.RESULTS || (complete && failed.length === 0) ? 0 : 1;
}
