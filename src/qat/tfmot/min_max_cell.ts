/** Ranges as tfmot keeps them: two variables, the lows and the highs. */
import {onesLike, stack, tidy, unstack} from '@tensorflow/tfjs-core';
import type {LayerVariable} from '@tensorflow/tfjs-layers';
import type {Cell} from '../../quantizer/range';

/** The cell of a moving range. */
export function minMaxCell(min: LayerVariable, max: LayerVariable): Cell {
  return {
    alwaysSet: true,
    read: () => tidy(() => stack([min.read(), max.read(), onesLike(min.read())])),
    write: range =>
      tidy(() => {
        const [low, high] = unstack(range);
        min.write(low!);
        max.write(high!);
      }),
    dispose: () => undefined,
  };
}
