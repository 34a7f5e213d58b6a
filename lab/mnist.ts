/** 2500 of MNIST's digits at half their size. Their source: README.md. */
import {type Split, unpackedSplit} from './examples';
import {MNIST} from './formats';
import packed from './mnist.bin.gz';

export const loadMnist = (): Promise<Split> => unpackedSplit(packed, MNIST);
