import {expose} from 'comlink';
import type {Workbench} from './contract';

expose({} satisfies Partial<Workbench>);
