/** Poolings over windows, and over all of space. */
import {layers} from '@tensorflow/tfjs-layers';
import type {GraphNode, Shape} from '../graph_reader';
import type {LayerPlan, Pattern} from '../pattern';
import {
  axesFromFront,
  inSpace,
  knownIntegers,
  type Layout,
  layoutOf,
  noLayer,
  oneLayer,
  onFloats,
  severalLayers,
  sizeOf,
} from './parts';

type Make = LayerPlan['make'];
type Two = [number, number];
type Three = [number, number, number];

interface Pool {
  readonly poolSize: number[];
  readonly strides: number[];
  readonly padding: 'same' | 'valid';
  readonly dataFormat: Layout['dataFormat'];
}

function pool(rank: number, layer: (config: Pool & {readonly name: string}) => layers.Layer): Pattern {
  return onFloats((node, _known, shape, x) => {
    const layout = shape.length === rank ? layoutOf(node, rank) : undefined;
    if (!layout) return noLayer('takes no images');
    const [poolSize, strides] = ['ksize', 'strides'].map(name => inSpace(node.attrs.ints(name), layout));
    if (!poolSize || !strides) return noLayer('pools over its batch or channels');
    const padding = node.attrs.text('padding', 'VALID');
    if (padding !== 'SAME' && padding !== 'VALID') return noLayer('has explicit paddings, and no pooling has');
    const {dataFormat} = layout;
    const config = {poolSize, strides, padding: padding === 'SAME' ? 'same' : 'valid', dataFormat} as const;
    return oneLayer(node, [x], name => layer({...name, ...config}));
  });
}

const ofTwo = ({poolSize, strides, ...rest}: Pool & {readonly name: string}) => {
  return {...rest, poolSize: poolSize as Two, strides: strides as Two};
};
const ofThree = ({poolSize, strides, ...rest}: Pool & {readonly name: string}) => {
  return {...rest, poolSize: poolSize as Three, strides: strides as Three};
};

export const maxPool = /*#__PURE__*/ pool(4, config => layers.maxPooling2d(ofTwo(config)));
export const avgPool = /*#__PURE__*/ pool(4, config => layers.averagePooling2d(ofTwo(config)));
export const maxPool3d = /*#__PURE__*/ pool(5, config => layers.maxPooling3d(ofThree(config)));
export const avgPool3d = /*#__PURE__*/ pool(5, config => layers.averagePooling3d(ofThree(config)));

/** The layer that pools over axes, if they are all of space. */
function globalPool(
  axes: readonly number[],
  {length}: Shape,
  poolings: readonly [
    steps: (name: {name: string}) => layers.Layer,
    images: (config: {name: string; dataFormat: Layout['dataFormat']}) => layers.Layer,
  ],
): Make | undefined {
  const over = String(axes);
  const [steps, images] = poolings;
  if (length === 3 && over === '1') return steps;
  if (length === 4 && over === '1,2') return name => images({...name, dataFormat: 'channelsLast'});
  if (length === 4 && over === '2,3') return name => images({...name, dataFormat: 'channelsFirst'});
  return undefined;
}

const AVERAGE = [
  (name: {name: string}) => layers.globalAveragePooling1d(name),
  (config: {name: string; dataFormat: Layout['dataFormat']}) => layers.globalAveragePooling2d(config),
] as const;
const LARGEST = [
  (name: {name: string}) => layers.globalMaxPooling1d(name),
  (config: {name: string; dataFormat: Layout['dataFormat']}) => layers.globalMaxPooling2d(config),
] as const;

/** The rest of the shape where the axes are kept as 1. */
function kept(shape: Shape, axes: readonly number[]): Make {
  return name =>
    layers.reshape({...name, targetShape: shape.flatMap((dim, i) => (i === 0 ? [] : [axes.includes(i) ? 1 : dim]))});
}

function keepsDims({attrs}: GraphNode): boolean {
  return attrs.flag('keep_dims') || attrs.flag('keepdims');
}

/** A mean, a sum or the largest over axes. */
export const reduction: Pattern = /*#__PURE__*/ onFloats((node, known, shape, x) => {
  const given = knownIntegers(node.inputs[1], known);
  if (!given) return noLayer('computes the axes that it reduces');
  const axes = axesFromFront(given, shape.length);
  if (axes.includes(0)) return noLayer('reduces its batch');
  const make = globalPool(axes, shape, node.op === 'Max' ? LARGEST : AVERAGE);
  if (!make)
    return noLayer(`reduces dimensions ${axes.join(', ')} of ${shape.length}, and layers those of space alone`);
  const count = sizeOf(axes.map(axis => shape[axis]!));
  if (node.op === 'Sum' && count === null) return noLayer('sums open dimensions');
  return severalLayers(
    node,
    [x],
    [
      {suffix: '/pooling', make},
      ...(node.op === 'Sum'
        ? [{suffix: '/sum', make: (name => layers.rescaling({...name, scale: count!})) as Make}]
        : []),
      ...(keepsDims(node) ? [{suffix: '', make: kept(shape, axes)}] : []),
    ],
  );
});
