/** Digits that others wrote, for who cannot or will not draw. */
import {showExample} from './state';

export function Examples() {
  return (
    <div class="examples" role="group" aria-labelledby="examples">
      <span id="examples">Or take a digit of the test images</span>
      <div>
        {[...Array(10).keys()].map(digit => (
          <button key={digit} class="secondary outline" onClick={() => void showExample(digit)}>
            {digit}
          </button>
        ))}
      </div>
    </div>
  );
}
