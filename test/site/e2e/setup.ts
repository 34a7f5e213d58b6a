/** What run.mjs gives to the specs. */
import type {Browser} from 'puppeteer-core';

interface Served {
  /** Ends in a slash. */
  readonly address: string;
  readonly stop: () => void;
}

interface Setup {
  readonly name: 'chromium' | 'firefox';
  readonly browser: Browser;
  readonly serveSite: (options: {
    readonly folder?: string;
    readonly headers?: Readonly<Record<string, string>>;
  }) => Promise<Served>;
  /** That holds the site. */
  readonly folder: string;
}

const {name, browser, serveSite, folder} = (globalThis as unknown as {e2e: Setup}).e2e;

export const isChromium = name === 'chromium';

export {browser, folder, serveSite};
