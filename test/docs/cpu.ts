/** Before the blocks of a document: the cpu backend, made faster, and random numbers that are the same in each run. */
import {setBackend} from '@tensorflow/tfjs';
import {hastenCpu} from '../../lab/fast_cpu';

let state = 1;

/** Mulberry32, by Tommy Ettinger. */
Math.random = () => {
  state = (state + 0x6d2b79f5) | 0;
  let bits = Math.imul(state ^ (state >>> 15), state | 1);
  bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
  return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
};

await setBackend('cpu');
hastenCpu();
