/** What convolutions and products of matrices share: what follows them is folded into their weights. */
import {layers} from '@tensorflow/tfjs-layers';
import {type Constant, lazyConstant} from '../../../graph_model/constant';
import type {Edge, GraphNode, Known, Shape} from '../graph_reader';
import type {LayerPlan, Match, NoLayer} from '../pattern';
import {activationOf, followingActivation, leakyReluOf, prelu, reluBelow} from './activations';
import {Affine, perChannel} from './affine';
import {normalized} from './normalization';
import {Chain, noLayer, suffixOf, whyNoFloat} from './parts';

type Activation = ReturnType<typeof activationOf>;

/** What of a layer hangs on the nodes that follow. */
export interface Config {
  readonly name: string;
  readonly useBias: boolean;
  readonly activation?: NonNullable<Activation>;
}

/** A layer that multiplies. */
export interface Product {
  readonly takes: Edge;
  readonly kernel: Constant;
  /** How many weights lie side by side that belong to the same output channel. */
  readonly together: number;
  /** What it gives. */
  readonly shape: Shape;
  readonly channelAxis: number;
  readonly make: (config: Config) => layers.Layer;
  /** What its input passes first. */
  readonly padding?: LayerPlan['make'];
  /** The nodes that it is made of, when it is not one. */
  readonly nodes?: readonly GraphNode[];
}

/** A layer behind a product, whose name is not settled yet. */
interface Behind {
  of: GraphNode;
  suffix?: string;
  make: LayerPlan['make'];
  weights?: readonly Constant[];
  takes?: readonly (Edge | LayerPlan)[];
}

/** What an op that is fused computes behind its product. */
interface Fused {
  bias?: Constant;
  activation?: Activation;
  /** A value that is added. */
  side?: Edge;
  /** Layers of their own; those that take more than the one before are told what that is. */
  readonly behind: ((before: LayerPlan, of: GraphNode) => readonly Behind[])[];
}

function alone(plan: Pick<LayerPlan, 'make' | 'weights'>): Fused['behind'][number] {
  return (_, of) => [{...plan, of}];
}

/** x * relu6(x + 3) / 6, as the converter fuses it. */
function hardSwish(x: LayerPlan, of: GraphNode): readonly Behind[] {
  const shifted: Behind = {of, make: name => layers.rescaling({...name, scale: 1, offset: 3})};
  const gate: Behind = {of, make: reluBelow(6)};
  const gated: Behind = {of, takes: [x, gate], make: name => layers.multiply(name)};
  return [shifted, gate, gated, {of, make: name => layers.rescaling({...name, scale: 1 / 6})}];
}

/** Takes up one op that is fused; or tells why that is none that layers do. */
function fuse(op: string, fused: Fused, node: GraphNode, args: Edge[], {shape, channelAxis}: Product, known: Known) {
  const take = () => known.constant(args.shift());
  switch (op) {
    case 'BiasAdd':
    case 'Add': {
      const [edge] = args;
      const bias = take();
      // The converter also fuses the sum with another branch.
      if (bias) fused.bias = bias;
      else if (edge && !whyNoFloat(edge, known) && known.shape(edge)!.length === shape.length) fused.side = edge;
      else return noLayer('computes its bias');
      if (!bias) fused.behind.push((before, of) => [{of, takes: [before, edge!], make: name => layers.add(name)}]);
      return undefined;
    }
    case 'FusedBatchNorm': {
      const [scale, offset, mean, variance] = [take(), take(), take(), take()];
      const epsilon = node.attrs.float('epsilon', 1e-4);
      const norm = normalized({scale, offset, mean, variance, epsilon}, shape, channelAxis);
      if ('reason' in norm) return norm;
      fused.behind.push(alone(norm));
      return undefined;
    }
    case 'LeakyRelu':
      fused.behind.push(alone({make: leakyReluOf(node.attrs.float('leakyrelu_alpha', 0.2))}));
      return undefined;
    case 'Prelu': {
      const alpha = take();
      const plan = alpha && prelu(alpha, shape);
      if (!plan) return noLayer(alpha ? 'has slopes that do not fit' : 'computes its slopes');
      fused.behind.push(alone(plan));
      return undefined;
    }
    case 'Relu6':
      fused.behind.push(alone({make: reluBelow(6)}));
      return undefined;
    case '_FusedHardSwish':
      fused.behind.push(hardSwish);
      return undefined;
    default: {
      const activation = activationOf(op);
      if (!activation) return noLayer(`ends with ${op}, which is no activation of a layer`);
      if (fused.behind.length === 0) fused.activation = activation;
      else fused.behind.push(alone({make: name => layers.activation({...name, activation})}));
      return undefined;
    }
  }
}

/** What is fused behind a product. */
function fusedOf(node: GraphNode, product: Product, known: Known): Fused | NoLayer {
  const args = node.inputs.slice(2);
  const fused: Fused = {behind: []};
  for (const op of node.attrs.texts('fused_ops')) {
    const problem = fuse(op, fused, node, args, product, known);
    if (problem) return problem;
  }
  return fused;
}

/** The kernel with each output channel times its scale. */
function scaled({kernel, together, shape, channelAxis}: Product, scale: readonly number[]): Constant {
  if (scale.every(each => each === 1)) return kernel;
  const channels = shape[channelAxis]!;
  const factor = (i: number) => scale[scale.length === 1 ? 0 : Math.floor(i / together) % channels]!;
  return lazyConstant(kernel, () => kernel.values.map((each, i) => each * factor(i)));
}

/** A bias that is fused: one number per output channel. */
function addBias(affine: Affine, bias: Constant, {shape, channelAxis}: Product): boolean {
  const {values} = bias;
  const isWhole = values.length === 1 || (values.length === shape[channelAxis] && bias.shape.includes(values.length));
  return isWhole && affine.add({values, ...(values.length > 1 && {axis: channelAxis})});
}

/** The layers of a product and of what follows it. */
export function productMatch(node: GraphNode, product: Product, known: Known): Match | NoLayer {
  const {shape, channelAxis, padding, nodes = [node]} = product;
  const fused = fusedOf(node, product, known);
  if ('reason' in fused) return fused;
  const affine = new Affine(shape, channelAxis);
  if (fused.bias && !addBias(affine, fused.bias, product)) return noLayer('has a bias that differs by position');
  const chain = new Chain(nodes.at(-1)!, known);
  let {activation} = fused;
  if (!activation && fused.behind.length === 0) {
    affine.followed(chain, known);
    activation = followingActivation(chain, known);
  }
  const useBias = affine.adds;
  const of = chain.named;
  const multiplied: Behind = {
    of,
    make: name => product.make({...name, useBias, ...(activation && {activation})}),
    weights: [scaled(product, affine.scale), ...(useBias ? [perChannel(affine.offset, shape[channelAxis]!)] : [])],
  };
  const plans: Behind[] = [...(padding ? [{of, make: padding}] : []), multiplied];
  // Of several, the first is called on all that the match takes, unless it says otherwise.
  if (fused.side) plans[0]!.takes = [product.takes];
  for (const behind of fused.behind) plans.push(...behind(plans.at(-1)!, of));
  plans.forEach((plan, i) => Object.assign(plan, suffixOf(i, plans)));
  return {
    takes: [product.takes, ...(fused.side ? [fused.side] : [])],
    layers: plans,
    nodes: [...nodes.slice(0, -1), ...chain.nodes],
  };
}
