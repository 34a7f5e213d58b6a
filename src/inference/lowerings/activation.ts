/** Activations, as layers and within them. */
import type {Layer} from '../../layers/graph';
import {activationOf} from '../../layers/kinds';
import {attributesOf, weightOf} from '../../layers/tfjs_internals';
import {typeOf, type Value} from '../graph';
import {type GridPair, SIGNED_UNIT, UNIT} from '../grids';
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

/** Activations by name; `ELU` as a layer is named so. */
const ACTIVATIONS: Readonly<Record<string, Lowering>> = {
  ELU: elu,
  elu,
  hardSigmoid,
  linear: (_call, x) => x,
  relu: ({graph}, x) => graph.clamp(x, [0, Infinity]),
  relu6: ({graph}, x) => graph.clamp(x, [0, 6]),
  sigmoid,
  softmax: onGrid('softmax', UNIT),
  swish,
  tanh: onGrid('tanh', SIGNED_UNIT),
};

/** Those that have operators on floats only. */
const IN_FLOAT: Readonly<Record<string, Lowering>> = {};

/** x through an activation. */
export function applied(name: string, call: LayerCall, x: Value): Value {
  return ACTIVATIONS[name]?.(call, x) ?? IN_FLOAT[name]!(call, call.graph.float(x));
}

/** x through the activation that a layer has or is, between the roundings before and after it. */
export function activated(call: LayerCall, x: Value): Value {
  const y = applied(activationOf(call.layer), call, call.round(x, 'before activation'));
  return call.round(y, 'activation');
}

/** What to do about what is computed in float only. */
export const ELSE_FLOAT = 'Have it computed in float: floatFallback: true';

/** What is against the activation that a layer has or is, in integers unless floats are as good; undefined if nothing. */
export function objectionToActivation(layer: Layer, inFloat: boolean): string | undefined {
  const hasOne = attributesOf(layer).activation !== undefined;
  return hasOne || ['Activation', 'Softmax'].includes(layer.getClassName())
    ? objectionToActivationOf(activationOf(layer), inFloat)
    : undefined;
}

/** The same of an activation by name. */
export function objectionToActivationOf(name: string, inFloat: boolean): string | undefined {
  if (ACTIVATIONS[name]) return undefined;
  const others = `Use one of ${Object.keys(ACTIVATIONS).slice(1).join(', ')}`;
  if (!IN_FLOAT[name]) return `the activation ${name} has no operator. ${others}`;
  return inFloat ? undefined : `the activation ${name} has no integer operator. ${ELSE_FLOAT}. Or u${others.slice(1)}`;
}

export const leakyRelu: Lowering = (call, x) =>
  call.graph.add('leakyRelu', {slope: call.get('alpha')}, {inputs: [x], shape: x.shape, rule: 'own'});

export const prelu: Lowering = (call, x) => {
  const shape = weightOf(call.layer, 'alpha')!.shape as number[];
  const slopes = {values: call.numbers.values.get('alpha')!, shape};
  return call.graph.add('prelu', {slopes}, {inputs: [x], shape: x.shape, rule: 'own'});
};

export const relu: Lowering = (call, x) => call.graph.clamp(x, [0, attributesOf(call.layer).maxValue ?? Infinity]);
