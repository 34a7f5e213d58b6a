/** How a tensor's values lie on its grid. */
import type {Histogram} from '../../quantizer/histogram';
import type {IntegerGrid} from '../../quantizer/levels';
import {plotOfHistogram} from './histogram_plot';

/** Counts of a tensor's values, before they are rounded, and the grid that they are rounded to. */
export interface TensorHistogram {
  /** What the numbers here are: values or, where channels have ranges of their own, steps of each channel's grid. */
  readonly unit: 'value' | 'steps';
  /** Where the first bin begins: at the lowest value, or a little below. */
  readonly from: number;
  /** How wide each bin is. */
  readonly width: number;
  /** How many values lie in each bin. */
  readonly counts: readonly number[];
  /** The grid: what values are rounded to. */
  readonly levels: readonly number[];
  /** The shares of values that lie more than half a step outside of the grid. */
  readonly clipped: {readonly below: number; readonly above: number};
  /** A picture of it, as SVG text. */
  readonly plot: () => string;
}

/** A histogram, once it has a title. */
export type HistogramOf = (title: string) => TensorHistogram;

/** No more bins than a picture shows. */
const BINS = 256;

export function histogramOf(histogram: Histogram, grid: IntegerGrid, clipped: TensorHistogram['clipped']): HistogramOf {
  const {from, width, counts} = histogram.bins(BINS);
  const {scale, spacing, lowest, highest} = grid;
  const unit = scale.length > 1 ? 'steps' : 'value';
  const [low, high] = [
    lowest.reduce((a, b) => Math.min(a, b), Infinity),
    highest.reduce((a, b) => Math.max(a, b), -Infinity),
  ];
  const size = unit === 'steps' ? 1 / spacing : scale[0]!;
  return title => {
    const levels = Array.from({length: (high - low) / spacing + 1}, (_, i) => (low + i * spacing) * size);
    const told = {unit, from, width, counts, levels, clipped} as const;
    return {...told, plot: () => plotOfHistogram(title, told)};
  };
}
