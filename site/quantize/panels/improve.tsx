/** Wins accuracy back, where it was lost: taught by the float model, or trained with labels, with curves as it goes. */
import {useComputed, useSignal} from '@preact/signals';
import type {PlotOptions} from '@observablehq/plot';
import type {TargetedSubmitEvent} from 'preact';
import {useId} from 'preact/hooks';
import {curve, improve, isBusy, isStale, samples, scores, scoresBefore} from '../state';
import type {CurvePoint, Scores} from '../worker/contract';
import {Chart} from '../components/chart';
import {Facts} from '../components/facts';
import {decimal, percent} from '../components/format';
import {Notes} from '../components/notes';
import {Step} from '../components/step';
import {Choice} from '../components/choice';

const KINDS = [
  {value: 'distil', name: 'Without labels', means: 'It learns to answer as the float model does.'},
  {value: 'train', name: 'With labels', means: 'It trains on the classes of your samples: wants hundreds of them.'},
] as const;

export function Improve() {
  const kind = useSignal<'distil' | 'train'>('distil');
  const hasLabels = samples.value?.classes !== undefined;
  const start = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    const number = (name: string) => Number(given.get(name));
    void improve(
      kind.value === 'distil'
        ? {kind: 'distil', steps: number('steps')}
        : {kind: 'train', epochs: number('epochs'), learningRate: number('rate')},
    );
  };
  return (
    <Step
      step="improve"
      title="Win accuracy back"
      lead="At 8 bits there is little to win; at 4 and fewer, most of what was lost."
    >
      <form onSubmit={start}>
        {hasLabels ? (
          <Choice
            legend="How"
            options={KINDS}
            value={kind.value}
            onChoose={value => (kind.value = value)}
            disabled={isBusy.value}
          />
        ) : (
          <p>
            It learns to answer as the float model does. With samples in a folder for each class it could train with
            labels, too.
          </p>
        )}
        <div class="fields">
          {kind.value === 'distil' || !hasLabels ? (
            <NumberField label="Steps" name="steps" value={240} min={1} step={1} />
          ) : (
            <>
              <NumberField label="Epochs" name="epochs" value={3} min={1} step={1} />
              <NumberField label="Learning rate" name="rate" value={0.001} min={0.000001} step="any" />
            </>
          )}
          <button disabled={isBusy.value || isStale.value}>Improve</button>
          {kind.value === 'train' && <small>A network that was trained long wants a rate of 0.0001 or less.</small>}
        </div>
      </form>
      {isStale.value && <p class="note">Settings or samples changed: quantize again before you improve it.</p>}
      <Curves />
      {scores.value && scoresBefore.value && (
        <>
          <Gain before={scoresBefore.value} after={scores.value} />
          <Notes of={scores.value.notes} />
        </>
      )}
    </Step>
  );
}

function Gain({before, after}: {readonly before: Scores; readonly after: Scores}) {
  const arrow = (from: string, to: string) => `${from} → ${to}`;
  return (
    <div class="gain">
      <Facts
        of={{
          ...(before.sameClass !== undefined &&
            after.sameClass !== undefined && {
              'Same class as float': arrow(percent(before.sameClass), percent(after.sameClass)),
            }),
          ...(before.accuracy &&
            after.accuracy && {
              Right: arrow(percent(before.accuracy.quantized), percent(after.accuracy.quantized)),
              'Float is right': percent(after.accuracy.float),
            }),
          'Distance to float': arrow(decimal(before.divergence), decimal(after.divergence)),
        }}
      />
    </div>
  );
}

interface NumberFieldProps {
  readonly label: string;
  readonly name: string;
  readonly value: number;
  readonly min: number;
  readonly step: number | 'any';
}

function NumberField({label, name, value, min, step}: NumberFieldProps) {
  const id = useId();
  return (
    <p class="field">
      <label for={id}>{label}</label>
      <input id={id} name={name} type="number" required min={min} step={step} defaultValue={String(value)} />
    </p>
  );
}

function Curves() {
  const losses = useComputed(() => lineOf(curve.value, 'loss', 'Loss'));
  const accuracies = useComputed(() => lineOf(curve.value, 'accuracy', 'Accuracy of samples held out, %'));
  return (
    <div class="curves">
      {losses.value && <Chart label="Loss by step" make={losses.value} />}
      {accuracies.value && <Chart label="Accuracy by step" make={accuracies.value} />}
    </div>
  );
}

const COLOR = 'var(--series-quantized)';

/** How to plot one quantity; undefined where no point has it. */
function lineOf(points: readonly CurvePoint[], name: 'loss' | 'accuracy', label: string) {
  const known = points.filter(point => point[name] !== undefined);
  if (known.length === 0) return undefined;
  const data = known.map(point => ({step: point.step, value: point[name]! * (name === 'accuracy' ? 100 : 1)}));
  const {steps} = known[0]!;
  const line = {x: 'step', y: 'value', stroke: COLOR};
  return (plot: typeof import('@observablehq/plot'), width: number): PlotOptions => ({
    width,
    height: 200,
    x: {label: 'Step', domain: [0, steps]},
    y: {label, grid: true, nice: true},
    marks: [
      plot.lineY(data, {...line, strokeOpacity: 0.35}),
      // One batch is unlike the next: their mean shows where it goes.
      plot.lineY(
        data,
        plot.windowY({k: Math.max(1, Math.round(data.length / 12)), strict: false}, {...line, strokeWidth: 2}),
      ),
      ...(name === 'accuracy' ? [plot.dot(data, {x: 'step', y: 'value', fill: COLOR})] : []),
    ],
  });
}
