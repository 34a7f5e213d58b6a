/** Segments of graphs: their nodes as operations, whose shapes and types are found by running them once. */
import {type Tensor, tidy, zeros} from '@tensorflow/tfjs-core';
import {Attrs} from '../../graph_model/attrs';
import type {NodeDef} from '../../graph_model/check_graph';
import type {GraphSegment} from '../../graph_model/segment';
import {typeOf, type Value} from '../graph';
import type {Constant, ValueType} from '../operators';
import {asSegment, IDENTITIES, inputsOf, knownNodes, orderedNodes, type Reference, referenceOf} from '../segments';
import type {LayerCall, LoweringOfMany} from './layer_call';

const keyOf = ({node, output}: Reference) => (output === 0 ? node : `${node}:${output}`);

/** How many values a node gives. */
function outputsIn({op, attr}: NodeDef): number {
  const attrs = new Attrs(attr);
  if (op === 'Split' || op === 'SplitV') return attrs.int('num_split', 1);
  if (op === 'Unpack') return attrs.int('num', 1);
  return op === 'TopKV2' || op === 'TopK' ? 2 : 1;
}

function isType(dtype: string): dtype is ValueType {
  return dtype === 'float32' || dtype === 'int32' || dtype === 'bool';
}

/** A value of a segment: with its values, where it is known. */
type Found = Pick<Constant, 'shape' | 'type'> & {readonly values?: Constant['values']};

/** Runs a segment on zeros. */
async function evaluated(
  segment: GraphSegment,
  references: readonly Reference[],
  isKnown: (node: string) => boolean,
  inputs: readonly Value[],
): Promise<ReadonlyMap<string, Found>> {
  const keys = references.map(keyOf);
  const tensors: Tensor[] = tidy(() => {
    const given = inputs.map(x => zeros([...x.shape], typeOf(x)));
    return segment.valuesOf(keys, given);
  });
  try {
    const found = new Map<string, Found>();
    for (const [i, {shape, dtype}] of tensors.entries()) {
      if (!isType(dtype))
        throw new Error(`node ${references[i]!.node} gives ${dtype}, which no operator computes with`);
      const values = isKnown(references[i]!.node) ? await tensors[i]!.data<'float32'>() : undefined;
      found.set(keys[i]!, {shape, type: dtype, ...(values && {values})});
    }
    return found;
  } finally {
    tensors.forEach(each => each.dispose());
  }
}

/** The constants of a segment, weights among them. */
async function constantsOf(segment: GraphSegment): Promise<Map<string, Value | Constant>> {
  const found = new Map<string, Value | Constant>();
  for (const [name, {dtype, shape, values}] of segment.constants) {
    if (isType(dtype)) found.set(name, {type: dtype, shape, values});
  }
  for (const [i, name] of segment.weightNames.entries()) {
    const weight = segment.weights[i]!.read();
    found.set(name, {type: 'float32', shape: weight.shape, values: await weight.data<'float32'>()});
  }
  return found;
}

/** Adds the operations of a segment that is given floats, whole numbers or booleans. */
async function lowered(call: LayerCall, segment: GraphSegment, inputs: readonly Value[]): Promise<readonly Value[]> {
  const {graph} = call;
  const nodes = orderedNodes(segment);
  const values = await constantsOf(segment);
  segment.graph.inputs.forEach((input, i) => values.set(keyOf(referenceOf(input)), inputs[i]!));
  const known = knownNodes(nodes);
  const computed = nodes.filter(({name}) => !values.has(name));
  const references = computed.flatMap(node =>
    Array.from({length: outputsIn(node)}, (_, output) => ({node: node.name, output})),
  );
  const found =
    references.length > 0
      ? await evaluated(segment, references, name => known.has(name), inputs)
      : new Map<string, Found>();
  for (const node of computed) {
    const {name, op, attr} = node;
    const outputs = Array.from({length: outputsIn(node)}, (_, output) => found.get(keyOf({node: name, output}))!);
    const operands = inputsOf(node).map(each => values.get(keyOf(each))!);
    const made = known.has(name)
      ? (outputs as Constant[])
      : IDENTITIES.has(op)
        ? [operands[0]!]
        : graph.operation({op, name, attrs: new Attrs(attr)}, operands, outputs);
    made.forEach((value, output) => values.set(keyOf({node: name, output}), value));
  }
  return segment.graph.outputs.map(output => {
    const value = values.get(keyOf(referenceOf(output)))!;
    return 'layer' in value ? value : graph.constant(value);
  });
}

export const segment: LoweringOfMany = async (call, ...inputs) => {
  const {graph, layer} = call;
  const own = asSegment(layer)!;
  const given = inputs.map(x => graph.float(x));
  try {
    return await lowered(call, own, given);
  } catch (error) {
    const problem = `layer ${layer.name}: its nodes cannot be run: ${(error as Error).message}`;
    graph.problems.push({layer: layer.name, problem});
    return own.outputTypes.map(({shape}) => {
      const sizes = shape.map(dim => dim ?? 1);
      const size = sizes.reduce((product, dim) => product * dim, 1);
      return graph.constant({type: 'float32', shape: sizes, values: new Float32Array(size)});
    });
  }
};
