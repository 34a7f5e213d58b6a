/** What is quantized in a model, how, and what is not and why. */
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {quantizingLayers} from './control';
import type {FakeQuantizer} from './fake_quantizer';
import {asContainer, flatten, type FlatGraph, type Layer} from './graph';
import {allLayers} from './quantize_model';
import {place, type Place} from './placement';
import {QuantizedInput, QuantizedLayer} from './quantized_layer';

/** One line of a description: a quantizer, or a layer that has none. */
export interface QuantizationRow {
  /** The layer's name. */
  readonly layer: string;
  /** The class of the layer within the wrapper. */
  readonly className: string;
  /** What is rounded: a weight by name, 'before activation', 'output', or 'nothing'. */
  readonly what: string;
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
  readonly rows: readonly QuantizationRow[];
  /** Prints the rows as a table. */
  print(printLine?: (line: string) => void): void;
}

function noteOf(quantizer: FakeQuantizer, isSet: boolean): string {
  const missed = quantizer.missedBatches();
  const notes = [
    isSet ? '' : 'no range yet: passes values as they are',
    quantizer.quantizing ? '' : 'switched off',
    missed > 0 ? `${missed} batches were NaN or infinite: the range stayed as it was` : '',
  ];
  return notes.filter(Boolean).join('; ');
}

function rowOf(layer: Layer, className: string, what: string, quantizer: FakeQuantizer): QuantizationRow {
  const values = quantizer.values();
  return {
    layer: layer.name,
    className,
    what,
    numBits: quantizer.numBits,
    ranges: values?.min.length ?? 1,
    min: values && Math.min(...values.min),
    max: values && Math.max(...values.max),
    observing: quantizer.observing,
    note: noteOf(quantizer, values !== undefined),
  };
}

const NOTHING = {numBits: undefined, ranges: 0, min: undefined, max: undefined, observing: false};

/** Weights that stay float although the layer multiplies with them. */
const MULTIPLIES = new Set(['compute', 'recurrent', 'embedding', 'custom']);

function rowsOf(layer: Layer, place: Place | undefined): QuantizationRow[] {
  const inner = layer instanceof QuantizedLayer ? layer.layer : layer;
  const className = inner.getClassName();
  const weights = layer instanceof QuantizedLayer ? layer.weightQuantizers : [];
  const rows = weights.map(({slot, quantizer}) => rowOf(layer, className, slot.name, quantizer));
  const {beforeQuantizer: before, outputQuantizer: output} = layer as Partial<QuantizedLayer>;
  if (before) rows.push(rowOf(layer, className, 'before activation', before));
  if (output) rows.push(rowOf(layer, className, 'output', output));
  const left = {layer: layer.name, className, ...NOTHING};
  if (place && MULTIPLIES.has(place.kind) && weights.length === 0) {
    rows.push({...left, what: 'weights', note: 'not rounded: left out by the options'});
  }
  if (!output && place)
    rows.push({...left, what: 'output', note: `not rounded: ${place.reason || 'left out by the options'}`});
  return rows;
}

/** The graph as it was before layers were wrapped. */
function unwrapped({ops, inputs, outputs}: FlatGraph): FlatGraph {
  const unwrap = (layer: Layer) => (layer instanceof QuantizedLayer ? layer.layer : layer);
  return {ops: ops.map(op => ({...op, layer: unwrap(op.layer)})), inputs, outputs};
}

function placesOf(model: LayersModel): ReadonlyMap<Layer, Place> {
  const custom = Object.fromEntries(
    allLayers(asContainer(model)).flatMap(layer => (layer instanceof QuantizedLayer ? layer.customClass : [])),
  );
  const flat = unwrapped(flatten(asContainer(model)));
  return place(flat, {custom, isFloat: () => false, perRow: () => false}).layers;
}

/**
 * Tells what is quantized in a model: with how many bits, on which ranges; and what is not and why. Reads the ranges, which
 * waits for the device.
 *
 * @param model - a quantized model.
 * @returns rows, and a way to print them.
 */
export function describeQuantization(model: LayersModel): QuantizationDescription {
  quantizingLayers('describeQuantization', model);
  const places = placesOf(model);
  const layers = allLayers(asContainer(model)).filter(layer => layer.getClassName() !== 'InputLayer');
  const rows = layers.flatMap(layer => rowsOf(layer, placeOf(layer, places)));
  return {rows, print: (printLine = console.log) => tableOf(rows).forEach(line => printLine(line))};
}

function placeOf(layer: Layer, places: ReadonlyMap<Layer, Place>): Place | undefined {
  if (layer instanceof QuantizedInput) return undefined;
  return places.get(layer instanceof QuantizedLayer ? layer.layer : layer);
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
