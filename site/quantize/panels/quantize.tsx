/** The third step: bits, and calibration. */
import {LayerTable} from '../components/layer_table';
import {bytes, counted} from '../components/format';
import {Choice} from '../components/choice';
import {Toggle} from '../components/toggle';
import {Step} from '../components/step';
import {hasBatchNorm, isBusy, isQuantized, isStale, model, quantize, samples, settings} from '../state';
import type {Settings, Width} from '../worker/contract';
import {bytesOfWeights} from '../sizes';

const WEIGHTS = [
  {value: 8, name: '8 bits', means: 'A quarter of the size. Next to nothing is lost.'},
  {value: 4, name: '4 bits', means: 'An eighth. Loses about a point, which improving wins back.'},
  {value: 3, name: '3 bits', means: 'A tenth. Loses some points: improve it.'},
  {value: 2, name: '2 bits', means: 'A sixteenth. Loses much until it is improved.'},
] as const;

const ACTIVATIONS = [
  {value: 8, name: '8 bits', means: 'What phones and boards compute with.'},
  {value: 4, name: '4 bits', means: 'For hardware of 4 bits; costs a point or two.'},
  {value: 3, name: '3 bits', means: 'For experiments; costs some points.'},
  {value: 2, name: '2 bits', means: 'For experiments; costs most.'},
] as const;

function set(change: Partial<Settings>): void {
  settings.value = {...settings.value, ...change};
}

export function Quantize() {
  return (
    <Step step="quantize" title="Choose bits">
      {model.value!.isQuantized ? (
        <p>It came quantized: it keeps its own bits and ranges.</p>
      ) : (
        <>
          <Bits />
          <LayerTable />
          <More />
        </>
      )}
      <p class="buttons">
        <button type="button" disabled={isBusy.value} onClick={() => void quantize()}>
          {isQuantized.value ? 'Quantize again' : 'Quantize'}
        </button>
        <small>
          Weights of about {bytes(bytesOfWeights(model.value!, settings.value))} instead of {bytes(model.value!.bytes)},
          with ranges from {counted(samples.value!.count, 'sample')}.
        </small>
      </p>
      {isStale.value && (
        <p class="note">What is below was made with other settings or samples. Quantize again to see these.</p>
      )}
    </Step>
  );
}

function Bits() {
  const {weights, activations, keepEnds8bit} = settings.value;
  return (
    <>
      <Choice
        legend="Weights"
        options={WEIGHTS}
        value={weights}
        onChoose={(value: Width) => set({weights: value})}
        disabled={isBusy.value}
      />
      <Choice
        legend="Activations"
        options={ACTIVATIONS}
        value={activations}
        onChoose={(value: Width) => set({activations: value})}
        disabled={isBusy.value}
      />
      {(weights < 8 || activations < 8) && (
        <Toggle
          name="Keep the ends at 8 bits"
          means="Inputs, the first and the last layer: costs few bytes, gains the more, the fewer the bits."
          isOn={keepEnds8bit}
          onToggle={isOn => set({keepEnds8bit: isOn})}
        />
      )}
    </>
  );
}

const METHODS: readonly {readonly value: Settings['method']; readonly name: string}[] = [
  {value: 'mse', name: 'the least squared error'},
  {value: 'minMax', name: 'the smallest and largest value'},
  {value: 'percentile', name: 'nearly all values: extremes are clipped'},
];

function More() {
  const {method, reestimateBatchNorm} = settings.value;
  return (
    <details>
      <summary>More: how ranges are found</summary>
      <p class="field">
        <label for="method">Ranges that have</label>
        <select
          id="method"
          value={method}
          disabled={isBusy.value}
          onChange={({currentTarget}) => set({method: currentTarget.value as Settings['method']})}
        >
          {METHODS.map(({value, name}) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </select>
      </p>
      {hasBatchNorm(model.value!) && (
        <Toggle
          name="Measure BatchNormalization anew"
          means="With rounded weights its statistics are others. A network that was trained long, or on other data than these samples, keeps its own."
          isOn={reestimateBatchNorm}
          onToggle={isOn => set({reestimateBatchNorm: isOn})}
        />
      )}
    </details>
  );
}
