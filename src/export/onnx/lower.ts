/** From the operators of a graph to the nodes of a file. */
import {
  type InferenceGraph,
  type LayerProblem,
  type NamedValue,
  type Node,
  typeOf,
  type Value,
} from '../../inference/graph';
import {sameGrid} from '../../inference/grids';
import {Refusal} from '../../inference/operation_view';
import type {WeightTypes} from './filters';
import {type Form, inForm} from './forms';
import type {OnnxModel, OnnxPort} from './model_proto';
import {NodeList} from './node_list';
import {madeBy} from './operations';
import {OperationCall} from './operations/operation_call';
import {absorbedBy, type Own, ROWS} from './operators';
import {unroundedValues} from './unrounded';
import {type Change, Values} from './values';

/** How a graph is written. */
export interface LowerOptions {
  readonly opset: number;
  /** The form of images that come in or go out. */
  readonly ports: Form;
  /** Whether the batch may be of any size. */
  readonly isOpen: boolean;
  readonly weightTypes: WeightTypes;
}

/** A graph as nodes, with what is against it. */
interface Lowered {
  readonly model: Pick<OnnxModel, 'nodes' | 'initializers' | 'inputs' | 'outputs'>;
  /** Operations that cannot be written as they are. */
  readonly refused: readonly LayerProblem[];
  /** Layers with operations that are written with the numbers of all dimensions. */
  readonly fixed: readonly string[];
}

const BATCH = 'batch';

export function lower(graph: InferenceGraph, options: LowerOptions): Lowered {
  const {opset, isOpen, weightTypes} = options;
  const {inputs, outputs, nodes} = graph;
  const list = new NodeList(
    opset,
    [...inputs, ...outputs].map(({name}) => name),
  );
  const values = new Values(list, graph, isOpen);
  const [refused, fixed]: [LayerProblem[], string[]] = [[], []];
  const formOf = (value: Value) => (value.shape.length > 3 ? options.ports : 'last');
  const port = ({name, value}: NamedValue): OnnxPort => {
    const [first, ...others] = inForm(value.shape, formOf(value));
    return {name, type: values.typeOf(value), shape: first === undefined ? [] : [isOpen ? BATCH : first, ...others]};
  };

  for (const {name, value} of inputs) values.input(value, {name, form: formOf(value)});
  const absorbed = new Set(nodes.flatMap(node => absorbedBy(node) ?? []));
  const unrounded = unroundedValues(graph);
  for (const node of nodes) {
    list.layer = node.layer;
    if (absorbed.has(node)) continue;
    if (node.operator !== 'operation') {
      const row = ROWS[node.operator as Own] as (node: Node, writing: object) => ReturnType<(typeof ROWS)[Own]>;
      const held = row(node, {list, values, weightTypes});
      if (held) values.give(node.output, held, node.clamp, changeBy(node, unrounded));
      continue;
    }
    const call = new OperationCall(node, list, values);
    try {
      madeBy(call).forEach(({name, type, form = 'last'}, i) => {
        const output = call.outputs[i]!;
        values.hold(output, {name: list.cast(name, type ?? typeOf(output)!, typeOf(output)!), form});
      });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const {name, op} = node.attributes;
      const problem = `layer ${node.layer}: its node ${name} (${op}): ${error.message}.`;
      refused.push({layer: node.layer, problem});
      // Whatever takes it is not written either.
      call.outputs.forEach(output => values.hold(output, {name: '', form: 'last'}));
    }
    if (call.isFixed) fixed.push(node.layer);
  }
  for (const {name, value} of outputs) {
    list.layer = value.layer;
    list.output(values.goingOut(value, formOf(value)), name);
  }
  const model = {
    nodes: list.nodes(),
    initializers: list.initializers,
    inputs: inputs.map(port),
    outputs: outputs.map(port),
  };
  return {model, refused, fixed};
}

/** What an operator does to numbers that are on grids. */
function changeBy({operator, rule, inputs, output}: Node, unrounded: ReadonlySet<Value>): Change {
  if (unrounded.has(output)) return 'passing';
  if (inputs.some(x => unrounded.has(x))) return 'computed';
  if (rule === 'same' && inputs.every(({grid}) => sameGrid(grid, output.grid))) return 'moved';
  const onlyClamps = operator === 'clamp' || operator === 'requantize';
  const isRounded = inputs.length === 1 && inputs[0]!.grid !== undefined;
  return isRounded && (rule === 'same' || onlyClamps) ? 'rounded' : 'computed';
}
