/** What is quantized in a model, how, and what is not and why. */
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {throwProblems} from '../check';
import {quantizingLayers} from './control';
import type {FakeQuantizer, RangeSnapshot} from './fake_quantizer';
import {asContainer, flatten, type Layer} from './graph';
import {allLayers} from './quantize_model';
import {place, type Place} from './placement';
import {isQuantizing, unwrapped} from './layer_wrapper';
import {QuantizedLayer} from './quantized_layer';
import {callback} from './rules';

/** One line of a description: a quantizer, or a layer that has none. */
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

/** What {@link describeQuantization} gives. */
export interface QuantizationDescription {
  /** Reads the ranges at once, which waits for the device, and which WebGPU does slowly: prefer {@link read} there. */
  readonly rows: readonly QuantizationRow[];
  /** The rows, without anybody waiting. */
  readonly read: () => Promise<readonly QuantizationRow[]>;
  /** Prints the rows as a table, once they are read. */
  readonly print: (printLine?: (line: string) => void) => Promise<void>;
}

function noteOf(quantizer: FakeQuantizer, {values, missed, collapsed = 0}: RangeSnapshot): string {
  const notes = [
    values ? '' : 'no range yet: passes values as they are',
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

/** Weights that stay float although the layer multiplies with them. */
const MULTIPLIES = new Set(['compute', 'recurrent', 'embedding', 'custom']);

function linesOf(layer: Layer, place: Place | undefined): Line[] {
  const className = unwrapped(layer).getClassName();
  const roundings = isQuantizing(layer) ? layer.roundings : [];
  const lines = roundings.map(({what, quantizer}) => lineOf(layer, className, what, quantizer));
  const leftOut = (what: string, reason: string): Line => ({
    rowOf: () => ({layer: layer.name, className, ...NOTHING, what, note: `not rounded: ${reason}`}),
  });
  if (place && MULTIPLIES.has(place.kind) && !roundings.some(({of}) => of === 'weights')) {
    lines.push(leftOut('weights', 'left out by the options'));
  }
  if (place && !roundings.some(({what}) => what === 'output' || what === 'activation')) {
    lines.push(leftOut('output', place.reason || 'left out by the options'));
  }
  return lines;
}

function placesOf(model: LayersModel): ReadonlyMap<Layer, Place> {
  const custom = Object.fromEntries(
    allLayers(asContainer(model)).flatMap(layer => (layer instanceof QuantizedLayer ? layer.customClass : [])),
  );
  const {ops, inputs, outputs} = flatten(asContainer(model));
  const original = {ops: ops.map(op => ({...op, layer: unwrapped(op.layer)})), inputs, outputs};
  return place(original, {custom, isFloat: () => false, perRow: () => false}).layers;
}

/**
 * Tells what is quantized in a model: with how many bits, on which ranges; and what is not and why.
 *
 * @param model - a quantized model.
 * @returns rows, and a way to print them.
 */
export function describeQuantization(model: LayersModel): QuantizationDescription {
  quantizingLayers('describeQuantization', model);
  const places = placesOf(model);
  const layers = allLayers(asContainer(model)).filter(layer => layer.getClassName() !== 'InputLayer');
  const lines = layers.flatMap(layer => linesOf(layer, placeOf(layer, places)));
  const read = () => Promise.all(lines.map(async ({quantizer, rowOf}) => rowOf(await quantizer?.snapshot())));
  return {
    get rows() {
      return lines.map(({quantizer, rowOf}) => rowOf(quantizer?.snapshotSync()));
    },
    read,
    print: async (printLine = console.log) => {
      throwProblems('describeQuantization', callback(printLine, 'printLine'));
      tableOf(await read()).forEach(line => printLine(line));
    },
  };
}

function placeOf(layer: Layer, places: ReadonlyMap<Layer, Place>): Place | undefined {
  const inner = unwrapped(layer);
  return inner === layer && isQuantizing(layer) ? undefined : places.get(inner);
}

function cellsOf({layer, className, what, numBits, ranges, min, max, note}: QuantizationRow): string[] {
  const number = (value: number | undefined) => (value === undefined ? '' : value.toPrecision(4));
  const range = min === undefined ? '' : `${number(min)} … ${number(max)}${ranges > 1 ? ` (${ranges} ranges)` : ''}`;
  return [layer, className, what, String(numBits ?? ''), range, note];
}

/** Lines of columns that stand below each other. */
function tableOf(rows: readonly QuantizationRow[]): string[] {
  const cells = [['layer', 'class', 'what', 'bits', 'range', ''], ...rows.map(cellsOf)];
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map(row => row[column]!.length)));
  return cells.map(row =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
}
