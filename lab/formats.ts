/** The files of digits that lie here. Data only, for commands too. */

/** A file of records: an image of `side` by `side` bytes and its label, one after the other. */
export interface Format {
  readonly side: number;
  /** The brightest value of a pixel. */
  readonly most: number;
  /** The first so many images train, the others test. */
  readonly trainCount: number;
}

export const DIGITS: Format = {side: 8, most: 16, trainCount: 1437};
export const MNIST: Format = {side: 14, most: 255, trainCount: 1500};
