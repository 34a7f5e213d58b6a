/** 1797 handwritten digits of 8x8 pixels. Their source: README.md. */
import packed from './digits.bin.gz';
import {type Split, unpackedSplit} from './examples';
import {DIGITS} from './formats';

export const loadDigits = (): Promise<Split> => unpackedSplit(packed, DIGITS);
