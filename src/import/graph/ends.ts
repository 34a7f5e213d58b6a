/** What goes into the model of a graph, and what comes out. */
import type {DataType, io} from '@tensorflow/tfjs-core';
import {throwProblems} from '../../check/rules';
import type {GraphDef} from '../../graph_model/check_graph';
import {type Edge, Graph, type GraphNode, type Shape} from './graph_reader';
import {signatureOf, withoutZero} from './signature';

interface Input {
  readonly name: string;
  readonly node: GraphNode;
  readonly shape: Shape;
  readonly dtype: 'float32' | 'int32';
}

interface Output {
  readonly name: string;
  readonly edge: Edge;
}

export interface Ends {
  readonly graph: Graph;
  readonly inputs: readonly Input[];
  readonly outputs: readonly Output[];
}

/** What a model of layers takes for a dtype. */
function dtypeOfInput(dtype: DataType | undefined): 'float32' | 'int32' | undefined {
  if (dtype === 'bool' || dtype === 'int32') return 'int32';
  return dtype === 'float32' ? dtype : undefined;
}

/** Reads a graph from its ends. Inputs on which no output hangs are left out. */
export function endsOf(def: GraphDef, artifacts: io.ModelArtifacts): Ends {
  const signature = signatureOf(artifacts);
  const graph = new Graph(
    def,
    signature.outputs?.map(({reference}) => reference),
  );
  const outputs = graph.outputs.map((edge, i) => ({
    name: signature.outputs?.[i]?.name ?? withoutZero(edge.node.name),
    edge,
  }));
  const places = [...graph.all()].filter(({op}) => op === 'Placeholder');
  const given =
    signature.inputs?.map(({reference, ...end}) => ({...end, node: graph.edge(reference)?.node})) ??
    places.map(node => ({name: node.name, node, shape: undefined}));
  const needed = new Set(graph.nodes);
  const problems: string[] = [];
  const inputs = given.flatMap(({name, node, shape: ofSignature}) => {
    if (!node || !needed.has(node)) return [];
    const shape = node.attrs.shape('shape') ?? ofSignature;
    const dtype = dtypeOfInput(node.attrs.dtype('dtype') ?? 'float32');
    if (!shape) problems.push(`the input '${name}' has no shape, not even a rank. Convert the model with one.`);
    if (!dtype) problems.push(`the input '${name}' has a dtype that layers do not take. Convert the model without it.`);
    return shape && dtype ? [{name, node, shape, dtype}] : [];
  });
  const known = new Set(inputs.map(({node}) => node));
  for (const node of places) {
    if (problems.length > 0 || known.has(node) || !needed.has(node)) continue;
    problems.push(
      `the node '${node.name}' (Placeholder) is none of the inputs of the signature. Convert the model anew.`,
    );
  }
  if (outputs.length === 0) problems.push('the graph gives nothing. Convert the model anew.');
  else if (inputs.length === 0 && problems.length === 0) {
    problems.push('the outputs of the graph hang on no input: there is nothing to make a model of.');
  }
  throwProblems('importModel', problems);
  return {graph, inputs, outputs};
}
