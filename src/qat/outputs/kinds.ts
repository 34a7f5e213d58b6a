/** What a model's outputs are, as that says how two models' outputs are compared. */
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {asContainer, type FlatGraph, flatten, type Layer} from '../../layers/graph';
import {activationOf, kindOf} from '../../layers/kinds';
import {unwrapped} from '../../layers/layer_wrapper';
import type {Kind} from '../../layers/specs/layer_spec';

/** 'softmax': shares of classes that exclude each other; 'sigmoid': a probability of each by itself; 'linear': any numbers. */
export type OutputKind = 'softmax' | 'sigmoid' | 'linear';

/** What a model gave for some samples: the values of an output, and its last dimension. */
export interface OutputValues {
  readonly values: ArrayLike<number>;
  readonly last: number;
}

/**
 * The kind of each of a model's outputs, by the layers that give them; where these do not tell, as those do not that run
 * nodes of a graph, by the values that it gave for samples, if there are any.
 */
export function outputKinds(model: LayersModel, outputs: readonly OutputValues[] = []): OutputKind[] {
  const flat = flatten(asContainer(model));
  return flat.outputs.map((output, i) => {
    const {values, last} = outputs[i] ?? {values: [], last: 0};
    const kind = kindOfTensor(flat, output);
    // Rows of shares that a layer cuts up, or puts together, are rows of other numbers.
    if (kind === 'moved softmax') return values.length === 0 || areShares(values, last) ? 'softmax' : 'sigmoid';
    return kind ?? (areShares(values, last) ? 'softmax' : 'linear');
  });
}

/** The kinds of layers that give numbers of any size, unless they have an activation that does not. */
const ANY_NUMBERS: ReadonlySet<Kind> = new Set<Kind>([
  'activation',
  'batchNorm',
  'compute',
  'embedding',
  'merge',
  'recurrent',
]);

/** Undefined where the layers do not tell. */
function kindOfTensor(flat: FlatGraph, tensor: number): OutputKind | 'moved softmax' | undefined {
  const op = flat.producer(tensor);
  if (!op) return undefined;
  const layer = unwrapped(op.layer);
  const activation = activationOf(layer);
  if (activation === 'softmax') return isAlongLast(layer) ? 'softmax' : 'sigmoid';
  if (activation === 'sigmoid') return 'sigmoid';
  const kind = kindOf(layer, {});
  const isMoved = kind === 'passing' || kind === 'concat' || layer.getClassName() === 'Activation';
  if (!isMoved || activation !== 'linear') return ANY_NUMBERS.has(kind) ? 'linear' : undefined;
  const given = op.inputs.map(input => kindOfTensor(flat, input));
  if (given.some(each => each !== given[0])) return undefined;
  return given[0] === 'softmax' ? 'moved softmax' : given[0];
}

/** Whether a layer's softmax is along the last dimension, as all are but those of a layer that says so. */
function isAlongLast(layer: Layer): boolean {
  if (layer.getClassName() !== 'Softmax') return true;
  const {axis} = layer as unknown as {axis: number};
  const [outputShapes] = layer.inboundNodes.map(node => node.outputShapes);
  return axis === -1 || axis === [outputShapes ?? []].flat(2).length - 1;
}

/** How far the sum of shares may be from 1, by rounding. */
const TOLERANCE = 1e-3;

/** Whether numbers are shares of 1 along the last dimension, of which there are at least two. */
function areShares(values: ArrayLike<number>, last: number): boolean {
  if (last < 2 || values.length === 0) return false;
  for (let start = 0; start < values.length; start += last) {
    let sum = 0;
    for (let i = start; i < start + last; ++i) {
      const value = values[i]!;
      if (!(value >= 0 && value <= 1 + TOLERANCE)) return false;
      sum += value;
    }
    if (Math.abs(sum - 1) > TOLERANCE) return false;
  }
  return true;
}
