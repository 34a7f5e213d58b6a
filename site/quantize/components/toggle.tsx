/** A thing that is on or off, with what it means. */
import {isBusy} from '../state';

interface ToggleProps {
  readonly name: string;
  readonly means?: string;
  readonly isOn: boolean;
  readonly onToggle: (isOn: boolean) => void;
}

export function Toggle({name, means, isOn, onToggle}: ToggleProps) {
  return (
    <label class="toggle">
      <input
        type="checkbox"
        role="switch"
        checked={isOn}
        disabled={isBusy.value}
        onChange={({currentTarget}) => onToggle(currentTarget.checked)}
      />
      <span>
        {name} {means !== undefined && <small>{means}</small>}
      </span>
    </label>
  );
}
