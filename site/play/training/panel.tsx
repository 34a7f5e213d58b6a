/** Trains the networks anew, and shows how the methods compare. */
import type {ComponentProps} from 'preact';
import {useCallback} from 'preact/hooks';
import {Chart} from '../../quantize/components/chart';
import {branchEpoch} from './plan';
import {
  cancel,
  type Comparison,
  failure,
  fileAccuracies,
  finished,
  type Running,
  running,
  type Settings,
  settings,
  train,
} from './state';
import {curvesOf, summarize} from './summary';

type Make = ComponentProps<typeof Chart>['make'];

const BACKENDS = ['auto', 'webgpu', 'webgl', 'cpu'];

interface FieldProps {
  readonly name: keyof Settings;
  readonly label: string;
  /** Of a number; the other is a list of widths. */
  readonly least?: number;
  readonly most?: number;
}

const WIDTHS = {
  pattern: String.raw`\s*([2-9]|1[0-6])(\s*,\s*([2-9]|1[0-6]))*\s*`,
  title: 'Widths from 2 to 16, such as 8,4',
};

function Field({name, label, least, most}: FieldProps) {
  const kind = least === undefined ? WIDTHS : {type: 'number' as const, min: least, max: most!};
  return (
    <label>
      {label}
      <input
        {...kind}
        name={name}
        required
        value={settings.value[name]}
        onInput={({currentTarget}) => (settings.value = {...settings.value, [name]: currentTarget.value})}
      />
    </label>
  );
}

function Form() {
  const submit = (event: Event) => {
    event.preventDefault();
    train().catch((error: unknown) => (failure.value = error instanceof Error ? error.message : String(error)));
  };
  return (
    <form class="live" onSubmit={submit}>
      <fieldset class="fields" disabled={running.value !== undefined}>
        <Field name="bits" label="Bits" />
        <Field name="epochs" label="Epochs" least={2} most={1000} />
        <Field name="seed" label="First seed" least={0} most={1000000} />
        <Field name="seeds" label="Seeds" least={1} most={100} />
        <label>
          Backend
          <select
            name="backend"
            value={settings.value.backend}
            onChange={({currentTarget}) => (settings.value = {...settings.value, backend: currentTarget.value})}
          >
            {BACKENDS.map(name => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <button>Train</button>
      </fieldset>
    </form>
  );
}

function Bar({at: {doing, done, total}}: {readonly at: Running}) {
  return (
    <div class="running live">
      <progress aria-label="Training" max={total} {...(done !== undefined && {value: done})} />
      <span role="status">
        {doing}
        {done !== undefined && `: ${done} of ${total} epochs`}
      </span>
      <button class="secondary" onClick={cancel}>
        Cancel
      </button>
    </div>
  );
}

/** Test accuracy after the last epoch. */
function Table({of: {plan, scores}}: {readonly of: Comparison}) {
  const {float, rows} = summarize(scores, plan);
  const files = fileAccuracies.value;
  return (
    <div class="overflow-auto" role="region" aria-label="Accuracies" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">Bits</th>
            <th scope="col">Float</th>
            <th scope="col" class="PTQ">
              PTQ: quantized after training
            </th>
            <th scope="col" class="QAT">
              QAT: quantization-aware training
            </th>
            {files && <th scope="col">.tflite file</th>}
          </tr>
        </thead>
        <tbody>
          <tr>
            <th scope="row">32</th>
            <td>{float}</td>
            <td />
            <td />
            {files && <td />}
          </tr>
          {rows.map(({bits, PTQ, QAT}) => (
            <tr key={bits}>
              <th scope="row">{bits}</th>
              <td />
              <td>{PTQ}</td>
              <td>{QAT}</td>
              {files && <td>{files[bits]}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Curves({of: {plan, scores}}: {readonly of: Comparison}) {
  const make = useCallback<Make>((_, width) => curvesOf(width, scores, plan), [plan, scores]);
  return <Chart label="Test accuracy over epochs of float, PTQ and QAT, for each width" make={make} />;
}

export function captionOf({plan, origin}: Comparison): string {
  return [
    `Test accuracy in percent after ${plan.epochs} epochs${plan.seeds > 1 ? `, mean ± standard deviation of ${plan.seeds} seeds` : ''};`,
    `QAT branches off from float after ${branchEpoch(plan)} (dashed line).`,
    origin,
  ].join(' ');
}

export function Training() {
  const shown = running.value?.comparison.scores.length ? running.value.comparison : finished.value;
  return (
    <section aria-labelledby="train">
      <h2 id="train">Train them in this browser</h2>
      <p>
        A small convolutional network learns from 1437 images, which each epoch shows it a little distorted. For the
        last quarter of the epochs, copies of it train on with their weights and activations rounded to few bits (
        <code>quantizeModel</code>), while the float network trains on as it is, and is rounded after each epoch for
        comparison. <span class="live">The networks above are then those that you trained.</span>
      </p>
      <Form />
      {running.value && <Bar at={running.value} />}
      {failure.value && <p role="alert">{failure.value}</p>}
      {shown && (
        <>
          <Table of={shown} />
          <p class="caption">{captionOf(shown)}</p>
          <Curves of={shown} />
        </>
      )}
    </section>
  );
}
