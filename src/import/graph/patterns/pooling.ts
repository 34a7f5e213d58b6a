/** Poolings over windows, and over all of space. */
import {layers} from '@tensorflow/tfjs-layers';
import type {Shape} from '../graph_reader';
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
  reshaped,
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

type Named = {readonly name: string};
type ByFormat = Named & {readonly dataFormat: Layout['dataFormat']};

interface GlobalPool {
  readonly steps: (config: Named) => layers.Layer;
  readonly images: (config: ByFormat) => layers.Layer;
}

const AVERAGE: GlobalPool = {
  steps: config => layers.globalAveragePooling1d(config),
  images: config => layers.globalAveragePooling2d(config),
};
const LARGEST: GlobalPool = {
  steps: config => layers.globalMaxPooling1d(config),
  images: config => layers.globalMaxPooling2d(config),
};

/** The layers that pool over dimensions; undefined if they leave some before those. */
function poolings(axes: readonly number[], shape: Shape, {steps, images}: GlobalPool): Make[] | undefined {
  const {length} = shape;
  const over = String(axes);
  if (length === 3 && over === '1') return [steps];
  if (length === 4 && over === '1,2') return [name => images({...name, dataFormat: 'channelsLast'})];
  if (length === 4 && over === '2,3') return [name => images({...name, dataFormat: 'channelsFirst'})];
  const last = axes.at(-1) ?? 0;
  const rest = shape.slice(last + 1);
  const asSteps = [sizeOf(shape.slice(1, last + 1)), sizeOf(rest)];
  if (axes.length !== last || last === 0 || rest.length === 0 || asSteps.includes(null)) return undefined;
  return [reshaped(asSteps), steps, reshaped(rest)];
}

/** A mean, a sum or the largest over dimensions. */
export const reduction: Pattern = /*#__PURE__*/ onFloats((node, known, shape, x) => {
  const given = knownIntegers(node.inputs[1], known);
  if (!given) return noLayer('computes the dimensions that it reduces');
  const axes = axesFromFront(given, shape.length);
  if (axes.includes(0)) return noLayer('reduces its batch');
  const makes = poolings(axes, shape, node.op === 'Max' ? LARGEST : AVERAGE);
  if (!makes) return noLayer(`reduces dimensions ${axes.join(', ')} of ${shape.length}, and layers the first of them`);
  const count = sizeOf(axes.map(axis => shape[axis]!));
  if (node.op === 'Sum' && count === null) return noLayer('sums open dimensions');
  const kept = shape.flatMap((dim, i) => (i === 0 ? [] : [axes.includes(i) ? 1 : dim]));
  const keeps = node.attrs.flag('keep_dims') || node.attrs.flag('keepdims');
  return severalLayers(
    node,
    [x],
    [
      ...makes,
      ...(node.op === 'Sum' ? [((name: Named) => layers.rescaling({...name, scale: count!})) as Make] : []),
      ...(keeps ? [reshaped(kept)] : []),
    ],
  );
});
