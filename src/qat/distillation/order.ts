/** The order in which samples come. */

/** Numbers in [0, 1) that depend on nothing but the seed (mulberry32). */
function randoms(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Each of `count` numbers once, in an order by chance (Fisher and Yates). */
function shuffled(count: number, random: () => number): number[] {
  const order = Array.from({length: count}, (_, i) => i);
  for (let i = count - 1; i > 0; --i) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/** Numbers of samples without end, `size` at a time: all in an order by chance, then all in another. */
export function* batchesByChance(count: number, size: number, seed: number): Generator<number[], never> {
  const random = randoms(seed);
  for (let rest: number[] = []; ; rest = rest.slice(size)) {
    while (rest.length < size) rest = [...rest, ...shuffled(count, random)];
    yield rest.slice(0, size);
  }
}
