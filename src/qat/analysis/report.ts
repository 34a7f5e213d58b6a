/** What an analysis tells: plain numbers, and ways to read them. */
import {callback, throwProblems} from '../../check/rules';
import {tableOf} from '../../check/table';
import type {Agreement, ClassAgreement} from '../outputs/agreement';
import {plotOfHistogram} from './histogram_plot';
import {plotOfSensitivity} from './sensitivity_plot';
import type {Shown, TensorHistogram} from './tensor_histogram';
import type {TensorReport} from './tensor_report';
import {percent, short} from './words';

/**
 * How much of the outputs' agreement a layer costs.
 *
 * @example
 * ```js
 * import {analyzeQuantization} from 'tfjs-quantization/qat';
 *
 * const {rows} = await analyzeQuantization(q, model, images, {sensitivity: 'only'});
 * const {layer, only} = rows[0];
 * console.log(`alone, ${layer} costs a divergence of ${only.divergence}`);
 * console.log(`and changes the class of ${100 * only.top1} %`);
 * ```
 */
export interface Loss {
  /** Of the divergence: see {@link Agreement}. */
  readonly divergence: number;
  /** Of the share of decisions that are the same; undefined where no output is classes. */
  readonly top1: number | undefined;
}

/**
 * A layer that rounds.
 *
 * @example
 * ```js
 * import {analyzeQuantization} from 'tfjs-quantization/qat';
 *
 * const {rows} = await analyzeQuantization(q, model, images);
 * for (const {layer, className, only, tensors} of rows) {
 *   console.log(layer, className, only.divergence, `${tensors.length} tensors`);
 * }
 * ```
 */
export interface LayerReport {
  /** The layer's name. */
  readonly layer: string;
  /** The class of the layer within the wrapper. */
  readonly className: string;
  /** What rounding this layer alone costs, against the quantized model with nothing rounded; undefined if not asked for. */
  readonly only: Loss | undefined;
  /**
   * What the whole gains if this layer is left float: how much closer its outputs then are to the float model's. Below 0 where
   * its errors make up for others'. Undefined if not asked for.
   */
  readonly without: Loss | undefined;
  /** What it rounds. */
  readonly tensors: readonly TensorReport[];
}

/**
 * What {@link analyzeQuantization} found. Numbers alone: there is nothing to dispose of.
 *
 * @example
 * ```js
 * import {analyzeQuantization} from 'tfjs-quantization/qat';
 *
 * const report = await analyzeQuantization(q, model, images);
 * report.print(); // the whole, the layers with their tensors, and what to do
 * const [worst] = report.rows;
 * console.log(worst.layer, worst.only.divergence, worst.without.top1);
 * const svg = report.histogram('conv', 'kernel').plot();
 * ```
 */
export interface QuantizationReport {
  /** How many samples it is of. */
  readonly samples: number;
  /** How well the quantized model agrees with the float one. */
  readonly agreement: Agreement;
  /** The same for each class of each output that is classes. */
  readonly perClass: readonly ClassAgreement[];
  /** How well the quantized model would agree with nothing rounded: by what training has moved since it was made. */
  readonly unrounded: Agreement;
  /**
   * The layers, worst first: by what they cost alone, else by what the whole gains without them, else by their worst signal to
   * noise.
   */
  readonly rows: readonly LayerReport[];
  /** Prints the whole, the layers with their tensors, and what to do. */
  readonly print: (printLine?: (line: string) => void) => void;
  /** A picture of what each layer costs, worst first, with its signal to noise, as SVG text. */
  readonly plot: () => string;
  /**
   * How the values of a tensor lie on its grid.
   *
   * @param layer - the name of a layer among {@link rows}.
   * @param what - which of its tensors: 'kernel', 'output'.
   * @throws if there is no such layer or tensor: the error tells which there are.
   */
  readonly histogram: (layer: string, what: string) => TensorHistogram;
}

/** What a report is made of. */
export interface Findings extends Pick<QuantizationReport, 'samples' | 'agreement' | 'perClass' | 'unrounded'> {
  readonly model: string;
  /** In the order of the model, with the histograms of the tensors that have one. */
  readonly layers: readonly {readonly row: LayerReport; readonly histograms: ReadonlyMap<string, () => Shown>}[];
}

/** What layers are ordered by: the higher, the worse. */
function costOf({only, without, tensors}: LayerReport): number {
  const cost = (only ?? without)?.divergence;
  return cost ?? -Math.min(...tensors.map(({snr}) => snr ?? Infinity));
}

export function reportOf({model, layers, ...found}: Findings): QuantizationReport {
  const rows = layers.map(({row}) => row).sort((a, b) => costOf(b) - costOf(a) || 0);
  const report = {...found, rows};
  return {
    ...report,
    print: (printLine = console.log) => {
      throwProblems('QuantizationReport.print', callback(printLine, 'printLine'));
      linesOf(report).forEach(line => printLine(line));
    },
    plot: () => plotOfSensitivity(`${model}: what rounding each layer costs`, rows),
    histogram: (layer, what) => {
      const histograms = layers.find(({row}) => row.layer === layer)?.histograms;
      if (!histograms)
        throw unknown(
          'layer',
          layer,
          rows.map(row => row.layer),
          'Layers that round',
        );
      const shown = histograms.get(what)?.();
      if (!shown) throw unknown(`tensor of layer ${layer}`, what, [...histograms.keys()], 'What it rounds');
      return {...shown, plot: () => plotOfHistogram(`${layer}: ${what}`, shown)};
    },
  };
}

function unknown(kind: string, name: string, known: readonly string[], are: string): Error {
  return new Error(
    `QuantizationReport.histogram: there is no ${kind} that is called ${name}. ${are}: ${known.join(', ') || 'nothing'}.`,
  );
}

function agreementIn({divergence, top1}: Agreement): string {
  const classes = top1 === undefined ? '' : `the same class for ${percent(top1)}, `;
  return `${classes}divergence ${short(divergence)}`;
}

const HEADS = [
  'layer',
  'class',
  'only',
  'top-1',
  'without',
  'top-1',
  'what',
  'bits',
  'range',
  'SNR dB',
  'bias',
  'clipped',
  'levels',
  'largest',
];

function linesOf({
  samples,
  agreement,
  unrounded,
  rows,
}: Pick<QuantizationReport, 'samples' | 'agreement' | 'unrounded' | 'rows'>): string[] {
  const advised = new Map<string, string[]>();
  for (const {layer, tensors} of rows) {
    for (const {what, advice: all} of tensors) {
      for (const each of all) advised.set(each, [...(advised.get(each) ?? []), `${layer}, ${what}`]);
    }
  }
  const advice = [...advised].map(([each, tensors]) => `- ${tensors.join('; ')}: ${each}`);
  return [
    `Against the float model, ${samples} samples: ${agreementIn(agreement)}; with nothing rounded: ${agreementIn(unrounded)}.`,
    '',
    ...tableOf(HEADS, rows.flatMap(cellsOf)),
    ...(advice.length > 0
      ? ['', 'What to do, the costliest layer first, as others may suffer from it:', ...advice]
      : []),
  ];
}

/** A line for each tensor, of which the first tells of the layer. */
function cellsOf({layer, className, only, without, tensors}: LayerReport): string[][] {
  const number = (value: number | undefined) => (value === undefined ? '' : short(value));
  const loss = (of: Loss | undefined) => [number(of?.divergence), of?.top1 === undefined ? '' : percent(of.top1)];
  return tensors.map((tensor, i) => [
    ...(i === 0 ? [layer, className, ...loss(only), ...loss(without)] : ['', '', '', '', '', '']),
    tensor.what,
    String(tensor.numBits),
    tensor.min === undefined
      ? ''
      : `${number(tensor.min)} … ${number(tensor.max)}${tensor.ranges > 1 ? ` (${tensor.ranges})` : ''}`,
    tensor.snr === undefined ? '' : Number.isFinite(tensor.snr) ? tensor.snr.toFixed(1) : short(tensor.snr),
    number(tensor.bias),
    tensor.clipped === undefined ? '' : percent(tensor.clipped),
    tensor.levels ? `${tensor.levels.used} of ${tensor.levels.of}` : '',
    number(tensor.largestError),
  ]);
}
