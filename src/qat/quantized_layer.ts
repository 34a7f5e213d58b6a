/** The layers that a quantized model is made of: one around each layer with something to round, one after each input. */
import {
  mul,
  div,
  reshape,
  serialization,
  sqrt,
  add,
  sub,
  tensor,
  type Tensor,
  tidy,
  type Variable,
  where,
  abs,
  less,
  onesLike,
} from '@tensorflow/tfjs-core';
import {initializers, layers as tfLayers, type LayerVariable} from '@tensorflow/tfjs-layers';
import {FakeQuantizer, type RangeStore} from './fake_quantizer';
import {innerLayers, type Layer, type Shape} from './graph';
import {
  activationSwap,
  configOf,
  layerFrom,
  LayerWrapper,
  type RoundedWeight,
  type Rounding,
  settle,
  type Swap,
  swapped,
} from './layer_wrapper';
import {type CustomWeights, type Slot, slotsOf} from './kinds';
import {type LearnedCells, learnedShape} from './learned_range';
import {channelOf, type WeightLevels} from './grids';
import type {QuantizerConfig} from './options';
import {separableConvolution} from './separable';

type Config = Record<string, unknown>;
type Kwargs = Record<string, unknown>;
type Tensors = Tensor | Tensor[];

/** The version of the saved configs. */
const VERSION = 1;

/** A quantizer's state that a saved model keeps beside its range. */
type SavedQuantizer = QuantizerConfig & {
  readonly observing?: boolean;
  readonly quantizing?: boolean;
  /** Of weights: what is saved are their levels. */
  readonly levels?: boolean;
};

/** What a {@link QuantizedLayer} does beside calling its layer. */
export interface QuantizedLayerArgs {
  readonly layer: Layer;
  readonly weights?: SavedQuantizer | null;
  /** Rounds what the activation is given. */
  readonly before?: SavedQuantizer | null;
  /** Rounds what is between the two convolutions of a separable one. */
  readonly between?: SavedQuantizer | null;
  readonly output?: SavedQuantizer | null;
  /** The weights of a class of one's own. */
  readonly customWeights?: readonly {readonly name: string; readonly axis?: number | null}[] | null;
  /** Rounds per tensor weights as they will be once the BatchNormalization that follows is folded into them. */
  readonly folds?: boolean;
  readonly version?: number;
}

function checkVersion(name: string, version: number | undefined): void {
  if (version === undefined || version <= VERSION) return;
  throw new Error(
    `Layer ${name} was saved by a newer version of tfjs-quantization (format ${version}, this one reads up to ` +
      `${VERSION}). Update tfjs-quantization to load it.`,
  );
}

/** What of a config is no option of a quantizer's. */
const OF_THE_LAYER: ReadonlySet<string> = new Set(['fixed', 'observing', 'quantizing', 'perChannel', 'levels']);

function quantizerFrom(
  config: SavedQuantizer,
  store: RangeStore | LearnedCells,
  name: string,
  axis?: number,
): FakeQuantizer {
  const {fixed, observing = true, quantizing = true, nonNegative = false} = config;
  const options = Object.entries(config).filter(([key]) => !OF_THE_LAYER.has(key));
  const own = {name, nonNegative: nonNegative && !config.symmetric, ...(axis !== undefined && {axis})};
  const quantizer = new FakeQuantizer({...Object.fromEntries(options), ...own}, store);
  quantizer.observing = observing && !fixed;
  quantizer.quantizing = quantizing;
  return quantizer;
}

function saved(config: SavedQuantizer | null, quantizer: FakeQuantizer | undefined): Config | null {
  if (!config) return null;
  const {observing, quantizing} = quantizer ?? {};
  return {...config, ...(quantizer && {observing, quantizing})};
}

interface BatchNorm {
  readonly gamma?: LayerVariable;
  readonly movingVariance: LayerVariable;
  readonly epsilon: number;
}

/** What folding multiplies a weight's output channels with; a channel switched off keeps its scale. */
function foldingScale({gamma, movingVariance, epsilon}: BatchNorm): Tensor {
  const deviation = sqrt(add(movingVariance.read(), epsilon));
  const scale = gamma ? div(gamma.read(), deviation) : div(onesLike(deviation), deviation);
  return where(less(abs(scale), 1e-12), onesLike(scale), scale);
}

/** One weight of a layer and its quantizer, which measures it whenever it has changed. */
export class WeightQuantizer {
  readonly slot: Slot;
  readonly quantizer: FakeQuantizer;
  #measured: object | undefined;
  #holdsLevels: boolean;

  constructor(slot: Slot, quantizer: FakeQuantizer, holdsLevels = false) {
    this.slot = slot;
    this.quantizer = quantizer;
    this.#holdsLevels = holdsLevels;
  }

  /** Whether the weight's variable holds levels, from which the first call makes values. */
  get holdsLevels(): boolean {
    return this.#holdsLevels;
  }

  /** Puts the levels of the rounded weight into its variable, and freezes the range: for a small file. Gives what it put. */
  storeLevels({levels, view, grid: {axis, lowest}, shape}: WeightLevels): Int32Array {
    const channel = channelOf(view, axis);
    const stored = this.#countsFromLow ? levels.map((level, i) => level - lowest[channel(i)]!) : levels;
    this.quantizer.observing = false;
    tidy(() => this.#variable.assign(tensor(Float32Array.from(stored), shape as number[])));
    this.#holdsLevels = true;
    return stored;
  }

  /** The rounded weight, of the weight's shape. */
  quantized(batchNorm?: BatchNorm): Tensor {
    const rounded = this.rounded(batchNorm);
    const {shape} = this.slot.host[this.slot.attr]!;
    return reshape(batchNorm ? div(rounded, this.#gain(batchNorm)) : rounded, shape as number[]);
  }

  /** What the quantizer gives: the weight in the quantizer's view of it and, if a BatchNormalization is given, folded. */
  rounded(batchNorm?: BatchNorm): Tensor {
    if (this.#holdsLevels) this.#restore(batchNorm);
    const weight = this.#variable;
    const viewed = this.#view(weight);
    if (batchNorm) return this.quantizer.apply(mul(viewed, this.#gain(batchNorm)), {training: true});
    const training = weight.dataId !== this.#measured || !this.quantizer.isSet();
    if (this.quantizer.observing) this.#measured = weight.dataId;
    return this.quantizer.apply(viewed, {training});
  }

  get #variable(): Variable {
    return this.slot.host[this.slot.attr]!.read() as Variable;
  }

  /** A learned grid starts at its low end, any other has a level of 0. */
  get #countsFromLow(): boolean {
    return this.quantizer.options.observer === 'learned';
  }

  /** Makes values of levels: about theirs, which rounding then makes exact. */
  #restore(batchNorm?: BatchNorm): void {
    this.#holdsLevels = false;
    tidy(() => {
      const {numBits, narrowRange, axis} = this.quantizer.options;
      const [low, high] = this.quantizer.range();
      const along = (ends: Tensor) => (axis === undefined ? ends : this.#alongOutputs(ends));
      const steps = mul(this.#view(this.#variable), along(div(sub(high, low), 2 ** numBits - (narrowRange ? 2 : 1))));
      const rounded = this.quantizer.apply(this.#countsFromLow ? add(steps, along(low)) : steps);
      const values = batchNorm ? div(rounded, this.#gain(batchNorm)) : rounded;
      this.#variable.assign(reshape(values, this.#variable.shape));
    });
  }

  #view(weight: Tensor): Tensor {
    return this.slot.axis === 'depthwise' ? depthwiseView(weight) : weight;
  }

  /** What folding multiplies with, along the output channels of the quantizer's view. */
  #gain(batchNorm: BatchNorm): Tensor {
    return this.#alongOutputs(foldingScale(batchNorm));
  }

  #alongOutputs(values: Tensor): Tensor {
    const {axis} = this.slot;
    if (axis === 'depthwise') return reshape(values, [1, -1]);
    const {rank} = this.#variable;
    const outputs = axis ?? rank - 1;
    return reshape(
      values,
      Array.from({length: rank}, (_, i) => (i === outputs ? -1 : 1)),
    );
  }
}

function depthwiseView(kernel: Tensor): Tensor {
  const [height, width, channels, multiplier] = kernel.shape as [number, number, number, number];
  return reshape(kernel, [height * width, channels * multiplier]);
}

/** How many channels of a slot have a range each; undefined for one range. */
function channelsOf({host, attr, axis}: Slot, perChannel: boolean): number | undefined {
  if (!perChannel || axis === undefined) return undefined;
  const {shape} = host[attr]!;
  return axis === 'depthwise' ? shape[2]! * shape[3]! : shape[axis]!;
}

/** Adds a variable of zeros to a layer. */
type AddVariable = (name: string, shape: Shape, trainable: boolean) => LayerVariable;

/** Makes the variables of a range: those of a learned one are trained with the layer. */
function rangeVariables(add: AddVariable, config: SavedQuantizer, channels?: number): RangeStore | LearnedCells {
  if (config.observer !== 'learned') return add('range', channels === undefined ? [3] : [3, channels], false);
  const {symmetric = false, nonNegative = false} = config;
  const shape = learnedShape({symmetric, nonNegative}, channels);
  return {logs: add('log_range', shape, true), grid: add('grid', shape, false)};
}

/** A layer that rounds: another layer, whose weights and activations are rounded wherever it is called. */
export class QuantizedLayer extends LayerWrapper {
  static className = 'QuantizedLayer';

  /** Rounds the weights. */
  weightQuantizers: WeightQuantizer[] = [];
  /** Rounds what the activation is given. */
  beforeQuantizer: FakeQuantizer | undefined;
  /** Rounds what is between the two convolutions of a separable one. */
  betweenQuantizer: FakeQuantizer | undefined;
  /** Rounds the output. */
  outputQuantizer: FakeQuantizer | undefined;
  readonly #args: QuantizedLayerArgs;

  constructor(args: QuantizedLayerArgs) {
    super(args.layer, args.layer.name);
    checkVersion(args.layer.name, args.version);
    this.#args = args;
  }

  /** What the layer rounds. */
  get roundings(): Rounding[] {
    const activations = [
      {what: 'between', quantizer: this.betweenQuantizer},
      {what: 'before activation', quantizer: this.beforeQuantizer},
      {what: 'output', quantizer: this.outputQuantizer, fixed: this.#args.output?.fixed},
    ];
    return [
      ...this.weightQuantizers.map(({slot, quantizer}) => ({what: slot.name, of: 'weights' as const, quantizer})),
      ...activations.flatMap(({what, quantizer, fixed}) =>
        quantizer ? [{what, of: 'activations' as const, quantizer, fixed}] : [],
      ),
    ];
  }

  /** The layer's class and its weights, if it is one of the user's own. */
  get customClass(): [string, CustomWeights][] {
    const weights = this.#custom();
    return weights ? [[this.layer.getClassName(), weights]] : [];
  }

  override roundedWeights(): RoundedWeight[] {
    const batchNorm = this.#args.folds ? this.#batchNorm() : undefined;
    return this.weightQuantizers.map(weight => ({
      name: weight.slot.name,
      quantizer: weight.quantizer,
      rounded: () => weight.rounded(batchNorm),
      shape: weight.slot.host[weight.slot.attr]!.shape as number[],
      folded: batchNorm !== undefined,
    }));
  }

  override assignRounded(copy: Layer): void {
    const targets = this.#slots(copy);
    const batchNorm = this.#args.folds ? this.#batchNorm() : undefined;
    this.weightQuantizers.forEach((weight, i) => {
      const {host, attr} = targets[i]!;
      tidy(() => (host[attr]!.read() as Variable).assign(weight.quantized(batchNorm)));
    });
  }

  override build(inputShape: Shape | Shape[]): void {
    this.buildLayer(inputShape);
    const {weights, before, between, output} = this.#args;
    if (weights) this.weightQuantizers = this.#slots(this.layer).map(slot => this.#weightQuantizer(slot, weights));
    if (before) this.beforeQuantizer = this.#activationQuantizer('before_activation', before);
    if (between) this.betweenQuantizer = this.#activationQuantizer('between', between);
    if (output) this.outputQuantizer = this.#activationQuantizer('output', output);
    this.built = true;
  }

  override call(inputs: Tensors, kwargs: Kwargs): Tensors {
    return tidy(() => {
      const training = kwargs['training'] === true;
      const swaps = [...this.#weightSwaps(), ...this.#activationSwaps(training)];
      const outputs = swapped(swaps, () => this.#callLayer(inputs, kwargs));
      const {outputQuantizer: quantizer} = this;
      if (!quantizer) return outputs;
      // A fixed range too is set by the first batch: until then nothing is rounded.
      if (training) settle(this.roundings);
      const round = (x: Tensor) => quantizer.apply(x, {training});
      return Array.isArray(outputs) ? [round(outputs[0]!), ...outputs.slice(1)] : round(outputs);
    });
  }

  override getConfig(): serialization.ConfigDict {
    const {before = null, between = null, output = null, customWeights = null, folds = false} = this.#args;
    return {
      ...super.getConfig(),
      version: VERSION,
      layer: {className: this.layer.getClassName(), config: configOf(this.layer)},
      weights: this.#savedWeights(),
      before: saved(before, this.beforeQuantizer),
      between: saved(between, this.betweenQuantizer),
      output: saved(output, this.outputQuantizer),
      customWeights,
      folds,
    } as serialization.ConfigDict;
  }

  static override fromConfig<T extends serialization.Serializable>(
    cls: serialization.SerializableConstructor<T>,
    config: serialization.ConfigDict,
  ): T {
    checkVersion(config['name'] as string, config['version'] as number | undefined);
    return new cls({...config, layer: layerFrom(config['layer'] as never)});
  }

  #custom(): CustomWeights | undefined {
    const custom = this.#args.customWeights;
    return custom ? Object.fromEntries(custom.map(({name, axis}) => [name, axis == null ? {} : {axis}])) : undefined;
  }

  #savedWeights(): Config | null {
    const {weights = null} = this.#args;
    const [weight] = this.weightQuantizers;
    const config = saved(weights, weight?.quantizer);
    return config && {...config, levels: weight?.holdsLevels ?? false};
  }

  #slots(layer: Layer): Slot[] {
    return slotsOf(layer, this.#custom());
  }

  #weightQuantizer(slot: Slot, config: SavedQuantizer): WeightQuantizer {
    const channels = channelsOf(slot, config.perChannel ?? true);
    const axis = channels === undefined ? undefined : slot.axis === 'depthwise' ? 1 : slot.axis;
    const name = `${this.name}/${slot.name}`;
    const variables = rangeVariables(this.#adderFor(slot.name), config, channels);
    return new WeightQuantizer(slot, quantizerFrom(config, variables, name, axis), config.levels);
  }

  #activationQuantizer(name: string, config: SavedQuantizer): FakeQuantizer {
    return quantizerFrom(config, rangeVariables(this.#adderFor(name), config), this.name);
  }

  #adderFor(rounded: string): AddVariable {
    return (name, shape, trainable) =>
      this.addWeight(`${rounded}_${name}`, shape, 'float32', initializers.zeros(), undefined, trainable);
  }

  #callLayer(inputs: Tensors, kwargs: Kwargs): Tensors {
    const quantizer = this.betweenQuantizer;
    // A copy: recurrent layers write into it, and the next layers are given the same.
    if (!quantizer) return this.layer.apply(inputs, {...kwargs}) as Tensors;
    const mode = {training: kwargs['training'] === true};
    return separableConvolution(this.layer, [inputs].flat()[0]!, x => quantizer.apply(x, mode));
  }

  #weightSwaps(): Swap[] {
    const batchNorm = this.#args.folds ? this.#batchNorm() : undefined;
    return this.weightQuantizers.map(weight => {
      const rounded = weight.quantized(batchNorm);
      return {host: weight.slot.host, attr: weight.slot.attr, value: {read: () => rounded}};
    });
  }

  #activationSwaps(training: boolean): Swap[] {
    const quantizer = this.beforeQuantizer;
    if (!quantizer) return [];
    const host = this.layer.getClassName() === 'TimeDistributed' ? innerLayers(this.layer)[0]! : this.layer;
    return [activationSwap(host, (x, activate) => activate(quantizer.apply(x, {training})))];
  }

  /** The BatchNormalization that follows. */
  #batchNorm(): BatchNorm | undefined {
    const next = this.outboundNodes.map(({outboundLayer}) => outboundLayer);
    const layers = next.map(layer => (layer instanceof QuantizedLayer ? layer.layer : layer));
    return layers.find(layer => layer.getClassName() === 'BatchNormalization') as BatchNorm | undefined;
  }
}

/** Rounds a model's input. */
export class QuantizedInput extends tfLayers.Layer {
  static className = 'QuantizedInput';

  outputQuantizer: FakeQuantizer | undefined;
  readonly #quantizer: SavedQuantizer;

  constructor(args: {name: string; quantizer: SavedQuantizer; version?: number}) {
    super({name: args.name});
    checkVersion(args.name, args.version);
    this.#quantizer = args.quantizer;
    this.supportsMasking = true;
  }

  /** What the layer rounds. */
  get roundings(): Rounding[] {
    return this.outputQuantizer ? [{what: 'output', of: 'activations', quantizer: this.outputQuantizer}] : [];
  }

  override build(inputShape: Shape | Shape[]): void {
    const add: AddVariable = (name, shape, trainable) =>
      this.addWeight(`output_${name}`, shape, 'float32', initializers.zeros(), undefined, trainable);
    this.outputQuantizer = quantizerFrom(this.#quantizer, rangeVariables(add, this.#quantizer), this.name);
    super.build(inputShape);
  }

  override call(inputs: Tensors, kwargs: Kwargs): Tensors {
    const x = Array.isArray(inputs) ? inputs[0]! : inputs;
    return tidy(() => this.outputQuantizer!.apply(x, {training: kwargs['training'] === true}));
  }

  override getConfig(): serialization.ConfigDict {
    const quantizer = saved(this.#quantizer, this.outputQuantizer);
    return {...super.getConfig(), version: VERSION, quantizer} as serialization.ConfigDict;
  }
}

serialization.registerClass(QuantizedLayer);
serialization.registerClass(QuantizedInput);
