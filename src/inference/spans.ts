/** What a StridedSlice takes. */
import type {OperationView} from './operation_view';

/** What of one dimension is taken. */
export interface Span {
  readonly begin: number;
  /** Undefined for all up to the first, backwards. */
  readonly end: number | undefined;
  readonly stride: number;
  readonly count: number;
}

const all = (size: number): Span => ({begin: 0, end: size, stride: 1, count: size});

function spanOf(size: number, begin: number | undefined, end: number | undefined, stride: number): Span {
  const [low, high] = stride > 0 ? [0, size] : [-1, size - 1];
  const inside = (place: number | undefined, otherwise: number) =>
    place === undefined ? otherwise : Math.min(high, Math.max(low, place < 0 ? place + size : place));
  const first = inside(begin, stride > 0 ? low : high);
  const last = inside(end, stride > 0 ? high : low);
  const count = Math.max(0, Math.ceil((last - first) / stride));
  return {begin: first, end: last < 0 ? undefined : last, stride, count};
}

/** What is taken of each dimension of what a StridedSlice is given. */
export function spansOf(call: OperationView): Span[] {
  const {attrs, x} = call;
  const [begin, end, strides] = ['begin', 'end', 'strides'].map((what, i) => call.numbers(i + 1, what)) as [
    number[],
    number[],
    number[],
  ];
  const has = (mask: string, i: number) => (attrs.int(mask) & (1 << i)) !== 0;
  const places = begin.map((_, i) => i);
  const isNew = (i: number) => has('new_axis_mask', i) && !has('ellipsis_mask', i);
  const named = places.filter(i => !isNew(i) && !has('ellipsis_mask', i)).length;
  const spans: Span[] = [];
  for (const i of places) {
    if (has('ellipsis_mask', i)) {
      const skipped = x.shape.length - named;
      for (let n = 0; n < skipped; ++n) spans.push(all(x.shape[spans.length]!));
    } else if (!isNew(i)) {
      const size = x.shape[spans.length]!;
      if (has('shrink_axis_mask', i)) {
        const place = begin[i]! < 0 ? begin[i]! + size : begin[i]!;
        spans.push({begin: place, end: place + 1, stride: 1, count: 1});
      } else {
        const from = has('begin_mask', i) ? undefined : begin[i];
        spans.push(spanOf(size, from, has('end_mask', i) ? undefined : end[i], strides[i]!));
      }
    }
  }
  while (spans.length < x.shape.length) spans.push(all(x.shape[spans.length]!));
  return spans;
}
