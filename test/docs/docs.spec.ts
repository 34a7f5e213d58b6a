/** What the documents show runs, and comes out as they say. */
import {execFile} from 'node:child_process';
import {readdirSync, readFileSync} from 'node:fs';

/** Of test/docs/run.mjs. */
interface Ran {
  /** What each block printed. */
  readonly printed: readonly string[];
  readonly warned: string;
  readonly files: Readonly<Record<string, string>>;
}

function run(document: string, heading?: string): Promise<Ran> {
  const args = ['test/docs/run.mjs', document, ...(heading ? [heading] : [])];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, {maxBuffer: 2 ** 26}, (error, stdout, stderr) => {
      if (error) reject(new Error(stderr.slice(-4000) || error.message));
      else resolve(JSON.parse(stdout) as Ran);
    });
  });
}

/** Longer than any document takes on two busy cores. */
const PATIENCE_MS = 20 * 60_000;

/** The percentages that were printed, in their order. */
function percentages(printed: string): number[] {
  return [...printed.matchAll(/: (\d+\.\d) %$/gm)].map(([, share]) => Number(share));
}

const DOCUMENTS = ['README.md', ...readdirSync('docs').map(name => `docs/${name}`)].filter(name => name.endsWith('.md'));

describe('documents', () => {
  for (const heading of [
    'Use',
    'Quantization-aware training of layers models',
    'Out of the browser: .tflite, integers, small tfjs models',
  ]) {
    it(
      `README, ${heading}`,
      async () => {
        const {warned} = await run('README.md', heading);
        expect(warned).not.toContain('deprecated');
      },
      PATIENCE_MS,
    );
  }

  for (const document of ['docs/choosing-bits.md', 'docs/transfer-learning.md']) {
    it(
      document,
      async () => {
        expect((await run(document)).printed.length).toBeGreaterThan(2);
      },
      PATIENCE_MS,
    );
  }

  it('show no picture and name no document that is not there', () => {
    for (const document of DOCUMENTS) {
      const folder = document.startsWith('docs/') ? 'docs/' : '';
      const links = [...readFileSync(document, 'utf8').matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)];
      for (const [, to] of links) {
        expect(() => readFileSync(`${folder}${to!}`)).withContext(`${document}: ${to!}`).not.toThrow();
      }
    }
  });
});
