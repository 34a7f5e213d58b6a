/** Where a digit is drawn, by mouse, finger or pen. */
import {beginStroke, clear, continueStroke, endStroke, isDrawing, strokes} from './state';
import type {Point, Stroke} from './pixels';

type PadEvent = PointerEvent & {readonly currentTarget: SVGSVGElement};

function pointsOf(event: PadEvent): Point[] {
  const {left, top, width, height} = event.currentTarget.getBoundingClientRect();
  // Some browsers tell of the points between two events, some of none.
  const all = event.getCoalescedEvents?.() ?? [];
  return (all.length > 0 ? all : [event]).map(({clientX, clientY}) => ({
    x: (clientX - left) / width,
    y: (clientY - top) / height,
  }));
}

function begin(event: PadEvent): void {
  if (!event.isPrimary || event.button !== 0) return;
  event.currentTarget.setPointerCapture(event.pointerId);
  beginStroke(pointsOf(event).at(-1)!);
}

function move(event: PadEvent): void {
  if (event.isPrimary && isDrawing.value) continueStroke(pointsOf(event));
}

const listed = (stroke: Stroke) => stroke.map(({x, y}) => `${x},${y}`).join(' ');

export function Pad() {
  return (
    <div class="pad">
      <svg
        viewBox="0 0 1 1"
        role="img"
        aria-label="Draw a digit here by mouse, finger or pen. By keyboard: the examples and the cells below."
        onPointerDown={begin}
        onPointerMove={move}
        onPointerUp={endStroke}
        onPointerCancel={endStroke}
      >
        {strokes.value.map((stroke, i) => (
          // A line from a point to itself shows as a dot.
          <polyline key={i} points={listed(stroke.length > 1 ? stroke : [stroke[0]!, stroke[0]!])} />
        ))}
      </svg>
      {strokes.value.length === 0 && (
        <span class="hint" aria-hidden="true">
          Draw here
        </span>
      )}
      <button class="secondary outline" onClick={clear}>
        Clear
      </button>
    </div>
  );
}
