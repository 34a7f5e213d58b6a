/** How well the quantized model does, in large numbers and in words. */
import type {ComponentChildren} from 'preact';
import {counted, decimal, percent} from '../components/format';
import type {Scores} from '../worker/contract';

/** Fewer samples tell little: one more or less that agrees is more than this share. */
const FEW = 50;

type Grade = 'good' | 'fair' | 'poor';

interface Verdict {
  readonly grade: Grade;
  readonly text: string;
}

function graded(loss: number, [fair, poor]: readonly [number, number]): Grade {
  return loss <= fair ? 'good' : loss <= poor ? 'fair' : 'poor';
}

const WORDS: Readonly<Record<Grade, string>> = {
  good: 'As good as the float model',
  fair: 'Close to the float model',
  poor: 'Worse than the float model',
};

/** What counts is what is known best: right answers, the same answers, the same numbers. */
function verdictOn({accuracy, sameClass, divergence}: Scores): Verdict {
  if (accuracy) {
    const loss = accuracy.float - accuracy.quantized;
    const points = decimal(100 * Math.abs(loss));
    const text =
      loss === 0
        ? 'it is right as often.'
        : `it is right ${points} percentage points ${loss > 0 ? 'less' : 'more'} often.`;
    const grade = graded(loss, [0.01, 0.03]);
    return {grade, text: `${WORDS[grade]}: ${text}`};
  }
  if (sameClass !== undefined) {
    const grade = graded(1 - sameClass, [0.02, 0.1]);
    const text =
      sameClass === 1 ? 'it decides alike for every sample.' : `it decides otherwise for ${percent(1 - sameClass)}.`;
    return {grade, text: `${WORDS[grade]}: ${text}`};
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

export function Agreement({of: found}: {readonly of: Scores}) {
  const {samples, sameClass, divergence, accuracy} = found;
  const {grade, text} = verdictOn(found);
  return (
    <>
      <p class="verdict" data-grade={grade} role="status">
        <span aria-hidden="true">{MARKS[grade]}</span>
        {text}
      </p>
      <dl class="figures">
        {sameClass !== undefined && (
          <Figure value={`${Math.round(sameClass * samples)} of ${samples}`}>the same class as the float model</Figure>
        )}
        {accuracy && (
          <>
            <Figure value={percent(accuracy.quantized)}>right, quantized</Figure>
            <Figure value={percent(accuracy.float)}>right, float</Figure>
          </>
        )}
        {sameClass === undefined ? (
          <Figure value={percent(divergence)}>squared error of the outputs, of their variance</Figure>
        ) : (
          <Figure value={decimal(divergence)}>divergence of the probabilities: 0 if they are the same</Figure>
        )}
      </dl>
      {samples < FEW && (
        <p class="note">{counted(samples, 'sample')} tell little: bring some hundreds to trust these numbers.</p>
      )}
      {grade !== 'good' && (
        <p>
          To win it back, <a href="#quantize">improve the model or give it more bits</a>; the layers below say where.
        </p>
      )}
    </>
  );
}
