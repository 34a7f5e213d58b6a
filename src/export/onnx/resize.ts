/** By how much images are scaled. */

/**
 * One float32 number for each dimension: a runtime multiplies it with the size of the dimension and drops what is behind the
 * point, which has to give the size that is wanted.
 */
export function scalesFor(from: readonly number[], to: readonly number[]): number[] {
  return from.map((size, axis) => {
    const wanted = to[axis]!;
    let scale = Math.fround(wanted / size);
    while (size * scale < wanted) scale = Math.fround(scale * (1 + 2 ** -23));
    return scale;
  });
}
