/** How the values of a tensor lie on its grid. */
import {useSignal} from '@preact/signals';
import {useEffect, useMemo} from 'preact/hooks';
import {Chart} from '../components/chart';
import {histogramInWords, histogramOf} from '../plots/histogram';
import {chosen} from '../results';
import {bench} from '../state';
import type {HistogramInfo, ReportRow} from '../worker/contract';

type Found = HistogramInfo | {readonly problem: string} | undefined;

/** Of the tensor that is chosen; undefined until it is there. */
function useHistogram(): Found {
  const found = useSignal<Found>(undefined);
  const tensor = chosen.value;
  useEffect(() => {
    let isOver = false;
    const take = (now: Found) => {
      if (!isOver) found.value = now;
    };
    if (tensor) {
      const fail = (error: unknown) => take({problem: (error as Error).message});
      bench.histogram(tensor.layer, tensor.what).then(take, fail);
    }
    return () => {
      isOver = true;
    };
  }, [tensor]);
  return found.value;
}

export function Tensor({rows}: {readonly rows: readonly ReportRow[]}) {
  const found = useHistogram();
  const tensors = rows.flatMap(({layer, tensors: all}) => all.map(({what}) => ({layer, what})));
  const at = tensors.findIndex(({layer, what}) => layer === chosen.value?.layer && what === chosen.value.what);
  if (!chosen.value) return null;
  return (
    <section id="tensor" class="tensor" aria-label="Values of a tensor" tabIndex={-1}>
      <h4>How its values lie on the grid</h4>
      <label>
        Tensor
        <select value={at} onChange={({currentTarget}) => (chosen.value = tensors[Number(currentTarget.value)])}>
          {tensors.map(({layer, what}, i) => (
            <option key={i} value={i}>
              {layer}: {what}
            </option>
          ))}
        </select>
      </label>
      {found && ('problem' in found ? <p role="alert">{found.problem}</p> : <Histogram of={found} />)}
    </section>
  );
}

function Histogram({of: info}: {readonly of: HistogramInfo}) {
  const make = useMemo(() => histogramOf(info), [info]);
  const inWords = histogramInWords(info);
  return (
    <>
      <Chart label={`Histogram. ${inWords}`} make={make} />
      <p class="legend">
        <span>values before rounding</span>, by count on a logarithmic scale;{' '}
        <span class="levels">the grid they are rounded to</span>, or its ends where there are many levels.
      </p>
      <p>{inWords}</p>
    </>
  );
}
