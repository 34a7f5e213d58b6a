/** How well the quantized model does, in large numbers and in words. */
import type {ComponentChildren} from 'preact';
import {useMemo} from 'preact/hooks';
import {count, counted, decimal, percent} from '../components/format';
import {Notes} from '../components/notes';
import type {Scores} from '../worker/contract';

type Grade = 'good' | 'fair' | 'poor';

interface Verdict {
  readonly grade: Grade;
  readonly text: string;
}

function graded(loss: number, [fair, poor]: readonly [number, number]): Grade {
  return loss <= fair ? 'good' : loss <= poor ? 'fair' : 'poor';
}

const WORDS: Readonly<Record<Grade, string>> = {
  good: 'Nearly as good as the float model',
  fair: 'Close to the float model',
  poor: 'Worse than the float model',
};

/** What counts is what is known best: right answers, the same answers, the same numbers. */
function verdictOn({accuracy, sameClass, divergence}: Scores): Verdict {
  if (accuracy) {
    const loss = accuracy.float - accuracy.quantized;
    const points = `${decimal(100 * Math.abs(loss))} percentage points`;
    if (loss === 0) return {grade: 'good', text: 'As good as the float model: right as often.'};
    if (loss < 0) return {grade: 'good', text: `As good as the float model: right ${points} more often.`};
    const grade = graded(loss, [0.01, 0.03]);
    return {grade, text: `${WORDS[grade]}: right ${points} less often.`};
  }
  if (sameClass !== undefined) {
    if (sameClass === 1) return {grade: 'good', text: 'As good as the float model: the same class for every sample.'};
    const grade = graded(1 - sameClass, [0.02, 0.1]);
    return {grade, text: `${WORDS[grade]}: another class for ${percent(1 - sameClass)} of the samples.`};
  }
  const grade = graded(divergence, [0.01, 0.1]);
  return {
    grade,
    text: `${WORDS[grade]}: its outputs are off by ${percent(Math.sqrt(divergence))} of how much they vary.`,
  };
}

const MARKS: Readonly<Record<Grade, string>> = {good: '✓', fair: '≈', poor: '!'};

function Figure({value, children}: {readonly value: string; readonly children: ComponentChildren}) {
  return (
    <div>
      <dt>{children}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function total(counts: readonly (readonly number[])[]): number {
  return counts.reduce((sum, row) => row.reduce((more, each) => more + each, sum), 0);
}

export function Agreement({of: found}: {readonly of: Scores}) {
  const {samples, sameClass, divergence, accuracy, confusion, notes} = found;
  const {grade, text} = verdictOn(found);
  // Of those that training does not see.
  const judged = useMemo(() => total(confusion ?? []), [confusion]);
  return (
    <>
      <p class="verdict" data-grade={grade} role="status">
        <span aria-hidden="true">{MARKS[grade]}</span>
        {text}
      </p>
      <dl class="figures">
        {sameClass !== undefined && (
          <Figure value={`${count(Math.round(sameClass * samples))} of ${count(samples)}`}>
            the same class as the float model
          </Figure>
        )}
        {accuracy && (
          <Figure value={percent(accuracy.quantized)}>
            right, on {counted(judged, 'sample')}; the float model {percent(accuracy.float)}
          </Figure>
        )}
        {sameClass === undefined ? (
          <Figure value={percent(divergence)}>squared error of the outputs, of their variance</Figure>
        ) : (
          <Figure value={decimal(divergence)}>divergence of the probabilities: 0 if they are the same</Figure>
        )}
      </dl>
      <Notes of={notes} />
      {grade !== 'good' && (
        <p>
          To win it back, <a href="#improve">improve the model</a> or <a href="#quantize">give it more bits</a>: the
          layers below say which.
        </p>
      )}
    </>
  );
}
