/** What the methods are called on the page. */
import type {Method} from './plan';

export const NAMES: Readonly<Record<Method, string>> = {
  float: 'float',
  PTQ: 'quantized after training',
  QAT: 'trained for its bits',
};
