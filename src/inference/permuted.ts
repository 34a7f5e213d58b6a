/** Tensors with their dimensions in another order. */

export function arranged<T>(list: readonly T[], permutation: readonly number[]): T[] {
  return permutation.map(axis => list[axis]!);
}

/** The values of a tensor, with its dimension `permutation[i]` as the i-th. */
export function permuted<T extends Int8Array | Float32Array>(
  values: T,
  shape: readonly number[],
  permutation: readonly number[],
): T {
  const steps = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, dim) => product * dim, 1));
  const [dims, strides] = [arranged(shape, permutation), arranged(steps, permutation)];
  const moved = values.slice() as T;
  const place = new Array<number>(dims.length).fill(0);
  let from = 0;
  for (let to = 0; to < moved.length; ++to) {
    moved[to] = values[from]!;
    for (let axis = dims.length - 1; axis >= 0; --axis) {
      from += strides[axis]!;
      if (++place[axis]! < dims[axis]!) break;
      from -= strides[axis]! * dims[axis]!;
      place[axis] = 0;
    }
  }
  return moved;
}
