/** Graph models become models of layers. */
import type {io} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import type {GraphDef} from '../../graph_model/check_graph';
import type {GraphWeights} from '../../graph_model/weights';
import {modelOf} from './build';
import {endsOf} from './ends';
import {Facts} from './facts';
import {withoutIslands, withoutLayers} from './islands';
import {PATTERNS} from './patterns';
import {isLayers, planOf} from './plan';
import {segmentsOf} from './segments';

/** tfjs goes down a model by recursion, and looks through all of its layers for each. */
const MOST_LAYERS = 2500;

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
  const onPlaced = (done: number) => onNode(done, graph.nodes.length);
  let plan = withoutIslands(planOf(graph, facts, places, PATTERNS, onPlaced), given);
  const gather = () =>
    segmentsOf(
      plan,
      facts,
      def.library,
      places.map(node => ({node, output: 0})),
      given,
    );
  let segments = gather();
  const count = plan.units.filter(isLayers).length + segments.length;
  if (count > MOST_LAYERS) {
    plan = withoutLayers(plan, `is one of ${count} layers, of which tfjs takes no more than some thousands`);
    segments = gather();
  }
  return modelOf(ends, plan, facts, segments);
}
