/** One of a few, each with what it means. */
import type {ComponentChildren} from 'preact';
import {useId} from 'preact/hooks';

interface Option<T> {
  readonly value: T;
  readonly name: string;
  readonly means: string;
}

interface ChoiceProps<T> {
  readonly legend: ComponentChildren;
  readonly options: readonly Option<T>[];
  readonly value: T | undefined;
  readonly onChoose: (value: T) => void;
  readonly disabled?: boolean;
}

export function Choice<T extends string | number>({legend, options, value, onChoose, disabled}: ChoiceProps<T>) {
  const name = useId();
  return (
    <fieldset class="choice" disabled={disabled}>
      <legend>{legend}</legend>
      {options.map(option => (
        <label key={option.value}>
          <input
            type="radio"
            name={name}
            value={option.value}
            checked={option.value === value}
            onChange={() => onChoose(option.value)}
          />
          <strong>{option.name}</strong>
          <small>{option.means}</small>
        </label>
      ))}
    </fieldset>
  );
}
