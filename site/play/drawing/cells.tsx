/** The 8x8 cells that the networks see. By keyboard or click each is filled or emptied. */
import {useSignal} from '@preact/signals';
import {CELLS} from './pixels';
import {pixels, toggleCell} from './state';

/** How far the arrow keys go. */
const STEPS: Readonly<Record<string, readonly [right: number, down: number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

const inside = (place: number) => Math.min(CELLS - 1, Math.max(0, place));

export function Cells() {
  /** The one that Tab gets to. */
  const current = useSignal(0);

  const go = (event: KeyboardEvent & {readonly currentTarget: HTMLElement}) => {
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    const column = inside((current.value % CELLS) + step[0]);
    const row = inside(Math.floor(current.value / CELLS) + step[1]);
    const next = row * CELLS + column;
    current.value = next;
    (event.currentTarget.children[next] as HTMLElement).focus();
  };

  return (
    <div class="seen">
      <h3 id="seen">What the networks see</h3>
      <div class="cells" role="group" aria-labelledby="seen" aria-describedby="seen-how" onKeyDown={go}>
        {[...pixels.value].map((ink, i) => (
          <button
            key={i}
            style={{'--ink': ink.toFixed(4)}}
            tabIndex={i === current.value ? 0 : -1}
            aria-label={`Row ${Math.floor(i / CELLS) + 1}, column ${(i % CELLS) + 1}`}
            aria-pressed={ink >= 0.5}
            onFocus={() => (current.value = i)}
            onClick={() => toggleCell(i)}
          />
        ))}
      </div>
      <small id="seen-how">
        Your digit, set upright and enlarged as the digits were that they learnt from. Click cells, or go there by the
        arrow keys and press space.
      </small>
    </div>
  );
}
