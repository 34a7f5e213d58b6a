/** What goes on in a place, and what went wrong there. */
import {useSignal} from '@preact/signals';
import {cancel, failures, type Place, task} from '../state';
import type {Progress} from '../worker/contract';

export function Doings({of}: {readonly of: Place}) {
  const failure = failures.value[of];
  return (
    <>
      {task.value?.step === of && <Going progress={task.value.progress} />}
      {failure !== undefined && (
        <p class="failure" role="alert">
          {failure}
        </p>
      )}
    </>
  );
}

/** How far something is, with a button that stops it. */
function Going({progress: {doing, done, total}}: {readonly progress: Progress}) {
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
