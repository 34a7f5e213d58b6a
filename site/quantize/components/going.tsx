/** How far something is, with a button that stops it. */
import {useSignal} from '@preact/signals';
import {cancel} from '../state';
import type {Progress} from '../worker/contract';

export function Going({progress: {doing, done, total}}: {readonly progress: Progress}) {
  const isStopping = useSignal(false);
  const stop = () => {
    isStopping.value = true;
    cancel();
  };
  const share = total ? done / total : undefined;
  return (
    <div class="going">
      <label>
        <span>
          {doing}…{share !== undefined && <small>{Math.round(100 * share)} %</small>}
        </span>
        {share === undefined ? <progress /> : <progress value={share} />}
      </label>
      <button type="button" class="secondary outline" disabled={isStopping.value} onClick={stop}>
        {isStopping.value ? 'Stopping…' : 'Cancel'}
      </button>
    </div>
  );
}
