/** Gradients of kernels that tfjs runs without: of all that TensorFlow differentiates in graphs, as it does. */
import {
  cast,
  clone,
  cumsum,
  div,
  engine,
  equal,
  gather,
  gatherND,
  keep,
  maximum,
  mul,
  type NamedAttrMap,
  ones,
  pad,
  reshape,
  scatterND,
  slice_util,
  stack,
  sub,
  sum,
  type Tensor,
  type Tensor1D,
  tensor1d,
  transpose,
  unsortedSegmentSum,
} from '@tensorflow/tfjs-core';
import {type TapeNode, withTape} from './tfjs_internals';

type Numbers = readonly number[];
/** What a kernel takes or hands back to what it takes, by tfjs's names. */
type Named<T> = Readonly<Record<string, T>>;

interface Gradient {
  /** What is needed of inputs and outputs. */
  readonly saves: (inputs: Named<Tensor>, outputs: readonly Tensor[]) => Tensor[];
  /** What each input gets for what the first output gets. */
  readonly of: (dy: Tensor, saved: readonly Tensor[], attrs: NamedAttrMap) => Named<() => Tensor>;
}

/** Kernels that have no gradient in TensorFlow either, of what gives floats. */
const NONE = /^(NonMaxSuppression|Multinomial|(Dense)?Bincount$|Unique$|BroadcastArgs$)/;

const product = (sizes: Numbers) => sizes.reduce((all, size) => all * size, 1);

/** Puts values at places of a dimension that is as long as there are places: -1 is for 0. */
function spread(x: Tensor, axis: number, places: Numbers): Tensor {
  const size = x.shape[axis]!;
  const padded = pad(
    x,
    x.shape.map((_, i): [number, number] => [0, i === axis ? 1 : 0]),
  );
  return gather(
    padded,
    tensor1d(
      places.map(place => (place < 0 ? size : place)),
      'int32',
    ),
    axis,
  );
}

const stridedSlice: Gradient = {
  saves: ({x}) => [x!],
  of: (dy, [x], attrs) => ({
    x: () => {
      const {begin, end, strides, beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask} =
        attrs as Named<never>;
      const info = slice_util.sliceInfo(
        x!.shape,
        begin!,
        end!,
        strides!,
        beginMask!,
        endMask!,
        ellipsisMask!,
        newAxisMask!,
        shrinkAxisMask!,
      );
      const sizes = slice_util.computeOutShape(info.begin, info.end, info.strides);
      let dx: Tensor = reshape(dy, sizes);
      x!.shape.forEach((size, axis) => {
        const places = new Array<number>(size).fill(-1);
        for (let i = 0; i < sizes[axis]!; i++) places[info.begin[axis]! + i * info.strides[axis]!] = i;
        if (places.some((place, i) => place !== i)) dx = spread(dx, axis, places);
      });
      return dx;
    },
  }),
};

const topK: Gradient = {
  saves: ({x}, [, indices]) => [x!, indices!],
  of: (dy, [x, indices]) => ({
    x: () => {
      const [most, size] = [indices!.shape.at(-1)!, x!.shape.at(-1)!];
      const rows = product(x!.shape.slice(0, -1));
      const columns = reshape(indices!, [rows * most]);
      const row = tensor1d(
        Array.from({length: rows * most}, (_, i) => Math.floor(i / most)),
        'int32',
      );
      return reshape(scatterND(stack([row, columns], 1), reshape(dy, [rows * most]), [rows, size]), x!.shape);
    },
  }),
};

/** A value with its dimensions in another order, of size 1 where it has none. tfjs's own einsum cannot do all of it. */
function aligned(x: Tensor, labels: string, order: readonly string[]): Tensor {
  const own = order.filter(label => labels.includes(label));
  const turned = transpose(
    x,
    own.map(label => labels.indexOf(label)),
  );
  return reshape(
    turned,
    order.map(label => (labels.includes(label) ? x.shape[labels.indexOf(label)]! : 1)),
  );
}

/** What one operand gets: what the output gets, times the other operand. Dimensions that it alone has were summed up. */
function einsumOperand(own: string, shape: Numbers, factors: readonly (readonly [string, Tensor])[]): Tensor {
  const labels = own.split('');
  const others = new Set(factors.flatMap(([each]) => each.split('')).filter(label => !own.includes(label)));
  const order = [...labels, ...others];
  const products = factors.map(([each, x]) => aligned(x, each, order)).reduce((all, each) => mul(all, each));
  const summed = sum(products, order.map((_, i) => i).slice(labels.length));
  return mul(summed, ones([...shape]));
}

const einsumGradient: Gradient = {
  saves: inputs => Object.values(inputs),
  of: (dy, operands, attrs) => {
    const [from = '', output = ''] = (attrs['equation'] as string).replaceAll(' ', '').split('->');
    const labels = from.split(',');
    return Object.fromEntries(
      operands.map(({shape}, i) => {
        const others = operands.flatMap((each, k) => (k === i ? [] : [[labels[k]!, each] as [string, Tensor]]));
        return [i, () => einsumOperand(labels[i]!, shape, [[output, dy], ...others])];
      }),
    );
  },
};

const depthToSpace: Gradient = {
  saves: () => [],
  of: (dy, _, attrs) => ({
    x: () => {
      const block = attrs['blockSize'] as number;
      const isFirst = attrs['dataFormat'] === 'NCHW';
      const last = isFirst ? transpose(dy, [0, 2, 3, 1]) : dy;
      const [batch, height, width, depth] = last.shape as [number, number, number, number];
      const parts = reshape(last, [batch, height / block, block, width / block, block, depth]);
      const shape = [batch, height / block, width / block, depth * block ** 2];
      const dx = reshape(transpose(parts, [0, 1, 3, 2, 4, 5]), shape);
      return isFirst ? transpose(dx, [0, 3, 1, 2]) : dx;
    },
  }),
};

/** Of means, of how many values each is. */
function segmentGradient(isMean: boolean): Gradient {
  return {
    saves: ({data, indices, segmentIds}) => [data!, indices!, segmentIds!],
    of: (dy, [data, indices, segmentIds]) => ({
      data: () => {
        const ids = segmentIds as Tensor1D;
        const counts = () => unsortedSegmentSum(ones([ids.size]), ids, dy.shape[0]);
        const shared = isMean
          ? div(dy, reshape(maximum(counts(), 1), [-1, ...new Array<number>(dy.rank - 1).fill(1)]))
          : dy;
        return unsortedSegmentSum(gather(shared, ids), indices as Tensor1D, data!.shape[0]);
      },
    }),
  };
}

/** By tfjs's names of kernels. */
const GRADIENTS: Named<Gradient> = {
  Cumprod: {
    saves: ({x}, [out]) => [x!, out!],
    of: (dy, [x, out], attrs) => {
      const {axis, exclusive, reverse} = attrs as {axis: number; exclusive: boolean; reverse: boolean};
      return {x: () => div(cumsum(mul(dy, out!), axis, exclusive, !reverse), x!)};
    },
  },
  DepthToSpace: depthToSpace,
  Einsum: einsumGradient,
  GatherNd: {
    saves: ({params, indices}) => [params!, indices!],
    of: (dy, [params, indices]) => ({params: () => scatterND(indices!, dy, params!.shape)}),
  },
  MaxPoolWithArgmax: {
    saves: ({x}, [out]) => [x!, out!],
    of: (dy, [x, out], attrs) => ({x: () => engine().runKernel('MaxPoolGrad', {dy, input: x!, output: out!}, attrs)}),
  },
  ScatterNd: {
    saves: ({indices}) => [indices!],
    of: (dy, [indices]) => ({updates: () => gatherND(dy, indices!)}),
  },
  SparseSegmentMean: segmentGradient(true),
  SparseSegmentSum: segmentGradient(false),
  SparseToDense: {
    saves: ({sparseIndices, sparseValues}) => [sparseIndices!, sparseValues!],
    of: (dy, [indices, values]) => {
      const rows = () => (indices!.rank < 2 ? reshape(indices!, [-1, 1]) : indices!);
      const taken = () => gatherND(dy, rows());
      return {
        sparseValues: () => (values!.rank === 0 ? sum(taken()) : taken()),
        defaultValue: () => sub(sum(dy), sum(taken())),
      };
    },
  },
  StridedSlice: stridedSlice,
  TensorScatterUpdate: {
    saves: ({indices, updates}) => [indices!, updates!],
    of: (dy, [indices, updates]) => ({
      tensor: () => mul(dy, cast(equal(scatterND(indices!, ones(updates!.shape), dy.shape), 0), 'float32')),
      updates: () => gatherND(dy, indices!),
    }),
  },
  TopK: topK,
};

const isFloat = (value: Tensor | undefined) => value?.dtype === 'float32' || value?.dtype === 'complex64';

/** Whatever is recorded of a kernel, so that gradients pass where they pass in TensorFlow. */
function mended(node: TapeNode, hasGradient: boolean, where: string): TapeNode {
  const outputs = node.outputs.filter(isFloat);
  const floats = Object.entries(node.inputs).filter(([, input]) => isFloat(input));
  // What hangs on nothing gets nothing. It stays on the tape, which frees what was saved.
  const inputs = outputs.length === 0 || (!hasGradient && NONE.test(node.kernel)) ? {} : Object.fromEntries(floats);
  if (hasGradient || Object.keys(inputs).length === 0) return {...node, inputs, outputs};
  const own = Object.hasOwn(GRADIENTS, node.kernel) ? GRADIENTS[node.kernel] : undefined;
  if (own) {
    const saved = own.saves(node.inputs, node.outputs).map(each => keep(clone(each)));
    const gradient = (dy: Tensor | Tensor[]) => own.of([dy].flat()[0]!, saved, node.attrs);
    return {...node, inputs, outputs, saved, gradient};
  }
  const gradient = () => {
    throw new Error(
      `${where} cannot be trained through: tfjs has no gradient for ${node.kernel}. ` +
        'Train what is before it by another output: cutModel(model, {outputs: […]}), or leave that as it is (trainable: false).',
    );
  };
  return {...node, inputs, outputs, gradient};
}

/**
 * Runs what is differentiated as TensorFlow would: no gradient passes whole numbers and truths, and kernels that tfjs has no
 * gradient for get theirs.
 *
 * @param where - for errors.
 */
export function differentiably<T>(where: string, run: () => T): T {
  return withTape((node, hasGradient) => mended(node, hasGradient, where), run);
}
