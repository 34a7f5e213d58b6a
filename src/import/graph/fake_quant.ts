/** FakeQuant nodes: values round where the graph rounds them, and weights stay on the grids that they were rounded to. */
import type {LayersModel, SymbolicTensor} from '@tensorflow/tfjs-layers';
import {asContainer, type Call, callsOf, isInput, type Layer} from '../../layers/graph';
import {isBatchNorm} from '../../layers/folding';
import {kindOf, MULTIPLIES} from '../../layers/kinds';
import {cloneLayer, rebuild, type Replacement} from '../../layers/rebuild';
import type {Kind} from '../../layers/specs/layer_spec';
import {type Slot, slotsOf} from '../../layers/weights';
import '../../qat/quantized_layers/layer_classes';
import type {SavedQuantizer} from '../../qat/quantized_layers/layer_quantizer';
import {QuantizedInput} from '../../qat/quantized_layers/quantized_input';
import {QuantizedLayer} from '../../qat/quantized_layers/quantized_layer';
import {channelsIn, type WeightQuantizer} from '../../qat/quantized_layers/weight_quantizer';
import {type Origin, type Origins, recalled, remember} from '../describe';
import {type ChannelsOf, gridOfWeight, type WeightGrid} from './weight_grids';

/** Kinds whose wrapper may round what they give: those that compute values of their own. */
const ROUNDS: ReadonlySet<Kind> = new Set<Kind>([
  'compute',
  'batchNorm',
  'activation',
  'merge',
  'concat',
  'elementwise',
]);

const UNROUNDED = 'the graph does not round it';

/** What the layers of a model that round do for the others. */
class Roundings {
  readonly layers: readonly Layer[];
  /** Those that round. */
  readonly all: readonly QuantizedInput[];
  /** Those that are to be part of the layer before them, whose value nobody else takes. */
  readonly merged = new Set<Layer>();
  /** The layers that take nothing but what is rounded. */
  readonly behind = new Set<Layer>();
  readonly #after = new Map<Layer, QuantizedInput>();

  constructor(model: LayersModel) {
    const calls = callsOf(asContainer(model));
    this.layers = calls.map(({outboundLayer}) => outboundLayer);
    this.all = this.layers.filter(layer => layer instanceof QuantizedInput);
    this.#findRounded(calls);
    const taken = new Map<number, number>();
    const values = [...calls.flatMap(({inputTensors}) => inputTensors), ...model.outputs];
    for (const {id} of values) taken.set(id, (taken.get(id) ?? 0) + 1);
    for (const {outboundLayer, inputTensors} of calls) {
      if (!(outboundLayer instanceof QuantizedInput)) continue;
      const [{id, sourceLayer}] = inputTensors as [SymbolicTensor];
      if (isInput(sourceLayer) || !ROUNDS.has(kindOf(sourceLayer, {})) || taken.get(id) !== 1) continue;
      this.#after.set(sourceLayer, outboundLayer);
      this.merged.add(outboundLayer);
    }
  }

  /** What is to be part of a layer. */
  after(layer: Layer): QuantizedInput | undefined {
    return this.#after.get(layer);
  }

  #findRounded(calls: readonly Call[]): void {
    const rounded = new Set<number>();
    for (const {outboundLayer, inputTensors, outputTensors} of calls) {
      const isBehind = !isInput(outboundLayer) && inputTensors.every(({id}) => rounded.has(id));
      if (isBehind) this.behind.add(outboundLayer);
      const keeps = isBehind && kindOf(outboundLayer, {}) === 'passing';
      if (keeps || outboundLayer instanceof QuantizedInput) outputTensors.forEach(({id}) => rounded.add(id));
    }
  }
}

function channelsOf(slot: Slot): ChannelsOf | undefined {
  const channels = channelsIn(slot);
  if (!channels) return undefined;
  const {shape} = slot.host[slot.attr]!;
  const others = shape.slice(channels.axis + 1).reduce<number>((n, dim) => n * dim!, 1);
  const inner = slot.axis === 'depthwise' ? 1 : slot.axis === 'gates' ? shape[1]! / channels.count : others;
  return {count: channels.count, of: i => Math.floor(i / inner) % channels.count};
}

/** The grids of a layer's weights, in the order of its slots; undefined unless all of them lie on one. */
async function gridsOf(layer: Layer, widths: readonly number[]): Promise<WeightGrid[] | undefined> {
  if (!hasWeights(layer)) return undefined;
  const grids: WeightGrid[] = [];
  for (const slot of slotsOf(layer, undefined)) {
    const values = await slot.host[slot.attr]!.read().data();
    const grid = gridOfWeight(values, channelsOf(slot), widths);
    if (!grid) return undefined;
    grids.push(grid);
  }
  // One config is for all weights of a layer.
  const isOne = grids.every(
    ({numBits, symmetric}) => numBits === grids[0]!.numBits && symmetric === grids[0]!.symmetric,
  );
  return isOne ? grids : undefined;
}

/**
 * A model in which FakeQuant nodes are layers that round, as what quantizeModel gives: each is part of the layer before it
 * where there is one, and weights are rounded to the grids that they lie on. Where a graph rounds what is multiplied with
 * weights, and not these, their rounding is there, but off. The model given is disposed of; one without such nodes is
 * returned as it is.
 */
export async function quantized(model: LayersModel): Promise<LayersModel> {
  const roundings = new Roundings(model);
  if (roundings.all.length === 0) return model;
  try {
    return rebuilt(model, roundings, await gridsIn(roundings));
  } finally {
    model.dispose();
  }
}

/** The grids of the weights of those layers that have some. */
async function gridsIn({layers, all}: Roundings): Promise<ReadonlyMap<Layer, readonly WeightGrid[]>> {
  const widths = [4, ...all.map(({quantizer}) => quantizer.numBits).filter(numBits => numBits <= 8)];
  const grids = new Map<Layer, readonly WeightGrid[]>();
  for (const layer of layers) {
    const own = await gridsOf(layer, widths);
    if (own) grids.set(layer, own);
  }
  return grids;
}

function rebuilt(
  model: LayersModel,
  roundings: Roundings,
  grids: ReadonlyMap<Layer, readonly WeightGrid[]>,
): LayersModel {
  const outputs = new Set(model.outputs.map(({sourceLayer}) => sourceLayer));
  const sources = new Map<Layer, Layer>();
  const copyOf = (layer: Layer): Layer => {
    const copy = cloneLayer(layer);
    const rounding = roundings.after(layer);
    // What the model gives goes by the name of the layer that gave it.
    if (rounding && outputs.has(rounding)) copy.name = rounding.name;
    return copy;
  };
  const replace = (layer: Layer): Replacement | undefined => {
    if (roundings.merged.has(layer)) return undefined;
    const copy = copyOf(layer);
    const [own, output] = [grids.get(layer), roundings.after(layer)?.quantizer ?? null];
    const isOff = !own && hasWeights(layer) && roundings.behind.has(layer);
    const weights = isOff ? UNROUNDED_WEIGHTS : own ? configOfWeights(layer, own) : null;
    const reason = output ? null : {name: UNROUNDED};
    const rounds = weights ?? output;
    const made = rounds
      ? new QuantizedLayer({layer: copy, weights, output, allOutputs: true, states: true, reason})
      : copy;
    sources.set(made, layer);
    return {layer: made, variables: {to: copy, from: layer}};
  };
  const made = rebuild(model, {replace});
  for (const [layer, source] of sources) {
    const own = grids.get(source);
    if (own && layer instanceof QuantizedLayer) hold(layer, own);
  }
  remember(made, originsIn(sources, recalled(model), roundings));
  return made;
}

/** Where layers come from, with what became part of them. */
function originsIn(sources: ReadonlyMap<Layer, Layer>, origins: Origins, roundings: Roundings): Origins {
  const originOf = ({name}: Layer): Origin => origins.get(name) ?? {nodes: [], note: undefined};
  const found = [...sources].map(([layer, source]): [string, Origin] => {
    const {nodes, note} = originOf(source);
    if (!(layer instanceof QuantizedLayer)) return [layer.name, {nodes, note}];
    const rounding = roundings.after(source);
    const own = rounding && `rounds to ${rounding.quantizer.numBits} bits`;
    const notes = [note, ...layer.weightQuantizers.map(noteOf), own].filter(Boolean);
    return [layer.name, {nodes: [...nodes, ...(rounding ? originOf(rounding).nodes : [])], note: notes.join('; ')}];
  });
  return new Map(found);
}

function noteOf({slot, quantizer: {numBits, quantizing}}: WeightQuantizer): string {
  return quantizing ? `${slot.name} of ${numBits} bits` : `${slot.name} that the graph does not round`;
}

const UNROUNDED_WEIGHTS: SavedQuantizer = {
  numBits: 8,
  perChannel: true,
  symmetric: true,
  narrowRange: true,
  observer: 'lastValue',
  quantizing: false,
};

function hasWeights(layer: Layer): boolean {
  return MULTIPLIES.has(kindOf(layer, {})) && slotsOf(layer, undefined).length > 0;
}

/** Frozen, as measuring the weights anew would move the grid. */
function configOfWeights(layer: Layer, grids: readonly WeightGrid[]): SavedQuantizer {
  const {numBits, symmetric} = grids[0]!;
  // A file has the batch norm behind in the kernel, whose channels then have steps of their own.
  const isNormalized = layer.outboundNodes.some(({outboundLayer}) => isBatchNorm(outboundLayer));
  const perChannel = isNormalized || grids.some(({min}) => min.length > 1);
  return {numBits, symmetric, perChannel, narrowRange: symmetric, observer: 'lastValue', observing: false};
}

/** Gives the weights their ranges. */
function hold({weightQuantizers}: QuantizedLayer, grids: readonly WeightGrid[]): void {
  weightQuantizers.forEach(({quantizer}, i) => {
    const {min, max} = grids[i]!;
    if (min.length > 1) quantizer.setRange(min, max);
    else quantizer.setRange(min[0]!, max[0]!);
  });
}
