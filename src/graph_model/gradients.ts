/**
 * Gradients that tfjs lacks: of ops that stand in graphs between what is trained and the loss. Without one, nothing before
 * such an op could be trained.
 */
import {
  concat,
  einsum,
  gatherND,
  getGradient,
  type GradFunc,
  oneHot,
  ones,
  pad,
  registerGradient,
  reshape,
  reverse,
  scatterND,
  slice,
  slice_util,
  sum,
  type Tensor,
  tensorScatterUpdate,
  transpose,
  zeros,
} from '@tensorflow/tfjs-core';

interface Gradient {
  readonly inputsToSave?: string[];
  readonly saveAllInputs?: boolean;
  readonly outputsToSave?: boolean[];
  readonly gradFunc: GradFunc;
}

const sizeOf = (shape: readonly number[]) => shape.reduce((all, each) => all * each, 1);

/** Of what gives truths: nothing passes. */
function none(...inputs: string[]): Gradient {
  const gradFunc: GradFunc = (_, saved) =>
    Object.fromEntries(inputs.map((name, i) => [name, () => zeros(saved[i]!.shape)]));
  return {inputsToSave: inputs, gradFunc};
}

/** Puts slices along an axis back where they were taken, among zeros. */
function spread(slices: Tensor, axis: number, size: number, begin: number, stride: number): Tensor {
  const {shape} = slices;
  const count = shape[axis]!;
  const step = Math.abs(stride);
  if (count === size && step === 1) return stride < 0 ? reverse(slices, axis) : slices;
  const [outer, inner] = [sizeOf(shape.slice(0, axis)), sizeOf(shape.slice(axis + 1))];
  const rows = reshape(slices, [outer, count, inner]);
  const forward = stride < 0 ? reverse(rows, 1) : rows;
  const between = concat([reshape(forward, [outer, count, 1, inner]), zeros([outer, count, step - 1, inner])], 2);
  const length = (count - 1) * step + 1;
  const taken = slice(reshape(between, [outer, count * step, inner]), [0, 0, 0], [outer, length, inner]);
  const first = stride < 0 ? begin + (count - 1) * stride : begin;
  const all = pad(taken, [
    [0, 0],
    [first, size - first - length],
    [0, 0],
  ]);
  return reshape(
    all,
    shape.map((each, i) => (i === axis ? size : each)),
  );
}

type Masks = Record<'beginMask' | 'endMask' | 'ellipsisMask' | 'newAxisMask' | 'shrinkAxisMask', number>;

const stridedSlice: GradFunc = (dy, [x], attrs) => {
  const {shape} = x!;
  const asked = attrs as unknown as Masks & Record<'begin' | 'end' | 'strides', number[]>;
  const {beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask} = asked;
  const {begin, end, strides} = slice_util.sliceInfo(
    shape,
    asked.begin,
    asked.end,
    asked.strides,
    beginMask,
    endMask,
    ellipsisMask,
    newAxisMask,
    shrinkAxisMask,
  );
  const taken = slice_util.computeOutShape(begin, end, strides);
  const back = () => {
    if (sizeOf(taken) === 0) return zeros(shape);
    const slices = reshape(dy as Tensor, taken);
    return shape.reduce((all, size, axis) => spread(all, axis, size, begin[axis]!, strides[axis]!), slices);
  };
  return {x: back};
};

const topK: GradFunc = (dys, [x, indices]) => ({
  x: () => {
    const [dy] = dys as Tensor[];
    const places = oneHot(indices!, x!.shape.at(-1)!, 1, 0, 'float32');
    return sum(places.mul(dy!.expandDims(-1)), -2);
  },
});

const depthToSpace: GradFunc = (dy, _, attrs) => ({
  x: () => {
    const {blockSize: size, dataFormat} = attrs as unknown as {blockSize: number; dataFormat: string};
    if (dataFormat !== 'NHWC') throw new Error(`DepthToSpace has no gradient for the layout ${dataFormat}.`);
    const [batch, height, width, depth] = (dy as Tensor).shape as [number, number, number, number];
    const blocks = reshape(dy as Tensor, [batch, height / size, size, width / size, size, depth]);
    return reshape(transpose(blocks, [0, 1, 3, 2, 4, 5]), [batch, height / size, width / size, size * size * depth]);
  },
});

/** The gradient of one operand: the product of the other and of the outcome's, and along what was summed up alone, the same. */
function ofOperand(dy: Tensor, labels: string, out: string, operand: Tensor, other?: {labels: string; value: Tensor}) {
  const known = Array.from(labels)
    .filter(label => out.includes(label) || other?.labels.includes(label))
    .join('');
  const found = other ? einsum(`${out},${other.labels}->${known}`, dy, other.value) : einsum(`${out}->${known}`, dy);
  if (known === labels) return found;
  const shape = Array.from(labels, (label, i) => (known.includes(label) ? operand.shape[i]! : 1));
  return reshape(found, shape).mul(ones(operand.shape));
}

const einsumGradient: GradFunc = (dy, saved, attrs) => {
  const [terms = '', out = ''] = (attrs as unknown as {equation: string}).equation.replace(/\s/g, '').split('->');
  const labels = terms.split(',');
  const gradients: Record<string, () => Tensor> = {};
  saved.forEach((operand, i) => {
    const at = 1 - i;
    const other = saved.length > 1 ? {labels: labels[at]!, value: saved[at]!} : undefined;
    gradients[i] = () => ofOperand(dy as Tensor, labels[i]!, out, operand, other);
  });
  return gradients;
};

/** By the names of tfjs's kernels. */
const GRADIENTS: Readonly<Record<string, Gradient>> = {
  All: none('x'),
  Any: none('x'),
  Equal: none('a', 'b'),
  Greater: none('a', 'b'),
  Less: none('a', 'b'),
  LessEqual: none('a', 'b'),
  LogicalAnd: none('a', 'b'),
  LogicalNot: none('x'),
  LogicalOr: none('a', 'b'),
  NotEqual: none('a', 'b'),
  DepthToSpace: {gradFunc: depthToSpace},
  Einsum: {saveAllInputs: true, gradFunc: einsumGradient},
  GatherNd: {
    inputsToSave: ['params', 'indices'],
    gradFunc: (dy, [params, indices]) => ({
      params: () => scatterND(indices!, dy as Tensor, params!.shape as [number]),
      indices: () => zeros(indices!.shape),
    }),
  },
  ScatterNd: {
    inputsToSave: ['indices'],
    gradFunc: (dy, [indices]) => ({
      updates: () => gatherND(dy as Tensor, indices!),
      indices: () => zeros(indices!.shape),
    }),
  },
  StridedSlice: {inputsToSave: ['x'], gradFunc: stridedSlice},
  TensorScatterUpdate: {
    inputsToSave: ['indices', 'updates'],
    gradFunc: (dy, [indices, updates]) => ({
      tensor: () => tensorScatterUpdate(dy as Tensor, indices!, zeros(updates!.shape)),
      updates: () => gatherND(dy as Tensor, indices!),
      indices: () => zeros(indices!.shape),
    }),
  },
  TopK: {inputsToSave: ['x'], outputsToSave: [false, true], gradFunc: topK},
};

/** Gives tfjs the gradients, where it still has none. */
export function registerGradients(): void {
  for (const [kernelName, gradient] of Object.entries(GRADIENTS)) {
    if (!getGradient(kernelName)) registerGradient({kernelName, ...gradient});
  }
}
