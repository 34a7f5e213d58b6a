/** The tables of docs/performance.md, which are made of the last run: each between `<!-- bench: NAME -->` and `<!-- /bench -->`. */
import {type Case, elementsOf, isFlat, K, M, type RowName} from './catalogue';
import type {Result} from './measure';
import {markdownTable, spreadText} from './report';
import type {Run} from './results';

/** A line of a table: what it says, and of which row and ratio. */
interface Line {
  readonly title: string;
  readonly row: RowName;
  readonly of?: 'overYardstick' | 'composedOver';
  readonly selects?: (each: Case) => boolean;
}

const BACKENDS: readonly (readonly [backend: string, name: string])[] = [
  ['webgpu', 'WebGPU'],
  ['webgl', 'WebGL'],
  ['cpu', 'cpu'],
  ['wasm', 'wasm'],
];

const flat = (size: number) => (each: Case) => isFlat(each) && elementsOf(each) === size;
const large = flat(4 * M);

const TABLES: Readonly<Record<string, readonly Line[]>> = {
  ops: [
    {title: 'forward, by relu', row: 'forward', selects: large},
    {title: "gradient of x, by relu's gradient", row: 'dx', selects: large},
    {
      title: "forward, how many times as fast as composed of tfjs's ops",
      row: 'forward',
      of: 'composedOver',
      selects: large,
    },
    {title: 'gradients of x, min and max, likewise', row: 'gradient', of: 'composedOver', selects: large},
    {title: '`QuantizeAndDequantizeV4` that measures its range, by relu', row: 'v4-measured', selects: large},
    {title: 'forward of 1024 numbers, by relu', row: 'forward', selects: flat(K)},
  ],
  training: [
    {title: 'a MobileNetV2 block, batch 8', row: 'step-block'},
    {title: 'the digit classifier, batch 64', row: 'step-digits'},
    {title: 'the same at 4 bits, ranges learned', row: 'step-learned'},
  ],
  calls: [
    {title: "`calibrate`, method 'minMax'", row: 'mobile-min-max'},
    {title: "`calibrate`, method 'mse'", row: 'mobile-mse'},
    {title: "`calibrate`, method 'percentile'", row: 'mobile-percentile'},
    {title: 'quantized `predict`', row: 'mobile-predict'},
    {title: 'quantized `predict`, its weights just set', row: 'mobile-first'},
    {title: '`toTFLite`', row: 'mobile-tflite'},
    {title: '`importModel` of the graph', row: 'mobile-import'},
  ],
};

/** As RESULTS.md has it. */
function median(result: Result | undefined, of: 'overYardstick' | 'composedOver'): string {
  const spread = result?.[of];
  return spread ? spreadText(spread).split(' ')[0]! : '–';
}

function cellsOf({title, row, of = 'overYardstick', selects = () => true}: Line, results: readonly Result[]): string[] {
  const mine = results.filter(result => result.row === row && selects(result.case));
  return [
    title,
    ...BACKENDS.map(([backend]) =>
      median(
        mine.find(result => result.backend === backend),
        of,
      ),
    ),
  ];
}

function tableOf(name: string, run: Run): string {
  const lines = TABLES[name];
  if (!lines) throw new Error(`docs/performance.md asks for a table '${name}', which bench/performance.ts has not`);
  const results = run.sessions.flatMap(({report}) => report?.results ?? []);
  return markdownTable(
    ['', ...BACKENDS.map(([, backend]) => backend)],
    lines.map(line => cellsOf(line, results)),
  );
}

/** The document with the figures of a run. */
export function performanceText(run: Run, document: string): string {
  return document.replace(
    /(<!-- bench: (.+) -->\n)[^]*?(<!-- \/bench -->)/g,
    (_, start: string, name: string, end: string) => `${start}\n${tableOf(name, run)}\n\n${end}`,
  );
}
