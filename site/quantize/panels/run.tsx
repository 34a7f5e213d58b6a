/** The step that runs the file here, as a phone or a server would. */
import {useSignal} from '@preact/signals';
import {counted, decimal} from '../components/format';
import {Step} from '../components/step';
import {comparison} from '../results';
import {compare} from '../run/compare';
import type {Comparison} from '../run/compared';
import {time} from '../run/time';
import {Live} from '../run/live';
import {backend, isBusy, samples} from '../state';
import './run.css';

/** So many samples, unless the visitor wants more. */
const ENOUGH = 50;

export function Run() {
  const most = samples.value?.count ?? 0;
  const chosen = useSignal<number | undefined>(undefined);
  const count = Math.min(chosen.value ?? ENOUGH, most);
  const run = (event: Event) => {
    event.preventDefault();
    void compare(count);
  };
  return (
    <Step
      step="run"
      title="Run the file here"
      lead="The .tflite file in LiteRT.js, the runtime of phones and web pages, beside the models in TensorFlow.js. The first time it loads 9 MB."
    >
      <form class="fields" onSubmit={run}>
        <p class="field">
          <label for="run-samples">Samples</label>
          <input
            id="run-samples"
            type="number"
            min={1}
            max={most}
            required
            value={count}
            onChange={({currentTarget}) => (chosen.value = currentTarget.valueAsNumber || undefined)}
          />
        </p>
        <button type="submit" disabled={isBusy.value || most === 0}>
          Run the file
        </button>
      </form>
      {comparison.value && <Found of={comparison.value} />}
      {samples.value?.of === 'images' && <Live />}
    </Step>
  );
}

function Found({of: {samples: all, sameClass, difference, levels, milliseconds}}: {readonly of: Comparison}) {
  const isAlike = sameClass ? sameClass.fileQuantized === all : difference === 0;
  return (
    <>
      <p class="verdict" data-grade={isAlike ? 'good' : 'fair'} role="status">
        <span aria-hidden="true">{isAlike ? '✓' : '≈'}</span>
        {sameClass
          ? `The file says the same class as the quantized model for ${sameClass.fileQuantized} of ${counted(all, 'sample')}.`
          : `The file’s outputs differ from the quantized model’s by ${decimal(difference)} at most.`}
      </p>
      <div class="overflow-auto" tabIndex={0} role="region" aria-label="The file beside the model">
        <table class="runs">
          <thead>
            <tr>
              <th scope="col">Of {counted(all, 'sample')}</th>
              <th scope="col">
                Quantized model <small>TensorFlow.js</small>
              </th>
              <th scope="col">
                The file <small>LiteRT.js</small>
              </th>
            </tr>
          </thead>
          <tbody>
            {sameClass && (
              <tr>
                <th scope="row">Same class as the float model</th>
                <td>{sameClass.quantizedFloat}</td>
                <td>{sameClass.fileFloat}</td>
              </tr>
            )}
            <tr>
              <th scope="row">Time of a sample</th>
              <td>
                {time(milliseconds.tfjs)} <small>on {backend.value}</small>
              </td>
              <td>
                {time(milliseconds.file)} <small>on the CPU, one thread</small>
              </td>
            </tr>
          </tbody>
        </table>
      </div>
      <p>
        The largest difference of an output between the two is {decimal(difference)}
        {levels !== undefined && `, ${counted(levels, 'level')} of the output’s grid`}. TensorFlow.js rounds what it
        computes in float, the file computes in integers: a value halfway between two levels may go to either. The fewer
        the bits, the larger a level.
      </p>
    </>
  );
}
