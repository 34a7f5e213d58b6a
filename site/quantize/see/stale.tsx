/** Says that what is shown is of other settings, or other samples, than those chosen now. */
import {isStale} from '../state';

export function Stale() {
  if (!isStale.value) return null;
  return (
    <p class="note">
      Settings or samples changed: this is of the model as it was quantized before.{' '}
      <a href="#quantize">Quantize again</a>.
    </p>
  );
}
