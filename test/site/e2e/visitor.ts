/** A visitor of the site: finds what is on it by its names, and notes what goes wrong on the way. */
import {mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import type {BrowserContext, ElementHandle, Page} from 'puppeteer-core';
import {browser, folder, isChromium, serveSite} from './setup';

/** Files by the path that each has. */
export type Files = Readonly<Record<string, Uint8Array>>;

/** The address has folders, as those of many hosts have. */
const FOLDER = '/a/b/';

/** What takes so long does not come. */
const PATIENCE = {timeout: 60_000, polling: 50} as const;

const WIDE = {width: 1280, height: 900};
const NARROW = {width: 360, height: 740};

/** The policy that the pages set themselves. As a header it binds workers, too. */
function policyOf(page: string): string {
  const [, policy] = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page) ?? [];
  if (policy === undefined) throw new Error('The page sets no policy.');
  return policy;
}

export const POLICY = policyOf(readFileSync(join(folder, 'index.html'), 'utf8'));

/** What a page notes of itself, from its start on. */
function watch(): void {
  document.addEventListener('securitypolicyviolation', ({violatedDirective, blockedURI}) =>
    console.error(`The policy was violated: ${violatedDirective} ${blockedURI}`),
  );
}

/** The files that a page gave, in base64, by their number and name. */
interface Kept {
  readonly downloads: Record<string, Promise<string>>;
}

/** Where a browser does not say where it puts downloads: keeps their bytes. */
function keepDownloads(): void {
  const downloads: Kept['downloads'] = {};
  Object.assign(globalThis, {downloads});
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called on links below
  const {click} = HTMLAnchorElement.prototype;
  const base64 = (blob: Blob) =>
    new Promise<string>(resolve => {
      const reader = new FileReader();
      reader.onload = () => resolve((reader.result as string).replace(/^.*,/, ''));
      reader.readAsDataURL(blob);
    });
  HTMLAnchorElement.prototype.click = function (this: HTMLAnchorElement) {
    const key = `${Object.keys(downloads).length}/${this.download}`;
    if (this.download) downloads[key] = fetch(this.href).then(async response => base64(await response.blob()));
    click.call(this);
  };
}

/** Puts files into a folder of this machine. */
function filesIn(files: Files): string {
  const root = mkdtempSync(join(tmpdir(), 'site-'));
  for (const [path, data] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), {recursive: true});
    writeFileSync(join(root, path), data);
  }
  return root;
}

export class Visitor {
  readonly page: Page;
  readonly address: string;
  /** What browsers logged as errors. */
  readonly problems: string[] = [];
  readonly #context: BrowserContext;
  readonly #stopServer: () => void;
  readonly #downloads: string;

  private constructor(
    page: Page,
    context: BrowserContext,
    site: {address: string; stop: () => void},
    downloads: string,
  ) {
    this.page = page;
    this.#context = context;
    this.address = site.address;
    this.#stopServer = site.stop;
    this.#downloads = downloads;
    page.on('pageerror', error => this.problems.push(String(error)));
    page.on('console', message => {
      if (message.type() === 'error') this.problems.push(message.text());
    });
  }

  /** Who was never there. */
  static async come(path = '', folder = FOLDER): Promise<Visitor> {
    const site = await serveSite({folder, headers: {'content-security-policy': POLICY}});
    const downloadPath = mkdtempSync(join(tmpdir(), 'site-downloads-'));
    const context = await browser.createBrowserContext(
      isChromium ? {downloadBehavior: {policy: 'allow', downloadPath}} : {},
    );
    const page = await context.newPage();
    const visitor = new Visitor(page, context, site, downloadPath);
    page.setDefaultTimeout(PATIENCE.timeout);
    await page.setViewport(WIDE);
    await page.evaluateOnNewDocument(watch);
    if (!isChromium) await page.evaluateOnNewDocument(keepDownloads);
    if (isChromium) await page.emulateMediaFeatures([{name: 'prefers-reduced-motion', value: 'reduce'}]);
    await visitor.go(path);
    return visitor;
  }

  async leave(): Promise<void> {
    await this.#context.close();
    this.#stopServer();
  }

  /** The host is gone, as where there is no network. */
  loseHost(): void {
    this.#stopServer();
  }

  async go(path: string): Promise<void> {
    await this.page.goto(new URL(path, this.address).href);
  }

  /** Waits until the page shows a text. */
  async sees(text: RegExp, within = 'body'): Promise<string> {
    const found = await this.page
      .waitForFunction(
        (source, flags, selector) =>
          new RegExp(source, flags).exec(document.querySelector<HTMLElement>(selector)?.innerText ?? '')?.[0],
        PATIENCE,
        text.source,
        text.flags,
        within,
      )
      .catch(async () => {
        throw new Error(`${String(text)} did not come; there is: ${await this.#line(within)}`);
      });
    return (await found.jsonValue())!;
  }

  /** What is to be read. */
  async text(within = 'body'): Promise<string> {
    return this.page.evaluate(
      selector => document.querySelector<HTMLElement>(selector)?.innerText ?? `no ${selector}`,
      within,
    );
  }

  /** The same, as a failure's first line tells it. */
  async #line(within: string): Promise<string> {
    return (await this.text(within)).replace(/\s*\n\s*/g, ' | ');
  }

  /** Of what is said beside controls: an alert. */
  async isTold(text: RegExp): Promise<void> {
    await this.sees(text, '[role=alert]');
  }

  /** What can be pressed, or holds a value, by its name; waits until it is there and enabled. */
  async find(what: string, named: string, within = 'main'): Promise<ElementHandle<HTMLElement>> {
    const found = await this.page
      .waitForFunction(
        (selector, wanted, scope) => {
          const nameOf = (element: HTMLElement) => {
            const [label] = (element as HTMLInputElement).labels ?? [];
            // A label may hold what it is of.
            const words = [...(label?.childNodes ?? [])].filter(node => node instanceof Text);
            const said = element.ariaLabel ?? (label ? words.map(({data}) => data).join(' ') : element.innerText);
            return said.trim().replace(/\s+/g, ' ');
          };
          const isFit = (element: HTMLElement) =>
            nameOf(element) === wanted && !element.matches(':disabled') && element.checkVisibility();
          return [...document.querySelectorAll<HTMLElement>(`${scope} :is(${selector})`)].find(isFit);
        },
        PATIENCE,
        what,
        named,
        within,
      )
      .catch(async () => {
        throw new Error(`“${named}” did not come; there is: ${await this.#line(within)}`);
      });
    return found as ElementHandle<HTMLElement>;
  }

  /** Presses what has this name. */
  async press(named: string, within?: string): Promise<void> {
    const found = await this.find('button, a, summary', named, within);
    const seen = await found.evaluateHandle(element => {
      const clicks = {any: false};
      element.addEventListener('click', () => (clicks.any = true), {capture: true, once: true});
      return clicks;
    });
    // The locator waits until it has come to rest, but what is above may come while the mouse is on its way, which then
    // misses. A page that was left has been pressed.
    const isPressed = () => seen.evaluate(({any}) => any).catch(() => true);
    do await found.asLocator().click();
    while (!(await isPressed()));
  }

  /** Presses it in the moment in which it comes: a click of the mouse takes longer. */
  async pressAtOnce(named: string): Promise<void> {
    await (await this.find('button', named)).evaluate(button => button.click());
  }

  async fill(label: string, value: string): Promise<void> {
    const field = await this.find('input, select', label);
    if (await field.evaluate((element, given) => (element as HTMLInputElement).value === given, value)) return;
    await field.asLocator().fill(value);
  }

  /** One of a few, of a group with a legend. */
  async pick(legend: string, option: string): Promise<void> {
    const input = await this.page.waitForFunction(
      (group, wanted) => {
        const fieldset = [...document.querySelectorAll('fieldset')].find(
          each => each.querySelector('legend')?.innerText === group,
        );
        return [...(fieldset?.querySelectorAll('label') ?? [])].find(
          label => label.innerText.startsWith(wanted) && !label.control!.matches(':disabled'),
        );
      },
      PATIENCE,
      legend,
      option,
    );
    await (input as ElementHandle<HTMLElement>).asLocator().click();
  }

  /** Chooses files of this machine where a button asks for them. */
  async choose(files: Files, within: string): Promise<void> {
    const root = filesIn(files);
    await this.find('button', 'Choose files', within);
    const input = await this.page.$(`${within} input[type=file]:not([webkitdirectory])`);
    await (input as ElementHandle<HTMLInputElement>).uploadFile(...Object.keys(files).map(path => join(root, path)));
  }

  /** Drops files, and folders, on a place of the page. */
  async drop(files: Files, within: string): Promise<void> {
    if (!isChromium) return this.#dropOne(files, within);
    const root = filesIn(files);
    const tops = [...new Set(Object.keys(files).map(path => join(root, path.split('/')[0]!)))];
    await this.#isIdle();
    const place = (await this.page.$(within))!;
    await place.scrollIntoView();
    const {x, y} = await place.clickablePoint();
    const session = await this.page.createCDPSession();
    const data = {items: [], files: tops, dragOperationsMask: 1};
    for (const type of ['dragEnter', 'dragOver', 'drop'] as const)
      await session.send('Input.dispatchDragEvent', {type, x, y, data});
    await session.detach();
  }

  /** Nothing is taken while something goes on. */
  async #isIdle(): Promise<void> {
    await this.page.waitForFunction(() => !document.querySelector('main progress'), PATIENCE);
  }

  /** Drops files as a script does: Firefox lets no program drop them otherwise. */
  async #dropOne(files: Files, within: string): Promise<void> {
    const encoded = Object.entries(files).map(([path, data]) => [path, Buffer.from(data).toString('base64')] as const);
    await this.#isIdle();
    await this.page.evaluate(
      (selector, given) => {
        const dataTransfer = new DataTransfer();
        for (const [path, text] of given) {
          dataTransfer.items.add(new File([Uint8Array.from(atob(text), char => char.charCodeAt(0))], path));
        }
        const event = new DragEvent('drop', {dataTransfer, bubbles: true, cancelable: true});
        document.querySelector(selector)!.dispatchEvent(event);
      },
      within,
      encoded,
    );
  }

  /** Presses a button that gives a file, and waits for it. */
  async download(press: () => Promise<void>): Promise<{readonly name: string; readonly data: Uint8Array}> {
    // A file of the same name would take the place of the last one.
    if (isChromium) for (const file of readdirSync(this.#downloads)) rmSync(join(this.#downloads, file));
    const before = await this.#taken();
    await press();
    const isNew = (name: string) => !before.includes(name) && !name.endsWith('.crdownload');
    await until(async () => (await this.#taken()).some(isNew), 'No file came.');
    const file = (await this.#taken()).find(isNew)!;
    const name = file.replace(/^\d+\//, '');
    if (isChromium) return {name, data: new Uint8Array(readFileSync(join(this.#downloads, file)))};
    const text = await this.page.evaluate(key => (globalThis as unknown as Kept).downloads[key]!, file);
    return {name, data: new Uint8Array(Buffer.from(text, 'base64'))};
  }

  /** Names of all files that were downloaded. */
  async #taken(): Promise<readonly string[]> {
    if (isChromium) return readdirSync(this.#downloads);
    return this.page.evaluate(() => Object.keys((globalThis as unknown as Kept).downloads));
  }

  /** Notes from now on what an element of a kind shows, as often as it changes. */
  async watch(selector: string): Promise<() => Promise<string[]>> {
    const seen = await this.page.evaluateHandle(selected => {
      const texts: string[] = [];
      const note = () => {
        const element = document.querySelector<HTMLElement>(selected);
        if (!element) return;
        const text = element instanceof HTMLProgressElement ? String(element.value) : element.innerText;
        if (text !== texts.at(-1)) texts.push(text);
      };
      new MutationObserver(note).observe(document.body, {subtree: true, childList: true, attributes: true});
      return texts;
    }, selector);
    return () => seen.jsonValue();
  }

  /** How wide the page is on a phone. */
  async widthOnPhone(): Promise<number> {
    await this.page.setViewport(NARROW);
    const width = await this.page.evaluate(() => document.documentElement.scrollWidth);
    await this.page.setViewport(WIDE);
    return width;
  }
}

async function until(isSo: () => boolean | Promise<boolean>, otherwise: string): Promise<void> {
  const end = Date.now() + PATIENCE.timeout;
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error(otherwise);
    await new Promise(resolve => setTimeout(resolve, PATIENCE.polling));
  }
}
