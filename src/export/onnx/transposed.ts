/** Transposed convolutions. */
import type {Pair} from '../../inference/window';

/** In each dimension of images. */
interface Transposed {
  readonly size: readonly number[];
  /** Of the output. */
  readonly whole: readonly number[];
  readonly window: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** What the convolution pads that would give the input from the output. */
  readonly amounts: readonly Pair[];
}

/** How much larger the output is than what the windows reach. */
export function missingBehind({size, whole, window, strides, dilations, amounts}: Transposed): number[] {
  return size.map((dim, i) => {
    const reach = (window[i]! - 1) * dilations[i]! + 1;
    const [before, behind] = amounts[i]!;
    return whole[i]! - (strides[i]! * (dim - 1) + reach - before - behind);
  });
}
