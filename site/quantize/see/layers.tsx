/** What rounding each layer costs, and what it does to each tensor. */
import {useSignal} from '@preact/signals';
import {useMemo} from 'preact/hooks';
import {Chart} from '../components/chart';
import {counted, decimal, percent} from '../components/format';
import {barsOf, layerBars, type Measure} from '../plots/layer_bars';
import {type Chosen, chosen} from '../results';
import {bench, isBusy, perform, report, say} from '../state';
import type {ReportRow, TensorRow} from '../worker/contract';
import {shortNames} from './names';
import {Tensor} from './tensor';

/** So many bars are shown at once. */
const FIRST = 15;

async function analyze(): Promise<void> {
  const rows = await perform('see', 'Rounding layer by layer', onProgress => bench.analyze(onProgress));
  if (!rows) return;
  report.value = rows;
  const [worst] = rows;
  const tensor = worst && worstTensor(worst);
  chosen.value = tensor && {layer: worst.layer, what: tensor.what};
  say(`${counted(rows.length, 'layer')} measured.`);
}

function worstTensor({tensors}: ReportRow): TensorRow | undefined {
  return [...tensors].sort((a, b) => (a.snr ?? Infinity) - (b.snr ?? Infinity))[0];
}

export function Layers() {
  const rows = report.value;
  return (
    <section aria-labelledby="layers">
      <h3 id="layers">Where it is lost</h3>
      {rows ? (
        <Measured rows={rows} />
      ) : (
        <>
          <p>
            Rounds one layer after the other to find which cost most, and what would help. It takes a pass over the
            samples each.
          </p>
          <button type="button" class="secondary" disabled={isBusy.value} onClick={() => void analyze()}>
            Measure each layer
          </button>
        </>
      )}
    </section>
  );
}

const MEASURES: Readonly<Record<Measure, {name: string; label: string}>> = {
  cost: {name: 'Cost', label: 'What rounding each layer alone costs'},
  snr: {name: 'Signal to noise', label: 'Signal to noise of each layer’s worst tensor: 6 dB are a bit'},
};

function Measured({rows}: {readonly rows: readonly ReportRow[]}) {
  const measure = useSignal<Measure>(rows.some(({only}) => only !== undefined) ? 'cost' : 'snr');
  const isWhole = useSignal(false);
  const [kind, whole] = [measure.value, isWhole.value];
  const all = useMemo(() => barsOf(rows, kind), [rows, kind]);
  const shortName = useMemo(() => shortNames(rows.map(({layer}) => layer)), [rows]);
  const bars = useMemo(() => (whole ? all : all.slice(0, FIRST)), [all, whole]);
  const make = useMemo(() => layerBars(bars, kind, shortName), [bars, kind, shortName]);
  if (rows.length === 0) return <p>Nothing is rounded: all layers stay float.</p>;
  const [worst] = bars;
  const unit = kind === 'snr' ? ' dB' : '';
  const inWords = worst
    ? `The worst is ${worst.layer} with ${decimal(worst.value)}${unit}.`
    : 'No layer changes anything.';
  return (
    <>
      <fieldset class="switch">
        <legend>{MEASURES[kind].label}, worst first</legend>
        {(['cost', 'snr'] as const).map(each => (
          <label key={each}>
            <input type="radio" name="measure" checked={each === kind} onChange={() => (measure.value = each)} />
            {MEASURES[each].name}
          </label>
        ))}
      </fieldset>
      {bars.length > 0 ? (
        <Chart label={`${MEASURES[kind].label}. ${inWords} All numbers are in the table.`} make={make} />
      ) : (
        <p>{inWords}</p>
      )}
      {all.length > FIRST && (
        <button type="button" class="secondary outline" onClick={() => (isWhole.value = !whole)}>
          {whole ? `Only the ${FIRST} worst` : `All ${all.length} layers`}
        </button>
      )}
      <Advice rows={rows} shortName={shortName} />
      <details>
        <summary>All numbers, tensor by tensor</summary>
        <Table rows={rows} shortName={shortName} />
      </details>
      <Tensor rows={rows} />
    </>
  );
}

interface TableProps {
  readonly rows: readonly ReportRow[];
  readonly shortName: (layer: string) => string;
}

/** What many tensors are advised is told once. */
function Advice({rows, shortName}: TableProps) {
  const advised = new Map<string, string[]>();
  for (const {layer, tensors} of rows) {
    for (const {what, advice} of tensors) {
      for (const each of advice) advised.set(each, [...(advised.get(each) ?? []), `${shortName(layer)}, ${what}`]);
    }
  }
  if (advised.size === 0) return <p>No tensor is rounded badly: there is nothing to advise.</p>;
  return (
    <details>
      <summary>What would help</summary>
      <p>
        In the words of the package. Here, <code>distil</code> is to <a href="#improve">improve without labels</a>;{' '}
        <code>quantizeModel</code> and <code>calibrate</code> are to <a href="#quantize">quantize again</a>, where each
        layer’s bits are chosen, too.
      </p>
      <ul>
        {[...advised].map(([advice, tensors]) => (
          <li key={advice}>
            <strong>
              {tensors.slice(0, 3).join('; ')}
              {tensors.length > 3 && ` and ${tensors.length - 3} more`}:
            </strong>{' '}
            {advice}
          </li>
        ))}
      </ul>
    </details>
  );
}

/** Less than anybody cares about. */
const TINY = 1e-6;

function number(value: number | undefined, unit = ''): string {
  if (value === undefined) return '–';
  if (!Number.isFinite(value)) return '∞';
  return value !== 0 && Math.abs(value) < TINY ? '≈ 0' : `${decimal(value)}${unit}`;
}

function show(tensor: Chosen): void {
  chosen.value = tensor;
  const figure = document.querySelector<HTMLElement>('#tensor');
  figure?.focus({preventScroll: true});
  figure?.scrollIntoView({block: 'center'});
}

function Table({rows, shortName}: TableProps) {
  return (
    <div class="overflow-auto layers" tabIndex={0} role="region" aria-label="All tensors">
      <table class="tensors">
        <thead>
          <tr>
            {['Layer', 'Cost', 'Tensor', 'Bits', 'Range', 'Signal to noise', 'Clipped', 'Values'].map(head => (
              <th key={head} scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        {rows.map(({layer, className, only, tensors}) => (
          <tbody key={layer}>
            {tensors.map(({what, numBits, min, max, snr, clipped}, i) => (
              <tr key={what}>
                {i === 0 && (
                  <>
                    <th scope="rowgroup" rowSpan={tensors.length}>
                      {shortName(layer)}
                      <small>{className.replace(/^.*>/, '')}</small>
                    </th>
                    <td rowSpan={tensors.length}>{number(only)}</td>
                  </>
                )}
                <td>{what}</td>
                <td>{numBits}</td>
                <td>{min === undefined ? 'not set' : `${number(min)} … ${number(max)}`}</td>
                <td>{number(snr, ' dB')}</td>
                <td>{clipped === undefined ? '–' : percent(clipped)}</td>
                <td>
                  <button
                    type="button"
                    class="secondary outline"
                    aria-label={`Show the histogram of ${layer}, ${what}`}
                    onClick={() => show({layer, what})}
                  >
                    Show
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        ))}
      </table>
    </div>
  );
}
