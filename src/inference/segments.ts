/** Segments of graphs within a model: what of their nodes is known beforehand, and where a model ends before them. */
import type {LayersModel} from '@tensorflow/tfjs-layers';
import type {NodeDef} from '../graph_model/check_graph';
import type {GraphSegment} from '../graph_model/segment';
import {allLayers, asContainer, flatten, type Layer} from '../layers/graph';
import {kindOf} from '../layers/kinds';
import {unwrapped} from '../layers/layer_wrapper';

/** The segment that a layer is; undefined of others. */
export function asSegment(layer: Layer): GraphSegment | undefined {
  return kindOf(layer, {}) === 'segment' ? (layer as GraphSegment) : undefined;
}

/** The segments of a model, each a layer of it. */
export function segmentsIn(model: LayersModel): Layer[] {
  return allLayers(asContainer(model)).filter(layer => asSegment(unwrapped(layer)));
}

/** One of the values that a node takes or gives. */
export interface Reference {
  readonly node: string;
  readonly output: number;
}

export function referenceOf(text: string): Reference {
  const [node, output = 0] = text.split(':') as [string, string?];
  return {node, output: Number(output)};
}

/** What a node takes, in order; without what it only waits for. */
export function inputsOf({input = []}: NodeDef): Reference[] {
  return input.filter(each => !each.startsWith('^')).map(referenceOf);
}

/** The nodes that a segment's outputs hang on, each after those that it takes from. */
export function orderedNodes({graph}: GraphSegment): NodeDef[] {
  const byName = new Map(graph.nodes.map(node => [node.name, node]));
  const given = new Set(graph.inputs.map(each => referenceOf(each).node).filter(name => !byName.has(name)));
  const ordered = new Map<string, NodeDef>();
  const open = new Set<string>();
  const stack = graph.outputs.map(each => referenceOf(each).node).reverse();
  while (stack.length > 0) {
    const name = stack[stack.length - 1]!;
    const node = byName.get(name);
    const missing = node && !ordered.has(name) && !open.has(name) ? inputsOf(node).map(each => each.node) : [];
    open.add(name);
    const next = missing.filter(each => !ordered.has(each) && !given.has(each) && !open.has(each));
    if (next.length > 0) {
      stack.push(...next.reverse());
      continue;
    }
    stack.pop();
    if (node) ordered.set(name, node);
  }
  return [...ordered.values()];
}

/** Operations that hang on the shape of what they are given alone. */
const OF_SHAPES: ReadonlySet<string> = new Set(['OnesLike', 'Rank', 'Shape', 'ShapeN', 'Size', 'ZerosLike']);

/** Operations that give something else each time. */
const RANDOM = /^(Random|StatelessRandom|TruncatedNormal|Multinomial|Dropout)/;

/** The names of the nodes, in order, whose values are known where all shapes are. */
export function knownNodes(nodes: readonly NodeDef[]): ReadonlySet<string> {
  const known = new Set<string>();
  for (const node of nodes) {
    const {name, op} = node;
    const takes = inputsOf(node);
    const hangsOnKnown = takes.length > 0 && takes.every(each => known.has(each.node));
    if (op === 'Const' || OF_SHAPES.has(op) || (hangsOnKnown && !RANDOM.test(op))) known.add(name);
  }
  return known;
}

/** Operations that give what they are given. */
export const IDENTITIES: ReadonlySet<string> = new Set(['Identity', 'PreventGradient', 'Snapshot', 'StopGradient']);

/** All operations of segments that somebody does not have, and where to cut the model before them. */
export function operationProblems(model: LayersModel, has: (op: string) => boolean): string[] {
  const lacking = allLayers(asContainer(model)).flatMap(layer => {
    const segment = asSegment(unwrapped(layer));
    if (!segment) return [];
    const nodes = orderedNodes(segment);
    const known = knownNodes(nodes);
    const others = nodes.filter(({name, op}) => !known.has(name) && !IDENTITIES.has(op) && !has(op));
    return others.length > 0 ? [{layer: layer.name, others}] : [];
  });
  if (lacking.length === 0) return [];
  const told = lacking.map(({layer, others}) => {
    const names = others.map(({name, op}) => `${name} (${op})`);
    const shown = names.length > 8 ? [...names.slice(0, 8), `and ${names.length - 8} others`] : names;
    return `layer ${layer}: there is no operator for its nodes ${shown.join(', ')}.`;
  });
  return [...told, whereToCut(model, new Set(lacking.map(({layer}) => layer)))];
}

/** Says how to cut a model before layers, by their names. */
export function whereToCut(model: LayersModel, layers: ReadonlySet<string>): string {
  const {ops, outputs, producer} = flatten(asContainer(model));
  const behind = new Set<number>();
  const taken: number[] = [];
  for (const op of ops) {
    if (!layers.has(op.layer.name) && !op.inputs.some(each => behind.has(each))) continue;
    op.outputs.forEach(each => behind.add(each));
    taken.push(...op.inputs);
  }
  const names = [...taken, ...outputs].filter(each => !behind.has(each)).flatMap(each => giverOf(each, producer));
  if (names.length === 0) return 'Nothing of the model comes before: it cannot be cut there.';
  const listed = [...new Set(names)].map(name => `'${name}'`).join(', ');
  return `Cut the model before that: cutModel(model, {outputs: [${listed}]}), then quantize what is left.`;
}

/** The layer of the model before it was quantized that gives a tensor; none of an input. */
function giverOf(tensor: number, producer: ReturnType<typeof flatten>['producer']): string[] {
  const op = producer(tensor);
  if (!op) return [];
  const onlyRounds = op.layer.getClassName() === 'tfjs-quantization>QuantizedInput';
  return onlyRounds ? giverOf(op.inputs[0]!, producer) : [op.layer.name];
}
