/** Activations, as layers and within them. */
import type {Layer} from '../../layers/graph';
import {activationOf} from '../../layers/kinds';
import {attributesOf, weightOf} from '../../layers/tfjs_internals';
import {sizeOf, typeOf, type Value} from '../graph';
import {inverseOf} from '../graph_builder';
import {type GridPair, SIGNED_UNIT, UNIT} from '../grids';
import {scalar} from '../operation_view';
import type {LayerCall, Lowering} from './layer_call';

/** An operator that gives what is on a grid of its own, whatever the model's. */
function onGrid(operator: 'sigmoid' | 'softmax' | 'tanh', grids: GridPair): Lowering {
  return (call, x) => call.graph.add(operator, {}, {inputs: [x], shape: x.shape, rule: call.fixed(x, grids)});
}

const sigmoid = onGrid('sigmoid', UNIT);

const elu: Lowering = ({graph}, x) => graph.add('elu', {}, {inputs: [x], shape: x.shape, rule: 'own'});

/** 0.2 * x + 0.5, between 0 and 1. */
const hardSigmoid: Lowering = (call, x) => {
  const {graph} = call;
  const all = (value: number) => new Float64Array(x.shape[x.shape.length - 1]!).fill(value);
  const y = graph.clamp(graph.affine(x, all(0.2), all(0.5)), [0, 1]);
  return typeOf(y) ? y : graph.round(y, call.fixed(x, UNIT));
};

const swish: Lowering = (call, x) => {
  x.uses++;
  const gate = sigmoid(call, x);
  return call.graph.add('multiply', {}, {inputs: [x, gate], shape: x.shape, rule: 'own'});
};

/** What lies below it of a normal distribution, times it. */
const gelu =
  (approximate: boolean): Lowering =>
  ({graph}, x) =>
    graph.add('gelu', {approximate}, {inputs: [x], shape: x.shape, rule: 'own'});

/** Activations by name; `ELU` as a layer is named so. */
const ACTIVATIONS: Readonly<Record<string, Lowering>> = {
  ELU: elu,
  elu,
  gelu: gelu(false),
  gelu_new: gelu(true),
  hardSigmoid,
  linear: (_call, x) => x,
  relu: ({graph}, x) => graph.clamp(x, [0, Infinity]),
  relu6: ({graph}, x) => graph.clamp(x, [0, 6]),
  sigmoid,
  softmax: onGrid('softmax', UNIT),
  swish,
  tanh: onGrid('tanh', SIGNED_UNIT),
};

/** One that is an operation by itself. */
function ofFloats(op: string): Lowering {
  return (call, x) => call.operation(op, [x]);
}

const softplus = ofFloats('Softplus');

const mish: Lowering = (call, x) => {
  const gate = call.graph.add('tanh', {}, {inputs: [softplus(call, x)], shape: x.shape, rule: 'own'});
  return call.graph.add('multiply', {}, {inputs: [x, gate], shape: x.shape, rule: 'own'});
};

/** Those that have operators on floats only. */
const IN_FLOAT: Readonly<Record<string, Lowering>> = {
  logSoftmax: ofFloats('LogSoftmax'),
  mish,
  selu: ofFloats('Selu'),
  softplus,
  softsign: ofFloats('Softsign'),
};

/** Those that look at all channels at once; others are of each number by itself. */
const OF_CHANNELS: ReadonlySet<string> = new Set(['logSoftmax', 'softmax']);

/** x through an activation. */
export function applied(name: string, call: LayerCall, x: Value): Value {
  return ACTIVATIONS[name]?.(call, x) ?? IN_FLOAT[name]!(call, call.graph.float32(x));
}

/** x through the activation that a layer has or is, between the roundings before and after it. */
export function activated(call: LayerCall, x: Value): Value {
  const rounded = call.round(x, 'before activation');
  const name = activationOf(call.layer);
  const apply = (value: Value) => applied(name, call, value);
  const y = OF_CHANNELS.has(name) ? apply(rounded) : call.graph.each(rounded, apply);
  return call.round(y, 'activation');
}

/** What to do about what is computed in float only. */
export const ELSE_FLOAT = 'Have it computed in float: floatFallback: true';

/** Whether a layer of images applies its activation while the channels are last, whichever way it is given them. */
const activatesLast = (layer: Layer) => layer.getClassName() === 'SeparableConv2D';

/** What is against the activation that a layer has or is, in integers unless floats are as good; undefined if nothing. */
export function objectionToActivation(layer: Layer, inFloat: boolean): string | undefined {
  const hasOne = attributesOf(layer).activation !== undefined;
  const name = activationOf(layer);
  if (!hasOne && !['Activation', 'Softmax'].includes(layer.getClassName())) return undefined;
  if (OF_CHANNELS.has(name) && attributesOf(layer).dataFormat === 'channelsFirst' && !activatesLast(layer)) {
    return `tfjs computes its activation ${name} along the columns of channelsFirst images. Make it a layer of its own`;
  }
  return objectionToActivationOf(name, inFloat);
}

/** The same of an activation by name. */
export function objectionToActivationOf(name: string, inFloat: boolean): string | undefined {
  if (ACTIVATIONS[name]) return undefined;
  const others = `Use one of ${Object.keys(ACTIVATIONS).slice(1).join(', ')}`;
  if (!IN_FLOAT[name]) return `the activation ${name} has no operator. ${others}`;
  return inFloat ? undefined : `the activation ${name} has no integer operator. ${ELSE_FLOAT}. Or u${others.slice(1)}`;
}

/** Along some dimensions, all of them together: put last, as one. */
export const softmax: Lowering = (call, x) => {
  const {graph} = call;
  const rank = x.shape.length;
  const axes = [call.get('axis')].flat().map(axis => (axis < 0 ? axis + rank : axis));
  const others = x.shape.map((_, i) => i).filter(axis => !axes.includes(axis));
  const order = [...others, ...axes];
  const moved = graph.transpose(x, order);
  const rows = graph.reshape(moved, [...others.map(axis => x.shape[axis]!), sizeOf(axes.map(axis => x.shape[axis]!))]);
  const y = activated(call, rows);
  return graph.transpose(graph.reshape(y, moved.shape), inverseOf(order));
};

export const leakyRelu: Lowering = ({graph, layer}, x) => {
  const slope = attributesOf(layer).alpha!;
  return graph.each(x, value => graph.add('leakyRelu', {slope}, {inputs: [value], shape: value.shape, rule: 'own'}));
};

export const prelu: Lowering = (call, x) => {
  const shape = weightOf(call.layer, 'alpha')!.shape as number[];
  const slopes = {values: call.numbers.values.get('alpha')!, shape};
  return call.graph.add('prelu', {slopes}, {inputs: [x], shape: x.shape, rule: 'own'});
};

/** x where it is above a threshold, else 0. */
export const thresholdedRelu: Lowering = (call, x) =>
  call.graph.each(call.graph.float32(x), value => {
    const isAbove = call.operation('Greater', [value, scalar('float32', call.get('theta'))], {type: 'bool'});
    return call.graph.add('multiply', {}, {inputs: [value, isAbove], shape: value.shape, rule: 'own'});
  });

export const relu: Lowering = (call, x) => call.graph.clamp(x, [0, attributesOf(call.layer).maxValue ?? Infinity]);
