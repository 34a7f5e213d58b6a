// The specs in a browser, on one backend:
//   npx karma start --browsers TestChromium --backend webgpu [--specs golden] [--grep TEXT] [--minified] [--gpu] [--verbose]
// scripts/test.mjs runs all of them; it reads the results from the file that RESULTS names.
const fs = require('node:fs');
const path = require('node:path');

/** Writes what each spec found as JSON, for a summary over all browsers. */
function ResultsReporter() {
  const specs = [];
  this.onSpecComplete = (_browser, {fullName, success, skipped, disabled, time, log, properties}) => {
    if (disabled) return; // not asked for
    specs.push({name: fullName, success, skipped, time, log, ...properties});
    if (!success && !process.env.RESULTS) console.error(`${fullName}\n${log.join('\n')}`);
  };
  this.onBrowserError = (_browser, error) =>
    specs.push({name: 'browser', success: false, log: [String(error.message ?? error)]});
  this.onRunComplete = (_browsers, {error, disconnected}) => {
    const failed = specs.filter(({success}) => !success).length;
    const complete = !error && !disconnected;
    if (!process.env.RESULTS) console.log(`${specs.length - failed} specs passed, ${failed} failed`);
    else fs.writeFileSync(process.env.RESULTS, JSON.stringify({complete, specs}));
  };
}

module.exports = async config => {
  const {chromiumFlags, findBrowser, firefoxPrefs} = await import('./scripts/browsers.mjs');
  const {bundleSpecs} = await import('./scripts/bundle_specs.mjs');
  const backend = config.backend ?? 'webgl2';
  const [browser = 'TestChromium'] = config.browsers;
  const isFirefox = browser === 'TestFirefox';
  const {path: program, env} = await findBrowser(isFirefox ? 'firefox' : 'chromium');
  process.env[isFirefox ? 'FIREFOX_BIN' : 'CHROME_BIN'] = program;
  Object.assign(process.env, env);
  const {part, specs: only, grep, minified} = config;
  const bundle = path.join(__dirname, '.cache', 'test', `${[browser, backend, part].filter(Boolean).join('-')}.mjs`);
  await bundleSpecs('browser', bundle, {only, part, minified});

  config.set({
    basePath: __dirname,
    frameworks: ['jasmine'],
    plugins: [
      'karma-jasmine',
      'karma-chrome-launcher',
      'karma-firefox-launcher',
      {'reporter:results': ['type', ResultsReporter]},
    ],
    reporters: ['results'],
    files: [
      {pattern: bundle, type: 'module', watched: false},
      {pattern: 'test/golden/*.{json,gz}', included: false, watched: false},
      {pattern: 'test/graph_model/*.gz', included: false, watched: false},
      {pattern: 'test/graph_models/*.json', included: false, watched: false},
      {pattern: 'test/graph_models/*/*.{json,bin}', included: false, watched: false},
      {pattern: 'test/import/*.json', included: false, watched: false},
      {pattern: 'test/keras_models/*.gz', included: false, watched: false},
      {pattern: 'test/models/*.json', included: false, watched: false},
      {pattern: '.cache/models/*', included: false, watched: false},
      {pattern: 'test/qat/*.json', included: false, watched: false},
      {pattern: 'test/tfmot/*.json', included: false, watched: false},
      {pattern: 'test/tfmot/converted/*.{json,bin}', included: false, watched: false},
      {pattern: 'node_modules/@tensorflow/tfjs-backend-wasm/dist/*.wasm', included: false, watched: false},
    ],
    client: {
      setup: {backend, gpu: Boolean(config.gpu)},
      clearContext: false,
      captureConsole: Boolean(config.verbose),
      jasmine: {random: false},
      args: grep ? ['--grep', String(grep)] : [],
    },
    browsers: [browser],
    customLaunchers: {
      TestChromium: {base: 'ChromeHeadless', flags: chromiumFlags()},
      TestFirefox: {base: 'Firefox', prefs: firefoxPrefs()},
    },
    singleRun: true,
    autoWatch: false,
    logLevel: config.LOG_WARN,
    captureTimeout: 300_000,
    // A spec may keep the page busy for so long.
    pingTimeout: 600_000,
    browserNoActivityTimeout: 600_000,
    browserDisconnectTimeout: 60_000,
  });
};
