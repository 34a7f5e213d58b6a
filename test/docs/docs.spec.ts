/** What the documents show runs, and comes out as they say. */
import {execFile} from 'node:child_process';
import {readdirSync, readFileSync} from 'node:fs';
import {printedBy} from '../tflite/microcontrollers/compiler';

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
      if (error) {
        reject(new Error(stderr.slice(-4000) || error.message));
        return;
      }
      try {
        resolve(JSON.parse(stdout) as Ran);
      } catch {
        reject(new Error(`${args.join(' ')} prints more than JSON: ${stdout.slice(0, 200)}`));
      }
    });
  });
}

/** Longer than any document takes on two busy cores. */
const PATIENCE_MS = 20 * 60_000;

/** The number that is printed behind some words. */
function numberAfter(words: string, printed: readonly string[]): number {
  const line = printed
    .join('')
    .split('\n')
    .find(each => each.startsWith(`${words}: `));
  if (line === undefined) throw new Error(`nothing printed begins with "${words}: "`);
  return parseFloat(line.slice(words.length + 2));
}

const DOCUMENTS = ['README.md', ...readdirSync('docs').map(name => `docs/${name}`)].filter(name =>
  name.endsWith('.md'),
);

describe('documents', () => {
  for (const heading of [
    'Use',
    'Quantization-aware training of layers models',
    'Any file out: .tflite, ONNX, C++, small tfjs models',
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

  it('docs/onnx.md', async () => expect(Object.keys((await run('docs/onnx.md')).files).length).toBe(2), PATIENCE_MS);

  it(
    'docs/files.md',
    async () => {
      const {printed} = await run('docs/files.md');
      const bytes = (kind: string) => numberAfter(kind, printed);
      expect(bytes('float16')).toBeLessThan(0.6 * bytes('float32'));
      for (const kind of ['dynamic range', 'integers']) expect(bytes(kind)).toBeLessThan(0.4 * bytes('float32'));
      expect(bytes('ONNX, integers')).toBeLessThan(0.5 * bytes('ONNX, float32'));
    },
    PATIENCE_MS,
  );

  for (const document of ['docs/choosing-bits.md', 'docs/transfer-learning.md']) {
    it(
      document,
      async () => {
        expect((await run(document)).printed.length).toBeGreaterThan(2);
      },
      PATIENCE_MS,
    );
  }

  it(
    'docs/when-accuracy-drops.md: each step gains what it says, and the report names the layers that it shows',
    async () => {
      const document = 'docs/when-accuracy-drops.md';
      const {printed, files} = await run(document);
      const accuracy = (words: string) => numberAfter(words, printed);
      const [float, calibrated] = [accuracy('float'), accuracy('4 bits, calibrated')];
      expect(float).toBeGreaterThan(75);
      expect(calibrated).toBeLessThan(float - 3);
      expect(accuracy('the same, new statistics')).toBeGreaterThan(calibrated);
      expect(accuracy('the worst layer at 8 bits')).toBeGreaterThan(calibrated);
      expect(accuracy('distilled')).toBeGreaterThan(float - 3);
      expect(accuracy('3 bits a weight, chosen')).toBeGreaterThanOrEqual(accuracy('3 bits a weight, uniform'));

      // The costliest layers that the document shows are the first ones still.
      const layersIn = (text: string) =>
        [...text.matchAll(/^([a-z]\w*) {2,}\S*(?:Conv2D|Dense|ReLU|Input|Pooling2D) /gm)].map(([, name]) => name);
      const shown = layersIn(readFileSync(document, 'utf8')).slice(0, 3);
      expect(shown.length).toBe(3);
      expect(layersIn(printed.join('')).slice(0, 3)).toEqual(shown);

      for (const name of ['drops-sensitivity.svg', 'drops-histogram.svg', 'drops-front.svg']) {
        expect(files[name])
          .withContext(name)
          .toMatch(/^<svg .*<\/svg>\s*$/s);
        // The picture beside the document is of the same kind: what it shows is written by `--write`.
        const title = (svg: string) => /<title>([^<]*)/.exec(svg)?.[1];
        expect(title(readFileSync(`docs/${name}`, 'utf8')))
          .withContext(name)
          .toBe(title(files[name]!));
      }
    },
    PATIENCE_MS,
  );

  it(
    'docs/microcontrollers.md: its file takes what it says, and its C++ compiles with what it writes',
    async () => {
      const document = 'docs/microcontrollers.md';
      const {printed, files} = await run(document);
      const text = readFileSync(document, 'utf8');
      const [told, header] = [...text.matchAll(/^```text\n(.*?)^```$/gms)].map(([, block]) => block!);
      expect(printed[1]).toBe(told);
      const withoutGrids = (each: string) => each.replace(/(scale|zero_point) = .*/g, '$1');
      expect(withoutGrids(printed.at(-1)!)).toBe(withoutGrids(header!));
      expect(Object.keys(files).sort()).toEqual([
        ...['gestures.ino', 'gestures_model.cpp', 'gestures_model.h'].map(name => `gestures/${name}`),
        'gestures_model.cpp',
        'gestures_model.h',
      ]);
      const [, program] = /^```cpp\n(.*?)^```$/ms.exec(text)!;
      const main = `#define ARENA 4096\n${program!}
        int main() {
          const float readings[gestures_input0_size] = {};
          float scores[gestures_label_count] = {-1};
          gesture(readings, scores);
          return scores[0] < 0;
        }`;
      expect(await printedBy(new Map(Object.entries(files).filter(([name]) => !name.includes('/'))), main)).toBe('');
    },
    PATIENCE_MS,
  );

  it('show no picture and name no document that is not there', () => {
    for (const document of DOCUMENTS) {
      const folder = document.startsWith('docs/') ? 'docs/' : '';
      const links = [...readFileSync(document, 'utf8').matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)];
      for (const [, to] of links) {
        expect(() => readFileSync(`${folder}${to!}`))
          .withContext(`${document}: ${to!}`)
          .not.toThrow();
      }
    }
  });
});
