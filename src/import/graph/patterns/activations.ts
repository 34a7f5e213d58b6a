/** Functions of single values, and softmax. */
import {layers} from '@tensorflow/tfjs-layers';
import type {Constant} from '../../../graph_model/node_run';
import type {GraphNode, Known, Shape} from '../graph_reader';
import type {LayerPlan, Match, NoLayer, Pattern} from '../pattern';
import {withConstant} from './affine';
import {Chain, noLayer, oneLayer, onFloats, scalarOf} from './parts';

type Activation = NonNullable<Parameters<typeof layers.activation>[0]['activation']>;

/** Ops that tfjs-layers has an activation for. */
const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  Elu: 'elu',
  LogSoftmax: 'logSoftmax' as Activation,
  Relu: 'relu',
  Selu: 'selu',
  Sigmoid: 'sigmoid',
  Softmax: 'softmax',
  Softplus: 'softplus',
  Softsign: 'softsign',
  Tanh: 'tanh',
};

/** A function, the nodes that it stands for, and its name if a layer that multiplies can have it as its activation. */
interface FoundActivation {
  readonly nodes: readonly GraphNode[];
  readonly make: LayerPlan['make'];
  readonly activation?: Activation;
}

/** The activation that an op is. */
export function activationOf(op: string): Activation | undefined {
  return Object.hasOwn(ACTIVATIONS, op) ? ACTIVATIONS[op] : undefined;
}

function named(activation: Activation, nodes: readonly GraphNode[]): FoundActivation {
  return {nodes, activation, make: name => layers.activation({...name, activation})};
}

/** Between what a node holds values, for one that does just that. */
function boundsOf(node: GraphNode, known: Known): [low: number, high: number] | undefined {
  switch (node.op) {
    case 'Relu':
      return [0, Infinity];
    case 'Relu6':
      return [0, 6];
    case 'ClipByValue': {
      const [low, high] = node.inputs.slice(1).map(each => scalarOf(known.constant(each)));
      return low === undefined || high === undefined || low > high ? undefined : [low, high];
    }
    case 'Maximum':
    case 'Minimum': {
      const bound = scalarOf(withConstant(node, known)?.constant);
      if (bound === undefined) return undefined;
      return node.op === 'Maximum' ? [bound, Infinity] : [-Infinity, bound];
    }
    default:
      return undefined;
  }
}

/** Bounds, written as one node or as several. */
function clipFrom(node: GraphNode, known: Known): FoundActivation | undefined {
  const chain = new Chain(node, known);
  let [low, high] = [-Infinity, Infinity];
  let found: FoundActivation | undefined;
  for (;;) {
    const bounds = boundsOf(chain.last, known);
    if (!bounds) return found;
    const clip = (value: number) => Math.min(Math.max(value, bounds[0]), bounds[1]);
    [low, high] = [clip(low), clip(high)];
    if (low === 0 && high > 0) found = reluUpTo(high, [...chain.nodes]);
    const path = chain.next();
    if (!path) return found;
    chain.take(path);
  }
}

/** A layer, as tfjs's activation relu6 hands its bound to the device anew at each call, which takes a GPU ten times as long. */
export function reluBelow(maxValue: number): LayerPlan['make'] {
  return name => layers.reLU({...name, maxValue});
}

function reluUpTo(high: number, nodes: readonly GraphNode[]): FoundActivation {
  if (high === Infinity) return named('relu', nodes);
  return {nodes, make: reluBelow(high)};
}

/** The function that begins with a node. */
function activationFrom(node: GraphNode, known: Known): FoundActivation | undefined {
  const clip = clipFrom(node, known);
  if (clip) return clip;
  const activation = activationOf(node.op);
  return activation && named(activation, [node]);
}

/** Lets a layer that multiplies have the activation that the chain goes on with. */
export function followingActivation(chain: Chain, known: Known): Activation | undefined {
  const path = chain.next();
  const found = path && activationFrom(path.at(-1)!, known);
  if (!found?.activation) return undefined;
  chain.take([...path!.slice(0, -1), ...found.nodes]);
  return found.activation;
}

/** Its value times what it makes of it: x * sigmoid(x). */
function swishFrom(node: GraphNode, known: Known): FoundActivation | undefined {
  if (node.op !== 'Sigmoid') return undefined;
  const path = new Chain(node, known).next();
  const product = path?.at(-1);
  if (product?.op !== 'Mul') return undefined;
  const [x] = node.inputs;
  const takesX = product.inputs.some(each => each.node === x!.node && each.output === x!.output);
  return takesX ? named('swish', [node, ...path!]) : undefined;
}

export const activation: Pattern = /*#__PURE__*/ onFloats((node, known, shape, x) => {
  const found = swishFrom(node, known) ?? activationFrom(node, known);
  if (!found) return noLayer('holds values between bounds that no layer has');
  if (/softmax/i.test(node.op) && shape.length < 2) return noLayer('is over the batch');
  return {takes: [x], layers: [{of: found.nodes.at(-1)!, make: found.make}], nodes: found.nodes};
});

/** The slopes as a PReLU has them; undefined if they spread otherwise. */
export function prelu(alpha: Constant, over: Shape): Pick<LayerPlan, 'make' | 'weights'> | undefined {
  const excess = alpha.shape.length - over.length;
  if (excess > 0 || (excess === 0 && alpha.shape[0] !== 1)) return undefined;
  const dims = excess === 0 ? alpha.shape.slice(1) : alpha.shape;
  const shape = [...new Array<number>(over.length - 1 - dims.length).fill(1), ...dims];
  const rest = over.slice(1);
  if (!shape.every((dim, i) => dim === 1 || dim === rest[i])) return undefined;
  const sharedAxes = shape.flatMap((dim, i) => (dim === 1 && rest[i] !== 1 ? [i + 1] : []));
  return {make: name => layers.prelu({...name, sharedAxes}), weights: [{...alpha, shape}]};
}

export const parametricRelu: Pattern = /*#__PURE__*/ onFloats((node, known, shape, x): Match | NoLayer => {
  const alpha = known.constant(node.inputs[1]);
  if (!alpha) return noLayer('computes its slopes');
  const plan = prelu(alpha, shape);
  return plan ? oneLayer(node, [x], plan.make, plan.weights) : noLayer('has slopes that do not fit its input');
});

/** TensorFlow's slope where none is said. */
const LEAKY_ALPHA = Math.fround(0.2);

export function leakyReluOf(alpha: number): LayerPlan['make'] {
  return name => layers.leakyReLU({...name, alpha});
}

export const leakyRelu: Pattern = /*#__PURE__*/ onFloats((node, _known, _shape, x) =>
  oneLayer(node, [x], leakyReluOf(node.attrs.float('alpha', LEAKY_ALPHA))),
);
