/** The activations of a model that are rounded, and how many there are. */
import type {Tensor} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {allLayers, asContainer, type Layer} from '../../layers/graph';
import {disposeMade, rebuild} from '../../layers/rebuild';
import type {QuantizeOptions} from '../options/options';
import {optionsByLayer} from '../options/options_by_layer';
import {pinnedRanges} from '../placement/pinned_ranges';
import {PlacedModel} from '../placement/placed_model';
import {isQuantizing, type Quantizing, type RoundingOfActivation} from '../quantized_layers/quantizing';
import {Replacements} from '../replacements';
import {pass} from '../tools/batches';
import type {Rounded} from './group';

/** What is rounded of activations. */
export interface RoundedActivations {
  /** By the layer or input of the float model by whose name the options address it: all of them, in order. */
  readonly byLayer: ReadonlyMap<Layer, readonly Rounded[]>;
  /** Those with a range that is measured. What only has a fixed one, as of a softmax, is as runtimes have it. */
  readonly measured: ReadonlySet<Layer>;
  /** By the name of a layer of the quantized model: the name by which the options address what it rounds. */
  readonly addresses: ReadonlyMap<string, string>;
}

/** A quantized copy, and for which layer or input of the float model each of its layers rounds. */
function quantizedCopy(model: LayersModel, options: QuantizeOptions) {
  const container = asContainer(model);
  const placed = new PlacedModel(container, options, optionsByLayer(container, options.layers ?? {}));
  const replacements = new Replacements(placed, pinnedRanges(placed).ranges);
  const origins = new Map<Layer, Layer>();
  const q = rebuild(model, {
    replace: from => {
      const replacement = replacements.replace(from);
      origins.set(replacement.layer, from);
      return replacement;
    },
    between: (value, taker) => {
      const layer = replacements.between(value, taker);
      if (layer) origins.set(layer, placed.between(value, taker)!.from);
      return layer;
    },
  });
  return {q, origins, floats: placed.named};
}

function roundingsOf({roundings}: Quantizing): RoundingOfActivation[] {
  return roundings.filter(each => each.of === 'activations');
}

/** How many numbers for each sample pass each quantizer, over all its calls. */
function countsOf(q: LayersModel, roundings: readonly RoundingOfActivation[], batch: readonly Tensor[]) {
  const counts = new Map(roundings.map(({quantizer}) => [quantizer, 0]));
  const samples = batch[0]!.shape[0];
  for (const quantizer of counts.keys()) {
    quantizer.watcher = ({size}) => counts.set(quantizer, counts.get(quantizer)! + size / samples);
  }
  if (q.stateful) q.resetStates();
  pass(q, batch);
  return counts;
}

/** What is rounded of a model's activations, found in a pass of one batch through a copy. */
export function roundedActivations(
  model: LayersModel,
  options: QuantizeOptions,
  batch: readonly Tensor[],
): RoundedActivations {
  const {q, origins, floats} = quantizedCopy(model, options);
  try {
    const layers = [...new Set(allLayers(asContainer(q)))].filter(isQuantizing);
    const counts = countsOf(q, layers.flatMap(roundingsOf), batch);
    const byLayer = new Map<Layer, Rounded[]>(floats.map(layer => [layer, []]));
    const measured = new Set<Layer>();
    for (const layer of layers) {
      const from = origins.get(layer)!;
      for (const {quantizer, fixed} of roundingsOf(layer)) {
        const {numBits} = quantizer.options;
        byLayer.get(from)!.push({count: counts.get(quantizer)!, gridBytes: 0, numBits});
        if (!fixed) measured.add(from);
      }
    }
    const addresses = new Map(layers.map(layer => [layer.name, origins.get(layer)!.name]));
    return {byLayer, measured, addresses};
  } finally {
    disposeMade(q);
  }
}
