/** Where TensorFlow Lite Micro puts what lives for a while: micro/memory_planner/greedy_memory_planner.cc. */

/** What needs memory, from one moment to another, both inclusive. */
export interface Lifetime {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

interface Placed extends Lifetime {
  readonly offset: number;
}

const overlaps = (a: Lifetime, b: Lifetime) => a.first <= b.last && b.first <= a.last;

/** The first gap between what lives at the same time that is large enough, or what comes behind all of it. */
function offsetFor(wanted: Lifetime, placed: readonly Placed[]): number {
  let offset = 0;
  for (const other of placed) {
    if (!overlaps(wanted, other)) continue;
    if (other.offset - offset >= wanted.bytes) break;
    offset = Math.max(offset, other.offset + other.bytes);
  }
  return offset;
}

/** How many bytes all take together: the largest are placed first, and of equal ones those that came last. */
export function plannedBytes(lifetimes: readonly Lifetime[]): number {
  const placed: Placed[] = [];
  for (const wanted of [...lifetimes].reverse().sort((a, b) => b.bytes - a.bytes)) {
    const offset = offsetFor(wanted, placed);
    const behind = placed.findIndex(other => other.offset > offset);
    placed.splice(behind < 0 ? placed.length : behind, 0, {...wanted, offset});
  }
  return Math.max(0, ...placed.map(({offset, bytes}) => offset + bytes));
}
