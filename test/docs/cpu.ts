/** Before the blocks of a document: the cpu backend, made faster. */
import {setBackend} from '@tensorflow/tfjs';
import {hastenCpu} from '../../lab/fast_cpu';

await setBackend('cpu');
hastenCpu();
