/** Widths of single layers, against those that all have. */
import {useSignal} from '@preact/signals';
import type {TargetedSubmitEvent} from 'preact';
import {isBusy, model, setLayer, settings, suggestWidths} from '../state';
import type {LayerInfo, LayerSettings, Width} from '../worker/contract';
import {count, counted} from './format';

const WIDTHS: readonly Width[] = [8, 4, 3, 2];

export function LayerTable() {
  // Hundreds of rows are made once somebody looks.
  const isOpen = useSignal(false);
  const own = Object.keys(settings.value.layers).length;
  return (
    <>
      <details onToggle={({currentTarget}) => (isOpen.value = currentTarget.open)}>
        <summary>Single layers</summary>
        {isOpen.value && (
          <>
            <Suggest />
            <Table layers={model.value!.layers} />
          </>
        )}
      </details>
      {own > 0 && (
        <p class="note">
          {counted(own, 'layer')} {own === 1 ? 'has a width' : 'have widths'} of {own === 1 ? 'its' : 'their'} own,
          whatever is chosen above.{' '}
          <button
            type="button"
            class="link"
            disabled={isBusy.value}
            onClick={() => (settings.value = {...settings.value, layers: {}})}
          >
            Make all alike
          </button>
        </p>
      )}
    </>
  );
}

function Table({layers}: {readonly layers: readonly LayerInfo[]}) {
  return (
    <div class="overflow-auto layers">
      <table>
        <thead>
          <tr>
            <th scope="col">Layer</th>
            <th scope="col">Numbers</th>
            <th scope="col">Weights</th>
            <th scope="col">Activations</th>
          </tr>
        </thead>
        <tbody>
          {layers.map(layer => (
            <Row key={layer.name} layer={layer} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Suggest() {
  const suggest = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    void suggestWidths(Number(new FormData(event.currentTarget).get('bits')));
  };
  return (
    <form class="fields" onSubmit={suggest}>
      <p class="field">
        <label for="bits">Bits a weight, on average</label>
        <input id="bits" name="bits" type="number" required min="2" max="8" step="0.1" defaultValue="4" />
      </p>
      <button class="secondary" disabled={isBusy.value}>
        Suggest widths
      </button>
      <small>Tries each layer at each width on your samples, and gives bits to those that need them most.</small>
    </form>
  );
}

function Row({layer: {name, className, parameters, float, hasWeights}}: {readonly layer: LayerInfo}) {
  const own = settings.value.layers[name];
  return (
    <tr>
      <th scope="row">
        {name} <small>{className}</small>
      </th>
      <td>{count(parameters)}</td>
      {float !== undefined ? (
        <td colSpan={2}>float: {float}</td>
      ) : (
        <>
          <td>
            {hasWeights ? (
              <Pick label={`Weights of ${name}`} name={name} of="weights" common={settings.value.weights} />
            ) : (
              'none'
            )}
          </td>
          <td>
            {own?.isFloat ? (
              'float'
            ) : (
              <Pick label={`Activations of ${name}`} name={name} of="activations" common={settings.value.activations} />
            )}
          </td>
        </>
      )}
    </tr>
  );
}

interface PickProps {
  readonly label: string;
  readonly name: string;
  readonly of: 'weights' | 'activations';
  /** What all layers have. */
  readonly common: Width;
}

/** A layer is left float in the column of its weights, and if it has none, of its activations. */
function Pick({label, name, of, common}: PickProps) {
  const {isFloat, ...own} = settings.value.layers[name] ?? {};
  const choose = (text: string) => setLayer(name, changed(own, of, text));
  return (
    <select
      aria-label={label}
      value={isFloat ? 'float' : (own[of] ?? '')}
      disabled={isBusy.value}
      onChange={({currentTarget}) => choose(currentTarget.value)}
    >
      <option value="">{common}, as all</option>
      {WIDTHS.map(width => (
        <option key={width} value={width}>
          {width}
        </option>
      ))}
      {of === 'weights' && <option value="float">float</option>}
    </select>
  );
}

function changed(own: LayerSettings, of: 'weights' | 'activations', text: string): LayerSettings | undefined {
  if (text === 'float') return {isFloat: true};
  const others = Object.entries(own).filter(([key]) => key !== of);
  const now = Object.fromEntries<Width>(text === '' ? others : [...others, [of, Number(text) as Width]]);
  return Object.keys(now).length > 0 ? now : undefined;
}
