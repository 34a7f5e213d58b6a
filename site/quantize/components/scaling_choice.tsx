/** How samples are scaled to what the model was trained on. */
import {useSignal} from '@preact/signals';
import type {TargetedSubmitEvent} from 'preact';
import {useEffect, useId} from 'preact/hooks';
import {isBusy, model, setScaling} from '../state';
import type {SampleInfo, Scaling} from '../worker/contract';
import {Choice} from './choice';
import {Toggle} from './toggle';

const OPTIONS = [
  {value: 'unit', name: '0 to 1', means: 'bytes by 255'},
  {value: 'symmetric', name: '−1 to 1', means: 'as MobileNet and Teachable Machine do'},
  {value: 'raw', name: 'As they are', means: 'bytes from 0 to 255, or numbers of a file'},
  {value: 'standard', name: 'Mean and deviation', means: '0 to 1, less a mean, by a deviation'},
] as const;

export function ScalingChoice({info}: {readonly info: SampleInfo}) {
  // Mean and deviation are asked for before anything is scaled by them.
  const isAsking = useSignal(false);
  useEffect(() => {
    isAsking.value = info.scaling.kind === 'standard';
  }, [info]);
  const choose = (kind: Scaling['kind']) => {
    isAsking.value = kind === 'standard';
    if (kind !== 'standard') void setScaling({kind}, info.inverted);
  };
  const own = model.value?.scaling;
  return (
    <>
      <Choice
        legend="What was the model trained on?"
        options={OPTIONS}
        value={isAsking.value ? 'standard' : info.scaling.kind}
        onChoose={choose}
        disabled={isBusy.value}
      />
      {own ? (
        <p class="note">
          The model itself says “{OPTIONS.find(({value}) => value === own.scaling.kind)!.name}”: {own.because}.
        </p>
      ) : (
        <p class="hint">
          The model does not say. With the wrong scale it reads nothing right: look at its accuracy below.
        </p>
      )}
      {isAsking.value && <Standard info={info} />}
      {hasOneChannel() && info.of === 'images' && (
        <Toggle
          name="Swap dark and light"
          isOn={info.inverted}
          onToggle={isOn => void setScaling(info.scaling, isOn)}
        />
      )}
    </>
  );
}

function hasOneChannel(): boolean {
  return model.value?.inputs[0]?.shape.at(-1) === 1;
}

/** What most networks for photos were trained with, and a guess for others. */
const IMAGENET = {mean: '0.485, 0.456, 0.406', deviation: '0.229, 0.224, 0.225'};
const HALF = {mean: '0.5', deviation: '0.5'};

function Standard({info}: {readonly info: SampleInfo}) {
  const id = useId();
  const now = info.scaling.kind === 'standard' ? info.scaling : undefined;
  const guess = model.value?.inputs[0]?.shape.at(-1) === 3 ? IMAGENET : HALF;
  const apply = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const [mean, deviation] = ['mean', 'deviation'].map(name => numbersOf(event.currentTarget, name));
    if (mean && deviation) void setScaling({kind: 'standard', mean, deviation}, info.inverted);
  };
  return (
    <form class="fields" onSubmit={apply}>
      <p class="field">
        <label for={`${id}-mean`}>Mean</label>
        <input id={`${id}-mean`} name="mean" required defaultValue={now?.mean.join(', ') ?? guess.mean} />
      </p>
      <p class="field">
        <label for={`${id}-deviation`}>Deviation</label>
        <input
          id={`${id}-deviation`}
          name="deviation"
          required
          defaultValue={now?.deviation.join(', ') ?? guess.deviation}
        />
      </p>
      <button class="secondary" disabled={isBusy.value}>
        Scale
      </button>
      <small>
        Each a number, or one for each channel, of values from 0 to 1.
        {guess === IMAGENET && ' Those of ImageNet fit most networks for photos.'}
      </small>
    </form>
  );
}

/** Of a field; undefined, and said at the field, where it holds none. */
function numbersOf(form: HTMLFormElement, name: string): number[] | undefined {
  const field = form.elements.namedItem(name) as HTMLInputElement;
  const numbers = field.value
    .split(/[\s,;]+/)
    .filter(text => text !== '')
    .map(Number);
  const isRight = numbers.length > 0 && numbers.every(n => Number.isFinite(n) && (name === 'mean' || n > 0));
  field.setCustomValidity(
    isRight ? '' : `Give numbers${name === 'mean' ? '' : ' above 0'}, such as ${IMAGENET[name as 'mean']}`,
  );
  field.reportValidity();
  field.addEventListener('input', () => field.setCustomValidity(''), {once: true});
  return isRight ? numbers : undefined;
}
