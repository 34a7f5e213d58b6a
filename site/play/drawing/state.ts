/** What is drawn now. */
import {batch, signal} from '@preact/signals';
import {CELLS, pixelsOf, type Point, type Stroke} from './pixels';

/** Points closer together than this share of the pad tell nothing more. */
const NEAR = 0.015;

/** In shares of the pad; empty where the pixels come from elsewhere. */
export const strokes = signal<readonly Stroke[]>([]);
/** What the networks see: ink of 8x8 cells, from 0 to 1. */
export const pixels = signal<Float32Array>(new Float32Array(CELLS ** 2));
/** Whether the pen is down. */
export const isDrawing = signal(false);

function setStrokes(next: readonly Stroke[]): void {
  batch(() => {
    strokes.value = next;
    pixels.value = pixelsOf(next);
  });
}

export function setPixels(next: Float32Array): void {
  batch(() => {
    strokes.value = [];
    pixels.value = next;
  });
}

export function clear(): void {
  setStrokes([]);
}

export function beginStroke(at: Point): void {
  isDrawing.value = true;
  setStrokes([...strokes.value, [at]]);
}

export function continueStroke(points: readonly Point[]): void {
  const stroke = [...strokes.value.at(-1)!];
  for (const point of points) {
    const {x, y} = stroke.at(-1)!;
    if (Math.hypot(point.x - x, point.y - y) >= NEAR) stroke.push(point);
  }
  setStrokes([...strokes.value.slice(0, -1), stroke]);
}

export function endStroke(): void {
  isDrawing.value = false;
}

/** Fills an empty cell, empties another. */
export function toggleCell(cell: number): void {
  setPixels(pixels.value.map((ink, i) => (i === cell ? Number(ink < 0.5) : ink)));
}
