/** A button that shows the ways to bring something else than what is there, and hides them. */
import type {Signal} from '@preact/signals';

interface AnotherProps {
  /** Such as 'Another model'. */
  readonly name: string;
  readonly isChoosing: Signal<boolean>;
}

export function Another({name, isChoosing}: AnotherProps) {
  return (
    <button
      type="button"
      class="secondary outline"
      aria-expanded={isChoosing.value}
      onClick={() => (isChoosing.value = !isChoosing.value)}
    >
      {name}
    </button>
  );
}
