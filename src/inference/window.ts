/** Windows that slide over images: of convolutions and pools. */

export type Pair = readonly [number, number];

/** What is put around an image. */
export interface Padding {
  /** Before and behind, of rows and of columns. */
  readonly amounts: readonly [rows: Pair, columns: Pair];
  /** The rule that they come from, where a layer has one: where nothing is padded, both may have said so. */
  readonly rule?: 'same' | 'valid';
}

/** How a window moves; rows first. */
export interface Window {
  readonly strides: Pair;
  readonly padding: Padding;
}

export const NO_PADDING: Padding = {
  amounts: [
    [0, 0],
    [0, 0],
  ],
};

/** What 'same' pads before and behind, in one dimension. */
function samePadding(size: number, window: number, stride: number, dilation: number): Pair {
  const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + (window - 1) * dilation + 1 - size);
  return [Math.floor(total / 2), total - Math.floor(total / 2)];
}

/** What a rule pads, of images of a size in rows and columns. */
export function paddingOf(rule: 'same' | 'valid', size: Pair, window: Pair, strides: Pair, dilations: Pair): Padding {
  if (rule === 'valid') return {...NO_PADDING, rule};
  const along = (i: 0 | 1) => samePadding(size[i], window[i], strides[i], dilations[i]);
  return {amounts: [along(0), along(1)], rule};
}

/** Whether nothing is padded. */
export function padsNothing({amounts}: Padding): boolean {
  return amounts.flat().every(amount => amount === 0);
}
