/**
 * What is drawn, as the networks know digits. Their data were made so (Garris et al., NIST Form-Based Handprint Recognition
 * System, 1994; Kaynak 1995): a digit is set upright, made as large as 20x32 of 32x32 pixels hold it, its strokes thickened or thinned
 * till there is as much ink as in any other, and the ink in each block of 4x4 pixels counted.
 */

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Where the pen went without being lifted. */
export type Stroke = readonly Point[];

/** Pixels of a side of the bitmap, and of a block of it. */
const SIDE = 32;
const BLOCK = 4;
export const CELLS = SIDE / BLOCK;

/** Where the middles of strokes may be: at most so wide and so high. */
const WIDTH = 16;
const HEIGHT = 29;
/** How many pixels are ink, which is what the data have. */
const INK = 310;

/** Ink in each of the 8x8 cells, from 0 to 1, row by row. Nothing drawn is no ink. */
export function pixelsOf(strokes: readonly Stroke[]): Float32Array {
  const cells = new Float32Array(CELLS ** 2);
  const segments = normalized(strokes).flatMap(segmentsOf);
  if (segments.length === 0) return cells;
  const bitmap = [...Array(SIDE ** 2).keys()].map(pixel => {
    const [x, y] = [pixel % SIDE, Math.floor(pixel / SIDE)];
    const middle = {x: x + 0.5, y: y + 0.5};
    const cell = CELLS * Math.floor(y / BLOCK) + Math.floor(x / BLOCK);
    return {cell, distance: Math.min(...segments.map(segment => distance(middle, segment)))};
  });
  bitmap.sort((one, other) => one.distance - other.distance);
  for (const {cell} of bitmap.slice(0, INK)) cells[cell]! += 1 / BLOCK ** 2;
  return cells;
}

/** The strokes in the middle of the bitmap, as large as they may be. */
function normalized(given: readonly Stroke[]): Stroke[] {
  const strokes = upright(given);
  const [left, right] = extremes(strokes.flatMap(stroke => stroke.map(({x}) => x)));
  const [top, bottom] = extremes(strokes.flatMap(stroke => stroke.map(({y}) => y)));
  // A dot has no size at all.
  const scaleY = HEIGHT / Math.max(bottom - top, 1e-6);
  const scaleX = Math.min(WIDTH / Math.max(right - left, 1e-6), scaleY);
  return strokes.map(stroke =>
    stroke.map(({x, y}) => ({
      x: SIDE / 2 + scaleX * (x - (left + right) / 2),
      y: SIDE / 2 + scaleY * (y - (top + bottom) / 2),
    })),
  );
}

/** Sheared till they stand upright: till x does not depend on y, on average over the length of the strokes. */
function upright(strokes: readonly Stroke[]): readonly Stroke[] {
  const parts = strokes.flatMap(segmentsOf).map(([from, to]) => ({
    x: (from.x + to.x) / 2,
    y: (from.y + to.y) / 2,
    length: Math.hypot(to.x - from.x, to.y - from.y),
  }));
  const total = parts.reduce((sum, {length}) => sum + length, 0) || 1;
  const middle = parts.reduce((sum, {y, length}) => sum + y * length, 0) / total;
  const sum = (value: (dy: number, x: number) => number) =>
    parts.reduce((all, {x, y, length}) => all + length * value(y - middle, x), 0);
  const slant = sum((dy, x) => dy * x) / (sum(dy => dy ** 2) || 1);
  return strokes.map(stroke => stroke.map(({x, y}) => ({x: x - slant * (y - middle), y})));
}

function extremes(values: readonly number[]): [number, number] {
  return [Math.min(...values), Math.max(...values)];
}

type Segment = readonly [from: Point, to: Point];

/** A dot is a segment from itself to itself. */
function segmentsOf(stroke: Stroke): Segment[] {
  return stroke.map((point, i) => [stroke[i - 1] ?? point, point]);
}

function distance({x, y}: Point, [from, to]: Segment): number {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const along = ((x - from.x) * dx + (y - from.y) * dy) / (dx ** 2 + dy ** 2 || 1);
  const part = Math.min(1, Math.max(0, along));
  return Math.hypot(x - from.x - part * dx, y - from.y - part * dy);
}
