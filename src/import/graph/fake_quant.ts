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
    // What the model gives keeps the name that it has there.
    const ends = new Set(model.outputs.map(({id}) => id));
    const taken = new Map<number, number>();
    const values = [...calls.flatMap(({inputTensors}) => inputTensors), ...model.outputs];
    for (const {id} of values) taken.set(id, (taken.get(id) ?? 0) + 1);
    for (const {outboundLayer, inputTensors, outputTensors} of calls) {
      if (!(outboundLayer instanceof QuantizedInput) || ends.has(outputTensors[0]!.id)) continue;
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
  const inner = slot.axis === 'depthwise' ? 1 : shape.slice(channels.axis + 1).reduce<number>((n, dim) => n * dim!, 1);
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
  const widths = [4, ...roundings.all.map(({quantizer}) => quantizer.numBits).filter(numBits => numBits <= 8)];
  const grids = new Map<Layer, WeightGrid[]>();
  for (const layer of roundings.layers) {
    const own = await gridsOf(layer, widths);
    if (own) grids.set(layer, own);
  }
  const wrappers = new Map<QuantizedLayer, WeightGrid[]>();
  const replace = (layer: Layer): Replacement | undefined => {
    if (roundings.merged.has(layer)) return undefined;
    const copy = cloneLayer(layer);
    const [own, output] = [grids.get(layer), roundings.after(layer)?.quantizer ?? null];
    const isOff = !own && hasWeights(layer) && roundings.behind.has(layer);
    const weights = isOff ? UNROUNDED_WEIGHTS : own ? configOfWeights(layer, own) : null;
    if (!weights && !output) return {layer: copy, variables: {to: copy, from: layer}};
    const reason = output ? null : {name: UNROUNDED};
    const wrapper = new QuantizedLayer({layer: copy, weights, output, allOutputs: true, reason});
    if (own) wrappers.set(wrapper, own);
    return {layer: wrapper, variables: {to: copy, from: layer}};
  };
  const made = rebuild(model, {replace});
  for (const [wrapper, own] of wrappers) hold(wrapper, own);
  remember(made, originsIn(made, recalled(model), roundings));
  model.dispose();
  return made;
}

/** Where layers come from, with what became part of them. */
function originsIn(model: LayersModel, origins: Origins, roundings: Roundings): Origins {
  const nodesOf = ({name}: Layer) => origins.get(name)?.nodes ?? [];
  const before = new Map(roundings.layers.map(layer => [layer.name, layer]));
  const found = model.layers.map((layer): [string, Origin] => {
    const own = before.get(layer.name)!;
    const {note} = origins.get(layer.name) ?? {};
    if (!(layer instanceof QuantizedLayer)) return [layer.name, {nodes: nodesOf(own), note}];
    const rounding = roundings.after(own);
    const notes = [
      note,
      ...layer.weightQuantizers.map(noteOf),
      rounding && `rounds to ${rounding.quantizer.numBits} bits`,
    ];
    const nodes = [...nodesOf(own), ...(rounding ? nodesOf(rounding) : [])];
    return [layer.name, {nodes, note: notes.filter(Boolean).join('; ')}];
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
