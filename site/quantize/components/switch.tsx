/** A thing that is on or off, with what it means. */
import {isBusy} from '../state';

interface SwitchProps {
  readonly name: string;
  readonly means?: string;
  readonly isOn: boolean;
  readonly onSwitch: (isOn: boolean) => void;
}

export function Switch({name, means, isOn, onSwitch}: SwitchProps) {
  return (
    <label class="switch">
      <input
        type="checkbox"
        role="switch"
        checked={isOn}
        disabled={isBusy.value}
        onChange={({currentTarget}) => onSwitch(currentTarget.checked)}
      />
      <span>
        {name} {means !== undefined && <small>{means}</small>}
      </span>
    </label>
  );
}
