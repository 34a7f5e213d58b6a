/** Graph models become models of layers. */
import type {io} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import type {GraphDef} from '../../graph_model/check_graph';
import type {GraphWeights} from '../../graph_model/weights';
import {modelOf} from './build';
import {endsOf} from './ends';
import {Facts} from './facts';
import {PATTERNS} from './patterns';
import {planOf} from './plan';
import {segmentsOf} from './segments';

/**
 * Makes a model of layers that computes what a graph does.
 *
 * @param def - the graph, without problems.
 */
export function layersOfGraph(
  def: GraphDef,
  weights: GraphWeights,
  artifacts: io.ModelArtifacts,
  onNode: (done: number, total: number) => void,
): LayersModel {
  const ends = endsOf(def, artifacts);
  const {graph, inputs, outputs} = ends;
  const facts = new Facts(graph, weights);
  for (const {node, shape, dtype} of inputs) facts.note({node, output: 0}, shape, dtype);
  const places = inputs.map(({node}) => node);
  const plan = planOf(graph, facts, places, PATTERNS, done => onNode(done, graph.nodes.length));
  const segments = segmentsOf(
    plan,
    facts,
    outputs.map(({edge}) => edge),
  );
  return modelOf(ends, plan, facts, segments);
}
