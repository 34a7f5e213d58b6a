/**
 * What is drawn, as the networks know digits. Their data were made so (Garris et al., NIST Form-Based Handprint Recognition
 * System, 1994; Kaynak 1995): a digit is set upright, made as large as 20x32 of 32x32 pixels hold it, its strokes thickened
 * or thinned till there is as much ink as in any other, and the ink in each block of 4x4 pixels counted.
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
const WIDTH = 17;
const HEIGHT = 29;
/** What of its height is the top of a digit, and what its bottom. */
const EDGE = 0.12;
/** Beyond this it is no digit that slants. */
const MOST_SLANT = 1;
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
    return {cell, distance: Math.min(...segments.map(segment => distanceTo(segment, middle)))};
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

/** Sheared till what is leftmost at the top and what is leftmost at the bottom stand above each other. */
function upright(strokes: readonly Stroke[]): readonly Stroke[] {
  const points = strokes.flat();
  const [top, bottom] = extremes(points.map(({y}) => y));
  const height = bottom - top;
  const leftmost = (isThere: (y: number) => boolean) => Math.min(...points.filter(({y}) => isThere(y)).map(({x}) => x));
  const atTop = leftmost(y => y - top <= EDGE * height);
  const atBottom = leftmost(y => bottom - y <= EDGE * height);
  const slant = height > 0 ? Math.max(-MOST_SLANT, Math.min(MOST_SLANT, (atBottom - atTop) / height)) : 0;
  return strokes.map(stroke => stroke.map(({x, y}) => ({x: x - slant * (y - top), y})));
}

function extremes(values: readonly number[]): [number, number] {
  return [Math.min(...values), Math.max(...values)];
}

type Segment = readonly [from: Point, to: Point];

/** A dot is a segment from itself to itself. */
function segmentsOf(stroke: Stroke): Segment[] {
  return stroke.map((point, i) => [stroke[i - 1] ?? point, point]);
}

function distanceTo([from, to]: Segment, {x, y}: Point): number {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const along = ((x - from.x) * dx + (y - from.y) * dy) / (dx ** 2 + dy ** 2 || 1);
  const part = Math.min(1, Math.max(0, along));
  return Math.hypot(x - from.x - part * dx, y - from.y - part * dy);
}
