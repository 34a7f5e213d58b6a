/** `node site/pictures.mjs` after `npm run site`: makes the README's pictures of the main page, docs/site-light.png and docs/site-dark.png. */
import {openBrowser} from '../scripts/page.mjs';
import {serveSite} from './build.mjs';

const PATIENCE = {timeout: 120_000};

/** Clicks the control of the page whose words begin so, once it may be; of several the last. */
async function click(page, words) {
  const handle = await page.waitForFunction(
    start => {
      /* global document */
      const controls = [...document.querySelectorAll('main button:not(:disabled), main label')];
      return controls.findLast(({textContent}) => textContent.trim().startsWith(start));
    },
    PATIENCE,
    words,
  );
  await handle.evaluate(control => control.click());
}

/** What three bits a weight and four an activation cost the digits network, down to where it is lost. */
async function picture(browser, scheme) {
  const page = await browser.newPage();
  await page.setViewport({width: 1120, height: 900, deviceScaleFactor: 1.5});
  await page.emulateMediaFeatures([{name: 'prefers-color-scheme', value: scheme}]);
  await page.goto(site.address, {waitUntil: 'networkidle0'});
  await click(page, 'Try it');
  await page.waitForSelector('main fieldset');
  for (const [quantity, bits] of [
    ['Weights', '3 bits'],
    ['Activations', '4 bits'],
  ]) {
    const choice = await page.waitForSelector(
      `::-p-xpath(//fieldset[legend[contains(., '${quantity}')]]//label[contains(., '${bits}')])`,
    );
    await choice.click();
  }
  await click(page, 'Quantize');
  await click(page, 'Measure each layer');
  const chart = await page.waitForSelector('[aria-labelledby=layers] figure:has(svg)', PATIENCE);
  // Clips are measured from the page's top.
  await page.evaluate('scrollTo({top: 0, behavior: "instant"})');
  const {x, y, width} = await (await page.$('[aria-labelledby=see]')).boundingBox();
  const end = await chart.boundingBox();
  await page.screenshot({
    path: `docs/site-${scheme}.png`,
    clip: {x: x - 12, y: y - 12, width: width + 24, height: end.y + end.height - y + 14},
  });
  await page.close();
}

const site = await serveSite();
const browser = await openBrowser('chromium');
for (const scheme of ['light', 'dark']) await picture(await browser.createBrowserContext(), scheme);
await browser.close();
site.stop();
