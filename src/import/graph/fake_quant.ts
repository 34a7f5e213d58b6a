/** FakeQuant nodes: values round where the graph rounds them, and weights stay on the grids that they were rounded to. */
import type {LayersModel, SymbolicTensor} from '@tensorflow/tfjs-layers';
import {asContainer, callsOf, isInput, type Layer} from '../../layers/graph';
import {isBatchNorm} from '../../layers/folding';
import {kindOf, MULTIPLIES} from '../../layers/kinds';
import {cloneLayer, rebuild, type Replacement} from '../../layers/rebuild';
import type {Kind} from '../../layers/specs/layer_spec';
import {type Slot, slotsOf} from '../../layers/weights';
import '../../qat/quantized_layers/layer_classes';
import type {SavedQuantizer} from '../../qat/quantized_layers/layer_quantizer';
import {QuantizedInput} from '../../qat/quantized_layers/quantized_input';
import {QuantizedLayer} from '../../qat/quantized_layers/quantized_layer';
import {channelsIn} from '../../qat/quantized_layers/weight_quantizer';
import type {Constant} from '../../graph_model/node_run';
import type {Edge, GraphNode, Known} from './graph_reader';
import type {Match, NoLayer, Pattern} from './pattern';
import {type ChannelsOf, gridOfWeight, type WeightGrid} from './weight_grids';

/** How a node rounds. */
interface Rounding {
  readonly numBits: number;
  readonly narrowRange: boolean;
  readonly range: readonly [min: number, max: number];
}

/** A layer that rounds as the node does. */
function rounding(node: GraphNode, {numBits, narrowRange, range: [min, max]}: Rounding): Match | NoLayer {
  if (numBits < 2 || numBits > 16) return {reason: `rounds to ${numBits} bits, and layers to 2 to 16`};
  if (!(Number.isFinite(min) && Number.isFinite(max) && min < max)) {
    return {reason: `rounds to [${min}, ${max}], which is no range`};
  }
  const quantizer = {numBits, narrowRange, fixed: [min, max], pinned: true} as const;
  const make = ({name}: {readonly name: string}) => new QuantizedInput({name, quantizer});
  return {takes: [node.inputs[0]!], layers: [{of: node, make}], nodes: [node]};
}

const COMPUTED: NoLayer = {reason: 'its range is computed'};
const BY_CHANNEL: NoLayer = {reason: 'rounds each channel of an activation on a range of its own'};

function scalarOf(known: Known, edge: Edge | undefined): number | undefined {
  const constant: Constant | undefined = known.constant(edge);
  return constant?.values.length === 1 ? constant.values[0] : undefined;
}

/** FakeQuantWithMinMaxArgs: its range is in its attributes. */
const fakeQuantArgs: Pattern = node => {
  const {attrs} = node;
  const range = [attrs.float('min', -6), attrs.float('max', 6)] as const;
  return rounding(node, {numBits: attrs.int('num_bits', 8), narrowRange: attrs.flag('narrow_range', false), range});
};

/** FakeQuantWithMinMaxVars: its range is given. */
const fakeQuantVars: Pattern = (node, known) => {
  const {attrs} = node;
  const [min, max] = [scalarOf(known, node.inputs[1]), scalarOf(known, node.inputs[2])];
  if (min === undefined || max === undefined) return COMPUTED;
  const narrowRange = attrs.flag('narrow_range', false);
  return rounding(node, {numBits: attrs.int('num_bits', 8), narrowRange, range: [min, max]});
};

/** QuantizeAndDequantizeV2, V3 and V4: on a symmetric grid, or one that begins at 0, as fine as the longer side allows. */
const quantizeAndDequantize: Pattern = (node, known) => {
  const {attrs} = node;
  if (attrs.int('axis', -1) !== -1) return BY_CHANNEL;
  if (!attrs.flag('range_given', node.op === 'QuantizeAndDequantizeV3')) return {reason: 'measures its range'};
  const [min, max] = [scalarOf(known, node.inputs[1]), scalarOf(known, node.inputs[2])];
  const numBits = node.op === 'QuantizeAndDequantizeV3' ? scalarOf(known, node.inputs[3]) : attrs.int('num_bits', 8);
  if (min === undefined || max === undefined || numBits === undefined) return COMPUTED;
  const isSigned = attrs.flag('signed_input', true);
  const narrowRange = isSigned && attrs.flag('narrow_range', false);
  const highest = isSigned ? 2 ** (numBits - 1) - 1 : 2 ** numBits - 1;
  const lowest = isSigned ? -highest - (narrowRange ? 0 : 1) : 0;
  const step = Math.max(max / highest, lowest === 0 ? 0 : min / lowest);
  return rounding(node, {numBits, narrowRange, range: [lowest * step, highest * step]});
};

/** What rounds, of values that are no constants: by a layer that rounds, which {@link quantized} makes part of the one before. */
export const ROUNDING_PATTERNS: Readonly<Record<string, Pattern>> = {
  FakeQuantWithMinMaxArgs: fakeQuantArgs,
  FakeQuantWithMinMaxVars: fakeQuantVars,
  FakeQuantWithMinMaxVarsPerChannel: () => BY_CHANNEL,
  QuantizeAndDequantizeV2: quantizeAndDequantize,
  QuantizeAndDequantizeV3: quantizeAndDequantize,
  QuantizeAndDequantizeV4: quantizeAndDequantize,
};

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

/** The rounding layers of a model that are to be part of the layers before them: what these give is taken by nobody else. */
class Roundings {
  /** By the layer that each is behind. */
  readonly #after = new Map<Layer, QuantizedInput>();
  readonly #merged = new Set<Layer>();

  constructor(model: LayersModel) {
    const calls = callsOf(asContainer(model));
    const taken = new Map<number, number>();
    const take = ({id}: SymbolicTensor) => void taken.set(id, (taken.get(id) ?? 0) + 1);
    for (const {inputTensors} of calls) inputTensors.forEach(take);
    model.outputs.forEach(take);
    // What the model gives keeps the name that it has there.
    const ends = new Set(model.outputs.map(({id}) => id));
    for (const {outboundLayer, inputTensors, outputTensors} of calls) {
      if (!(outboundLayer instanceof QuantizedInput) || ends.has(outputTensors[0]!.id)) continue;
      const [{id, sourceLayer}] = inputTensors as [SymbolicTensor];
      const rounds = !isInput(sourceLayer) && ROUNDS.has(kindOf(sourceLayer, {}));
      if (!rounds || taken.get(id) !== 1 || sourceLayer instanceof QuantizedInput) continue;
      this.#after.set(sourceLayer, outboundLayer);
      this.#merged.add(outboundLayer);
    }
  }

  isMerged(layer: Layer): boolean {
    return this.#merged.has(layer);
  }

  after(layer: Layer): SavedQuantizer | undefined {
    return this.#after.get(layer)?.quantizer;
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
  if (!MULTIPLIES.has(kindOf(layer, {}))) return undefined;
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
  return grids.length > 0 && isOne ? grids : undefined;
}

/**
 * A model in which FakeQuant nodes are layers that round, as what quantizeModel gives: each is part of the layer before it
 * where there is one, and weights are rounded to the grids that they lie on. The model given is disposed of; one without
 * such nodes is returned as it is.
 */
export async function quantized(model: LayersModel): Promise<LayersModel> {
  const layers = callsOf(asContainer(model)).map(({outboundLayer}) => outboundLayer);
  const rounding = layers.filter(layer => layer instanceof QuantizedInput);
  if (rounding.length === 0) return model;
  const widths = [4, ...rounding.map(({quantizer}) => quantizer.numBits).filter(numBits => numBits <= 8)];
  const grids = new Map<Layer, WeightGrid[]>();
  for (const layer of layers) {
    const own = await gridsOf(layer, widths);
    if (own) grids.set(layer, own);
  }
  const roundings = new Roundings(model);
  const wrappers = new Map<QuantizedLayer, WeightGrid[]>();
  const replace = (layer: Layer): Replacement | undefined => {
    if (roundings.isMerged(layer)) return undefined;
    const copy = cloneLayer(layer);
    const [own, output] = [grids.get(layer), roundings.after(layer)];
    if (!own && !output) return {layer: copy, variables: {to: copy, from: layer}};
    const weights = own ? configOfWeights(layer, own) : null;
    const reason = output ? null : {name: UNROUNDED};
    const wrapper = new QuantizedLayer({layer: copy, weights, output: output ?? null, allOutputs: true, reason});
    if (own) wrappers.set(wrapper, own);
    return {layer: wrapper, variables: {to: copy, from: layer}};
  };
  const made = rebuild(model, {replace});
  for (const [wrapper, own] of wrappers) hold(wrapper, own);
  model.dispose();
  return made;
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
