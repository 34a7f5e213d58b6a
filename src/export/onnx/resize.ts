/** Images of another size. */
import type {Attributes} from './model_proto';
import type {NodeList} from './node_list';

interface Resizing {
  readonly mode: 'linear' | 'nearest';
  /** What stays where it is: the upper left edge, the centers of the corners, or the middle. */
  readonly from: 'edge' | 'corners' | 'middle';
}

const COORDINATES = {edge: 'asymmetric', corners: 'align_corners', middle: 'half_pixel'} as const;

/** An image with its channels behind the batch. */
export function resized(
  list: NodeList,
  x: string,
  [before, behind]: readonly [readonly number[], readonly number[]],
  {mode, from}: Resizing,
): string {
  const nearest: Attributes = {nearest_mode: from === 'edge' ? 'floor' : 'round_prefer_ceil'};
  return list.add('Resize', [x, '', list.floats(scalesFor(before, behind))], {
    mode,
    coordinate_transformation_mode: COORDINATES[from],
    ...(mode === 'nearest' && nearest),
  });
}

/**
 * One float32 number for each dimension: a runtime multiplies it with the size of the dimension and drops what is behind the
 * point, which has to give the size that is wanted.
 */
function scalesFor(from: readonly number[], to: readonly number[]): number[] {
  return from.map((size, axis) => {
    const wanted = to[axis]!;
    let scale = Math.fround(wanted / size);
    while (size * scale < wanted) scale = Math.fround(scale * (1 + 2 ** -23));
    return scale;
  });
}
