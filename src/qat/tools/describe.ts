/** What is quantized in a model, how, and what is not and why. */
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {callback, throwProblems} from '../../check/rules';
import {tableOf} from '../../check/table';
import {isBatchNorm} from '../../layers/folding';
import {allLayers, asContainer, isInput, type Layer} from '../../layers/graph';
import {kindOf, MULTIPLIES} from '../../layers/kinds';
import {unwrapped} from '../../layers/layer_wrapper';
import {withModel} from '../../layers/model';
import type {Kind} from '../../layers/specs/layer_spec';
import {type CustomLayers, slotsOf} from '../../layers/weights';
import type {FakeQuantizer} from '../../quantizer/fake_quantizer';
import type {RangeSnapshot} from '../../quantizer/range';
import {hasCopiedStatistics} from '../copied_statistics';
import {LEFT_OUT, reasonOfKind} from '../placement/placement';
import {QuantizedLayer} from '../quantized_layers/quantized_layer';
import {isQuantizing, quantizingLayers, QuantizingWrapper} from '../quantized_layers/quantizing';

/**
 * One line of a description: a quantizer, or a layer that has none.
 *
 * @example
 * ```js
 * import {describeQuantization} from 'tfjs-quantization/qat';
 *
 * const rows = await describeQuantization(q).read();
 * for (const {layer, what, numBits, min, max, note} of rows) {
 *   console.log(layer, what, numBits, min, max, note);
 * }
 * ```
 */
export interface QuantizationRow {
  /** The layer's name. */
  readonly layer: string;
  /** The class of the layer within the wrapper. */
  readonly className: string;
  /** What is rounded: a weight by name, 'before activation', 'output', or 'nothing'. */
  readonly what: string;
  /** Width of the grid; undefined if nothing is rounded. */
  readonly numBits: number | undefined;
  /** How many ranges: the channels of a weight, or 1. */
  readonly ranges: number;
  /** The lowest of the ranges' lower ends; undefined if no range is set. */
  readonly min: number | undefined;
  /** The highest of the upper ends. */
  readonly max: number | undefined;
  /** Whether training moves the range. */
  readonly observing: boolean;
  /** Why it is not rounded, or what is the matter. */
  readonly note: string;
}

/**
 * What {@link describeQuantization} gives.
 *
 * @example
 * ```js
 * import {describeQuantization} from 'tfjs-quantization/qat';
 *
 * const description = describeQuantization(q);
 * await description.print(line => console.log(line));
 * const rows = await description.read();
 * ```
 */
export interface QuantizationDescription {
  /** Reads the ranges, and gives the rows. */
  readonly read: () => Promise<readonly QuantizationRow[]>;
  /** Prints the rows as a table, once they are read. */
  readonly print: (printLine?: (line: string) => void) => Promise<void>;
}

function noteOf(quantizer: FakeQuantizer, {values, missed, collapsed = 0}: RangeSnapshot): string {
  const notes = [
    values ? '' : 'no range yet: passes values as they are',
    quantizer.options.zeroFree ? 'zero-free: no weight is 0' : '',
    quantizer.quantizing ? '' : 'switched off',
    missed > 0 ? `${missed} batches were NaN or infinite: the range stayed as it was` : '',
    collapsed > 0 ? `${collapsed} learned ends collapsed or turned NaN: their last good values are used` : '',
  ];
  return notes.filter(Boolean).join('; ');
}

/** A row, once the range of its quantizer is read. */
interface Line {
  readonly quantizer?: FakeQuantizer;
  readonly rowOf: (snapshot: RangeSnapshot | undefined) => QuantizationRow;
}

function lineOf(layer: Layer, className: string, what: string, quantizer: FakeQuantizer): Line {
  const {numBits, observing} = quantizer;
  const rowOf = (snapshot: RangeSnapshot | undefined) => {
    const {values} = snapshot!;
    return {
      layer: layer.name,
      className,
      what,
      numBits,
      ranges: values?.min.length ?? 1,
      min: values && Math.min(...values.min),
      max: values && Math.max(...values.max),
      observing,
      note: noteOf(quantizer, snapshot!),
    };
  };
  return {quantizer, rowOf};
}

const NOTHING = {numBits: undefined, ranges: 0, min: undefined, max: undefined, observing: false};

/** Why an output is not rounded. */
type ReasonOf = (layer: Layer, kind: Kind) => string;

const TFMOT = "tfmot's scheme does not round here";

const isTfmots = (layer: Layer) => layer instanceof QuantizingWrapper && !(layer instanceof QuantizedLayer);

/** What wrappers tell of their layers, and of those that have none. */
function reasonsOf(layers: readonly Layer[]): ReasonOf {
  const wrappers = layers.filter(layer => layer instanceof QuantizedLayer);
  const leftOut = new Set(wrappers.flatMap(wrapper => wrapper.leftOut));
  const isOld = wrappers.some(({reason}) => reason === undefined);
  const otherwise = isOld ? 'the model was saved before reasons were kept' : 'it is not quantized';
  return (layer, kind) => {
    const own = layer instanceof QuantizedLayer ? layer.reason : undefined;
    const unwrapped = leftOut.has(layer.name) ? LEFT_OUT : otherwise;
    return own ?? reasonOfKind(kind) ?? (isTfmots(layer) ? TFMOT : unwrapped);
  };
}

function linesOf(layer: Layer, custom: CustomLayers, reasonOf: ReasonOf): Line[] {
  const inner = unwrapped(layer);
  const className = inner.getClassName();
  const roundings = isQuantizing(layer) ? layer.roundings : [];
  const lines = roundings.map(({what, quantizer}) => lineOf(layer, className, what, quantizer));
  // A layer that only rounds.
  if (inner === layer && isQuantizing(layer)) return lines;
  const leftOut = (what: string, reason: string): Line => ({
    rowOf: () => ({layer: layer.name, className, ...NOTHING, what, note: `not rounded: ${reason}`}),
  });
  const kind = kindOf(inner, custom);
  const isFloat = !roundings.some(({of}) => of === 'weights');
  if (isFloat && MULTIPLIES.has(kind) && slotsOf(inner, custom[className]).length > 0) {
    lines.push(leftOut('weights', layer instanceof QuantizedLayer ? LEFT_OUT : reasonOf(layer, kind)));
  }
  if (!roundings.some(({what}) => what === 'output' || what === 'activation')) {
    lines.push(leftOut('output', reasonOf(layer, kind)));
  }
  if (layer instanceof QuantizedLayer) lines.push(...layer.floatOutputs.map(each => leftOut(each.what, each.reason)));
  return lines;
}

const COPIED =
  "the statistics are the float network's: reestimateBatchNorm(q, samples), or calibrate(q, samples, " +
  '{reestimateBatchNorm: true}), measures them with rounded weights';

/** Tells at the first BatchNormalization whether statistics want measuring. */
function noted(lines: readonly Line[], norm: Layer): Line {
  const [first] = lines;
  const rowOf = (snapshot: RangeSnapshot | undefined) => {
    const row = first!.rowOf(snapshot);
    return hasCopiedStatistics(norm) ? {...row, note: [row.note, COPIED].filter(Boolean).join('; ')} : row;
  };
  return {...first!, rowOf};
}

/**
 * Tells what is quantized in a model: with how many bits, on which ranges; and what is not and why. Of a model as
 * `quantizeModel` gave it, the first BatchNormalization says that the statistics want measuring anew, until something moves them.
 *
 * @param model - a quantized model.
 * @returns ways to read that as rows, and to print them.
 * @throws if the model is not quantized, or is disposed.
 *
 * @example
 * ```js
 * import {describeQuantization} from 'tfjs-quantization/qat';
 *
 * // What is rounded where, on which ranges, and what is not and why.
 * await describeQuantization(q).print();
 * ```
 */
export function describeQuantization(model: LayersModel): QuantizationDescription {
  quantizingLayers('describeQuantization', model);
  const layers = allLayers(asContainer(model)).filter(layer => !isInput(layer));
  const custom = Object.fromEntries(
    layers.flatMap(layer => (layer instanceof QuantizedLayer ? layer.customClass : [])),
  );
  const reasonOf = reasonsOf(layers);
  const firstNorm = layers.find(layer => isBatchNorm(unwrapped(layer)));
  const lines = layers.flatMap(layer => {
    const own = linesOf(layer, custom, reasonOf);
    return layer === firstNorm ? [noted(own, unwrapped(layer)), ...own.slice(1)] : own;
  });
  const read = () =>
    withModel('describeQuantization', model, () =>
      Promise.all(lines.map(async ({quantizer, rowOf}) => rowOf(await quantizer?.snapshot()))),
    );
  return {
    read,
    print: async (printLine = console.log) => {
      throwProblems('describeQuantization', callback(printLine, 'printLine'));
      tableOf(HEADS, (await read()).map(cellsOf)).forEach(line => printLine(line));
    },
  };
}

const HEADS = ['layer', 'class', 'what', 'bits', 'range', ''];

function cellsOf({layer, className, what, numBits, ranges, min, max, note}: QuantizationRow): string[] {
  const number = (value: number | undefined) => (value === undefined ? '' : value.toPrecision(4));
  const range = min === undefined ? '' : `${number(min)} … ${number(max)}${ranges > 1 ? ` (${ranges} ranges)` : ''}`;
  return [layer, className, what, String(numBits ?? ''), range, note];
}
