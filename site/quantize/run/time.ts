import {decimal} from '../components/format';

/** The clock of a page counts tenths of a millisecond, or less finely. */
const FINEST = 0.1;

/** How long a sample takes, in words. */
export function time(milliseconds: number): string {
  return milliseconds < FINEST ? `under ${FINEST} ms` : `${decimal(milliseconds)} ms`;
}
