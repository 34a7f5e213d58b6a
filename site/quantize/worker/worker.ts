/** The worker of the page: a bench, asked through Comlink. */
import {expose} from 'comlink';
import {hastenCpu} from '../../../lab/fast_cpu';
import {Bench} from './bench';

hastenCpu();

// Scripts lie in a folder of the site.
expose(new Bench(new URL('../', self.location.href)));
