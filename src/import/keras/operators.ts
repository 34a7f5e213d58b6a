/** Operators and functions that stand between a model's layers: `x / 127.5 - 1`, `keras.ops.relu(x)`, `tf.nn.silu(x)`. */
import {isRecord} from '../../check/rules';
import {inJson} from '../../graph_model/model_json';
import {addActivation} from './activations';
import type {Ask} from './ask';
import type {Source} from './parts';
import {type Argument, type KerasLayer, KerasTensor, tensorsIn} from './topology';

/** Functions of one tensor that are activations of the same name. */
const ACTIVATIONS = new Set(
  (
    'celu elu hard_sigmoid hard_silu hard_swish hard_tanh log_sigmoid log_softmax mish relu relu6 selu sigmoid silu softmax ' +
    'softplus softsign swish tanh tanh_shrink'
  ).split(' '),
);
/** What the classes of Keras 3 and functions of TensorFlow are called, beyond their own names. */
const ALIASES: Readonly<Record<string, string>> = {
  true_divide: 'divide',
  truediv: 'divide',
  re_lu: 'relu',
  relu6: 'relu6',
  concat: 'concatenate',
  reduce_mean: 'mean',
  clip_by_value: 'clip',
  neg: 'negative',
  stop_gradient: 'stop_gradient',
};
const MERGES: Readonly<Record<string, string>> = {
  add: 'Add',
  multiply: 'Multiply',
  maximum: 'Maximum',
  minimum: 'Minimum',
};

function snake(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase();
}

/** Layers of which Keras 3 does not write whether they are trained, as of all others. */
const LAYERS = new Set(['InputLayer', 'SpatialDropout1D', 'SpatialDropout2D', 'SpatialDropout3D']);

/** Whether it is a layer, not an operation of Keras 3 between layers. */
export function isLayer({className, config, model}: KerasLayer): boolean {
  return model !== undefined || LAYERS.has(className) || 'trainable' in config || isRecord(config['dtype']);
}

/** The operator that a layer is, by one name; undefined if it is a layer. */
export function operatorOf({layer, isKeras3}: Ask): string | undefined {
  const {className, config} = layer;
  const named = (name: string) => (Object.hasOwn(ALIASES, name) ? ALIASES[name]! : name);
  if (className === 'SlicingOpLambda' || className === 'TFOpLambda') {
    return named(
      String(config['function'])
        .split('.')
        .at(-1)!
        .replace(/^_+|_+$/g, ''),
    );
  }
  return isKeras3 && !isLayer(layer) ? named(snake(className)) : undefined;
}

class Operator {
  readonly ask: Ask;
  readonly name: string;

  constructor(ask: Ask, name: string) {
    this.ask = ask;
    this.name = name;
  }

  /** A parameter, by its position or one of its names. */
  parameter(position: number, ...names: readonly string[]): Argument {
    const {args, kwargs} = this.ask.layer.calls[0]!;
    const named = names
      .map(name => kwargs[name] ?? this.ask.config[name])
      .find(value => value !== undefined && value !== null);
    return named ?? args[position];
  }

  /** Where a tensor is among the layer's inputs. */
  at(tensor: KerasTensor): number {
    return this.ask.inputs.indexOf(tensor);
  }

  refuse(why: string): undefined {
    return this.ask.refuse(`${this.name}(${this.ask.layer.className}): ${why}`);
  }

  /** What is a number, or a list of one for each channel. */
  numbers(value: Argument): number[] | undefined {
    const all = [value].flat(8) as unknown[];
    return all.length > 0 && all.every(each => typeof each === 'number') ? (all as number[]) : undefined;
  }
}

/** x ? y, of tensors and numbers. */
function arithmetic(operator: Operator): unknown {
  const {ask, name} = operator;
  const [x, y] = [operator.parameter(0, 'x', 'x1'), operator.parameter(1, 'y', 'x2')];
  if (x instanceof KerasTensor && y instanceof KerasTensor) return ofTensors(operator, x, y);
  const isFirst = x instanceof KerasTensor;
  const number = operator.numbers(isFirst ? y : x);
  if (!number || tensorsIn([x, y]).length !== 1) {
    return operator.refuse(`it must take tensors or numbers, but had ${inJson(isFirst ? y : x)}`);
  }
  if (number.length !== 1) return operator.refuse('it takes a number for each of several places');
  const [n] = number as [number];
  const rescaled = (scale: number, offset: number) => ask.parts.add('Rescaling', {scale, offset}, [0]);
  if (name === 'add') return rescaled(1, n);
  if (name === 'multiply') return rescaled(n, 0);
  if (name === 'subtract') return isFirst ? rescaled(1, -n) : rescaled(-1, n);
  if (name === 'divide' && isFirst) return rescaled(1 / n, 0);
  // max(x, n) = relu(x - n) + n, and min(x, n) = n - relu(n - x).
  if (name === 'maximum' || name === 'minimum') {
    const sign = name === 'maximum' ? 1 : -1;
    const part = ask.parts.add('ReLU', {}, [rescaled(sign, -sign * n)]);
    return n === 0 && sign === 1 ? part : ask.parts.add('Rescaling', {scale: sign, offset: n}, [part]);
  }
  return operator.refuse('tfjs has no layer that divides by a tensor');
}

function ofTensors(operator: Operator, x: KerasTensor, y: KerasTensor): unknown {
  const {ask, name} = operator;
  const ranks = [x, y].map(tensor => ask.around.shapeOf(tensor)?.length);
  if (ranks[0] !== ranks[1] && !ranks.includes(undefined)) {
    return operator.refuse('its tensors have different numbers of dimensions, which tfjs extends at another end');
  }
  const [first, second] = [operator.at(x), operator.at(y)];
  if (Object.hasOwn(MERGES, name)) return ask.parts.add(MERGES[name]!, {}, [first, second]);
  if (name === 'subtract') {
    return ask.parts.add('Add', {}, [first, ask.parts.add('Rescaling', {scale: -1, offset: 0}, [second])]);
  }
  return operator.refuse('tfjs has no layer that divides by a tensor');
}

/** 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))) */
function gelu(operator: Operator): unknown {
  const {ask} = operator;
  if (operator.parameter(1, 'approximate') !== true) return addActivation(ask, 'gelu', 0);
  const factor = Math.sqrt(2 / Math.PI);
  const rescaled = (x: Source, scale: number, offset: number) => ask.parts.add('Rescaling', {scale, offset}, [x]);
  const cube = ask.parts.add('Multiply', {}, [0, 0, 0]);
  const sum = ask.parts.add('Add', {}, [rescaled(0, factor, 0), rescaled(cube, factor * 0.044715, 0)]);
  const gate = rescaled(ask.parts.add('Activation', {activation: 'tanh'}, [sum]), 0.5, 0.5);
  return ask.parts.add('Multiply', {}, [0, gate]);
}

function softmax(operator: Operator): unknown {
  const axis = operator.parameter(1, 'axis') ?? -1;
  const rank = operator.ask.shape?.length;
  if (axis === -1 || axis === (rank ?? NaN) - 1) return addActivation(operator.ask, operator.name, 0);
  if (operator.name !== 'softmax') return operator.refuse('tfjs computes it along the last dimension');
  return operator.ask.parts.add('Softmax', {axis}, [0]);
}

function clip(operator: Operator): unknown {
  const {ask} = operator;
  const low = operator.numbers(operator.parameter(1, 'x_min', 'min', 'clip_value_min'));
  const high = operator.numbers(operator.parameter(2, 'x_max', 'max', 'clip_value_max'));
  if (low?.length !== 1 || high?.length !== 1) return operator.refuse('its ends must be numbers');
  const [[from], [to]] = [low as [number], high as [number]];
  const moved = from === 0 ? 0 : ask.parts.add('Rescaling', {scale: 1, offset: -from}, [0]);
  const clipped = ask.parts.add('ReLU', {max_value: to - from}, [moved]);
  return from === 0 ? clipped : ask.parts.add('Rescaling', {scale: 1, offset: from}, [clipped]);
}

function mean(operator: Operator): unknown {
  const {ask} = operator;
  const rank = ask.shape?.length;
  const axes = operator.numbers(operator.parameter(1, 'axis'))?.map(axis => (axis < 0 ? axis + (rank ?? NaN) : axis));
  const isAll = rank !== undefined && axes?.length === rank - 2 && axes.sort().every((axis, i) => axis === i + 1);
  if (!isAll || (rank !== 3 && rank !== 4))
    return operator.refuse('tfjs has no layer for a mean but over all of space or time');
  const pooled = ask.parts.add(rank === 4 ? 'GlobalAveragePooling2D' : 'GlobalAveragePooling1D', {}, [0]);
  if (operator.parameter(2, 'keepdims') !== true) return pooled;
  return ask.parts.add('Reshape', {target_shape: rank === 4 ? [1, 1, -1] : [1, -1]}, [pooled]);
}

function reshape(operator: Operator): unknown {
  const shape = operator.parameter(1, 'newshape', 'shape');
  const batch = operator.ask.shape?.[0];
  if (!Array.isArray(shape) || !shape.every(dim => typeof dim === 'number' || dim === null)) {
    return operator.refuse('its shape must be numbers');
  }
  const [first, ...target] = shape as (number | null)[];
  const keepsBatch = first === null || (first === -1 && !target.includes(-1)) || (first === batch && batch !== null);
  if (!keepsBatch || target.length === 0) return operator.refuse('it changes the batch');
  return operator.ask.parts.add('Reshape', {target_shape: target.map(dim => dim ?? -1)}, [0]);
}

function transpose(operator: Operator): unknown {
  const axes = operator.numbers(operator.parameter(1, 'axes', 'perm'));
  if (axes?.[0] !== 0) return operator.refuse('it must leave the batch where it is');
  return operator.ask.parts.add('Permute', {dims: axes.slice(1)}, [0]);
}

function concatenate(operator: Operator): unknown {
  const axis = operator.parameter(1, 'axis') ?? 0;
  if (axis === 0) return operator.refuse('it joins batches');
  return operator.ask.parts.add(
    'Concatenate',
    {axis},
    operator.ask.inputs.map((_, i) => i),
  );
}

/** A shape of ones more or less, where the shape is known. */
function resized(operator: Operator, sizes: (shape: number[], axes: number[]) => number[] | undefined): unknown {
  const {knownShape: known, shape} = operator.ask;
  const rank = shape?.length ?? NaN;
  const more = operator.name === 'expand_dims' ? 1 : 0;
  const axes = operator
    .numbers(operator.parameter(1, 'axis', 'dim'))
    ?.map(axis => (axis < 0 ? axis + rank + more : axis));
  const target = known && axes && !axes.includes(0) ? sizes(known, axes) : undefined;
  if (!target) return operator.refuse('the shape of its input is not known');
  return operator.ask.parts.add('Reshape', {target_shape: target}, [0]);
}

const OPERATORS: Readonly<Record<string, (operator: Operator) => unknown>> = {
  add: arithmetic,
  clip,
  concatenate,
  divide: arithmetic,
  expand_dims: operator =>
    resized(operator, (shape, [axis]) => [...shape.slice(0, axis! - 1), 1, ...shape.slice(axis! - 1)]),
  gelu,
  identity: ({ask}) => ask.parts.add('Activation', {activation: 'linear'}, [0]),
  leaky_relu: operator => {
    const slope = operator.numbers(operator.parameter(1, 'negative_slope', 'alpha') ?? 0.2);
    return slope?.length === 1
      ? operator.ask.parts.add('LeakyReLU', {alpha: slope[0]}, [0])
      : operator.refuse('its slope must be a number');
  },
  log_softmax: softmax,
  maximum: arithmetic,
  mean,
  minimum: arithmetic,
  multiply: arithmetic,
  negative: ({ask}) => ask.parts.add('Rescaling', {scale: -1, offset: 0}, [0]),
  reshape,
  softmax,
  square: ({ask}) => ask.parts.add('Multiply', {}, [0, 0]),
  squeeze: operator => resized(operator, (shape, axes) => shape.filter((_, i) => !axes.includes(i + 1))),
  subtract: arithmetic,
  transpose,
};

/** Constants of a call, to compare calls by. */
function constantsOf(argument: Argument): unknown {
  return argument instanceof KerasTensor ? 'tensor' : Array.isArray(argument) ? argument.map(constantsOf) : argument;
}

/** Makes the parts of an operator. */
export function applyOperator(ask: Ask, name: string): void {
  const operator = new Operator(ask, name);
  const [first, ...others] = ask.layer.calls.map(({args, kwargs}) =>
    JSON.stringify([args.map(constantsOf), Object.entries(kwargs).map(([key, value]) => [key, constantsOf(value)])]),
  );
  const known = Object.hasOwn(OPERATORS, name) || ACTIVATIONS.has(name);
  if (first === undefined || !known) {
    const told = ask.layer.className.endsWith('OpLambda') ? `tf.${String(ask.config['function'] ?? 'slice')}` : name;
    ask.refuse(`tfjs has no layer for the operation ${told}`);
  } else if (others.some(each => each !== first)) ask.refuse('it is called with other constants elsewhere');
  else if (Object.hasOwn(OPERATORS, name)) OPERATORS[name]!(operator);
  else addActivation(ask, name, 0);
}
