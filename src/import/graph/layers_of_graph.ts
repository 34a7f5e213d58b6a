/** Graph models become models of layers. */
import type {io} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import type {GraphDef} from '../../graph_model/check_graph';
import type {GraphWeights} from '../../graph_model/weights';
import {modelOf} from './build';
import {endsOf} from './ends';
import {Facts} from './facts';
import {ROUNDING_PATTERNS} from './fake_quant';
import {withoutIslands} from './islands';
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
  const given = outputs.map(({edge}) => edge);
  const patterns = {...PATTERNS, ...ROUNDING_PATTERNS};
  const plan = withoutIslands(
    planOf(graph, facts, places, patterns, done => onNode(done, graph.nodes.length)),
    given,
  );
  const segments = segmentsOf(
    plan,
    facts,
    places.map(node => ({node, output: 0})),
    given,
  );
  return modelOf(ends, plan, facts, segments);
}
