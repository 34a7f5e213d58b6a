/**
 * The layers that a quantized model is made of: one around each layer with something to round, one after each input that is
 * rounded.
 */
import {
  add,
  cast,
  customGrad,
  div,
  expandDims,
  mul,
  reshape,
  serialization,
  sub,
  type Tensor,
  tensor1d,
  tidy,
  type Variable,
  zerosLike,
} from '@tensorflow/tfjs-core';
import {initializers, layers as tfLayers, type LayerVariable} from '@tensorflow/tfjs-layers';
import {FakeQuantizer, type RangeStore} from '../quantizer/fake_quantizer';
import {type BatchNorm, foldingGain, isBatchNorm, normalizesChannels} from '../layers/folding';
import {type Layer, type Shape, steppedLayer} from '../layers/graph';
import {makesMask} from '../layers/kinds';
import {channelOf, type WeightLevels} from '../quantizer/levels';
import {isMarked, type Tensors, unwrapped} from '../layers/layer_wrapper';
import {type Config, configOf} from '../layers/serialization';
import {activationSwap, type Swap, swapped} from '../layers/swapped';
import {type CustomWeights, type Slot, slotsOf} from '../layers/weights';
import {type RoundedWeight, type Rounding, roundTensor, settle, QuantizingWrapper} from './quantizing';
import {type LearnedCells, learnedShape} from '../quantizer/learned_range';
import type {QuantizerConfig} from './options';
import {gridsOfOutputs} from '../layers/outputs';
import {specOf} from '../layers/specs';
import type {OutputGrid} from '../layers/specs/layer_spec';
import {checkSaved, refuseSaved, savedLayer} from './saved_config';
import {separableConvolution} from '../layers/separable';

type Kwargs = Record<string, unknown>;

/** The version of the saved configs. */
const VERSION = 1;

/** In front of class names, as Keras has it: who loads a model without this package is told what is missing. */
const PACKAGE = 'tfjs-quantization';

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
  /** Rounds the outputs after the first likewise. Models of version 0.1 do not. */
  readonly allOutputs?: boolean;
  /** The weights of a class of one's own. */
  readonly customWeights?: readonly {readonly name: string; readonly axis?: number | null}[] | null;
  /**
   * Rounds per tensor weights as they will be once the BatchNormalization of this name, which follows, is folded into
   * them. Files of older versions say only that one does. With its gain where the weight holds levels.
   */
  readonly folds?: {readonly name: string; readonly gain?: readonly number[]} | boolean | null;
  /** Why the output is not rounded, where it is not. Under `name`, as tfjs leaves no other text as it is. */
  readonly reason?: {readonly name: string} | null;
  /** Layers that the options left out, and that so have no wrapper: one of the model's wrappers knows. */
  readonly leftOut?: readonly {readonly name: string}[];
}

function checkVersion(name: string, version: unknown): void {
  if (typeof version !== 'number' || version <= VERSION) return;
  throw new Error(
    `Layer ${name} was saved by a newer version of tfjs-quantization (format ${version}, this one reads up to ` +
      `${VERSION}). Update tfjs-quantization to load it.`,
  );
}

/** What of a config is no option of a quantizer's. */
const OF_THE_LAYER: ReadonlySet<string> = new Set([
  'fixed',
  'levels',
  'observing',
  'perChannel',
  'pinned',
  'quantizing',
]);

function quantizerFrom(
  config: SavedQuantizer,
  store: RangeStore | LearnedCells,
  name: string,
  axis?: number,
): FakeQuantizer {
  const {fixed, pinned, observing = true, quantizing = true, nonNegative = false} = config;
  const options = Object.entries(config).filter(([key]) => !OF_THE_LAYER.has(key));
  const own = {name, nonNegative: nonNegative && !config.symmetric, ...(axis !== undefined && {axis})};
  const quantizer = FakeQuantizer.over(store, {...Object.fromEntries(options), ...own});
  quantizer.observing = observing && !fixed;
  quantizer.quantizing = quantizing;
  if (fixed && pinned) quantizer.setRange(...fixed);
  return quantizer;
}

function saved(config: SavedQuantizer | null, quantizer: FakeQuantizer | undefined): Config | null {
  if (!config) return null;
  const {observing, quantizing} = quantizer ?? {};
  return {...config, ...(quantizer && {observing, quantizing})};
}

/** One weight of a layer and its quantizer, which measures it whenever it has changed. */
export class WeightQuantizer {
  readonly slot: Slot;
  readonly quantizer: FakeQuantizer;
  /** What the output channels were multiplied with before the levels were found that are saved, if they were. */
  gainOfLevels: readonly number[] | undefined;
  #measured: object | undefined;
  #holdsLevels: boolean;
  /** Whether a file is to have levels where the variable has values. */
  #savesLevels = false;
  /** What the weight is held to once it is made of its levels, which it would clip. */
  readonly #constraint: object | undefined;

  constructor(slot: Slot, quantizer: FakeQuantizer, holdsLevels = false) {
    this.slot = slot;
    this.quantizer = quantizer;
    this.#holdsLevels = holdsLevels;
    if (!holdsLevels) return;
    const variable = this.#constrained;
    this.#constraint = variable.constraint;
    delete variable.constraint;
  }

  /** Whether the weight's variable holds levels. */
  get holdsLevels(): boolean {
    return this.#holdsLevels;
  }

  /** Whether what is saved are levels, from which the first call makes values. */
  get savesLevels(): boolean {
    return this.#holdsLevels || this.#savesLevels;
  }

  /**
   * Freezes the range, and has the saved layer say that the weight's variable holds levels: for a small file, where they are
   * put in its place. Gives what it is to hold.
   */
  keepLevels({levels, view, grid: {axis, lowest}, gain}: WeightLevels): ArrayLike<number> {
    this.quantizer.observing = false;
    this.#savesLevels = true;
    this.gainOfLevels = gain && Array.from(gain);
    if (!this.#countsFromLow) return levels;
    const channel = channelOf(view, axis);
    const counted = new Uint16Array(levels.length);
    levels.forEach((level, i) => (counted[i] = level - lowest[channel(i)]!));
    return counted;
  }

  /** The rounded weight, of the weight's shape. */
  quantized(batchNorm?: BatchNorm): Tensor {
    const gain = batchNorm && this.#gain(batchNorm);
    const rounded = this.#rounded(gain);
    const {shape} = this.slot.host[this.slot.attr]!;
    return reshape(gain ? div(rounded, gain) : rounded, shape as number[]);
  }

  /** What the quantizer gives: the weight in the quantizer's view of it and, if a BatchNormalization is given, folded. */
  rounded(batchNorm?: BatchNorm): Tensor {
    return this.#rounded(batchNorm && this.#gain(batchNorm));
  }

  #rounded(gain?: Tensor): Tensor {
    if (this.#holdsLevels) this.#restore(gain);
    const weight = this.#variable;
    const viewed = this.#view(weight);
    if (gain) return this.quantizer.apply(mul(viewed, gain), {training: true});
    const training = weight.dataId !== this.#measured || !this.quantizer.isSet();
    if (this.quantizer.observing) this.#measured = weight.dataId;
    return this.quantizer.apply(viewed, {training});
  }

  /** Measures the weight as it is now, whatever its range was of; if it holds levels, these times `gain` were rounded. */
  restart(gain?: readonly number[]): void {
    if (this.#holdsLevels && gain) tidy(() => this.#restore(this.#alongOutputs(tensor1d([...gain]))));
    this.quantizer.restart(this.#view(this.#variable));
  }

  get #variable(): Variable {
    return this.slot.host[this.slot.attr]!.read() as Variable;
  }

  get #constrained(): {constraint?: object | undefined} {
    return this.slot.host[this.slot.attr] as object;
  }

  /** A learned grid starts at its low end, any other has a level of 0. */
  get #countsFromLow(): boolean {
    return this.quantizer.options.observer === 'learned';
  }

  /** Makes values of levels: about theirs, which rounding then makes exact. */
  #restore(gain?: Tensor): void {
    this.#holdsLevels = false;
    this.#constrained.constraint = this.#constraint;
    const {quantizing} = this.quantizer;
    this.quantizer.quantizing = true;
    tidy(() => {
      const {axis} = this.quantizer.options;
      const [low, high] = this.quantizer.range();
      const along = (ends: Tensor) => (axis === undefined ? ends : this.#alongOutputs(ends));
      const steps = mul(this.#view(this.#variable), along(div(sub(high, low), this.quantizer.steps)));
      const rounded = this.quantizer.apply(this.#countsFromLow ? add(steps, along(low)) : steps);
      const values = gain ? div(rounded, gain) : rounded;
      this.#variable.assign(reshape(values, this.#variable.shape));
    });
    this.quantizer.quantizing = quantizing;
  }

  #view(weight: Tensor): Tensor {
    return this.slot.axis === 'depthwise' ? depthwiseView(weight) : weight;
  }

  /** What folding multiplies with, along the output channels of the quantizer's view. */
  #gain(batchNorm: BatchNorm): Tensor {
    return this.#alongOutputs(foldingGain(batchNorm));
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

const OF_FIRST_FORMAT: OutputGrid = {float: 'made by version 0.1, which rounded the first output alone'};

/** 'output' is the first, 'output 2' the second. */
function nameOfOutput(index: number): string {
  return index === 0 ? 'output' : `output ${index + 1}`;
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

/**
 * What a layer masks of x. Comparisons have no gradient, which keeps a model from training where a trained range comes
 * before.
 */
function maskOf(layer: Layer, x: Tensor): Tensor {
  const mask = customGrad(given => {
    const value = layer.computeMask(given as Tensor) as Tensor;
    return {value, gradFunc: () => zerosLike(given as Tensor)};
  });
  return mask(x);
}

const QUANTIZED: unique symbol = Symbol.for('tfjs-quantization.QuantizedLayer');

/** A layer that rounds: another layer, whose weights and activations are rounded wherever it is called. */
export class QuantizedLayer extends QuantizingWrapper {
  static className = `${PACKAGE}>QuantizedLayer`;

  static override [Symbol.hasInstance](value: unknown): boolean {
    return isMarked(value, QUANTIZED);
  }

  readonly [QUANTIZED] = true;

  /** Rounds the weights. */
  weightQuantizers: WeightQuantizer[] = [];
  /** Rounds what the activation is given. */
  beforeQuantizer: FakeQuantizer | undefined;
  /** Rounds what is between the two convolutions of a separable one. */
  betweenQuantizer: FakeQuantizer | undefined;
  /** Rounds the first output. */
  outputQuantizer: FakeQuantizer | undefined;
  /** Round the outputs after the first that are on grids of their own, by their places. */
  readonly furtherQuantizers = new Map<number, FakeQuantizer>();
  #grids: OutputGrid[] = [];
  readonly #args: QuantizedLayerArgs;
  #folds: QuantizedLayerArgs['folds'];

  constructor(args: QuantizedLayerArgs) {
    super(args.layer, args.layer.name);
    this.#args = args;
    this.#folds = args.folds;
  }

  /** What the layer rounds. */
  get roundings(): Rounding[] {
    const activations = [
      {what: 'between', quantizer: this.betweenQuantizer},
      {what: 'before activation', quantizer: this.beforeQuantizer},
      {what: 'output', quantizer: this.outputQuantizer, fixed: this.#args.output?.fixed},
      ...[...this.furtherQuantizers].map(([i, quantizer]) => ({what: nameOfOutput(i), quantizer})),
    ];
    return [
      ...this.weightQuantizers.map(({slot, quantizer}) => ({what: slot.name, of: 'weights' as const, quantizer})),
      ...activations.flatMap(({what, quantizer, fixed}) =>
        quantizer ? [{what, of: 'activations' as const, quantizer, fixed}] : [],
      ),
    ];
  }

  /** Outputs that are not rounded although the first is, and why. */
  get floatOutputs(): {what: string; reason: string}[] {
    return this.#grids.flatMap((grid, i) =>
      typeof grid === 'object' && 'float' in grid ? [{what: nameOfOutput(i), reason: grid.float}] : [],
    );
  }

  /** Why the output is not rounded; null where it is, and undefined of a layer that was saved before that was kept. */
  get reason(): string | null | undefined {
    const {reason} = this.#args;
    return reason ? reason.name : reason;
  }

  /** The names of layers that the options left out of the model. */
  get leftOut(): string[] {
    return (this.#args.leftOut ?? []).map(({name}) => name);
  }

  /** The layer's class and its weights, if it is one of the user's own. */
  get customClass(): [string, CustomWeights][] {
    const weights = this.#custom();
    return weights ? [[this.layer.getClassName(), weights]] : [];
  }

  override roundedWeights(): RoundedWeight[] {
    return this.weightQuantizers.map(weight => {
      const norm = this.#normFor(weight);
      return {
        name: weight.slot.name,
        quantizer: weight.quantizer,
        rounded: () => weight.rounded(norm),
        shape: weight.slot.host[weight.slot.attr]!.shape as number[],
        norm,
      };
    });
  }

  override assignRounded(copy: Layer): void {
    const targets = this.#slots(copy);
    this.weightQuantizers.forEach((weight, i) => {
      const {host, attr} = targets[i]!;
      tidy(() => (host[attr]!.read() as Variable).assign(weight.quantized(this.#normFor(weight))));
    });
  }

  override build(inputShape: Shape | Shape[]): void {
    this.buildLayer(inputShape);
    refuseSaved(this.name, this.#misfits());
    const {weights, before, between, output} = this.#args;
    if (weights) this.weightQuantizers = this.#slots(this.layer).map(slot => this.#weightQuantizer(slot, weights));
    if (before) this.beforeQuantizer = this.#activationQuantizer('before_activation', before);
    if (between) this.betweenQuantizer = this.#activationQuantizer('between', between);
    // What this makes of pixels is as evenly spaced as they are.
    const offTies = specOf(this.layer)?.keepsSpacing === true && !output?.fixed;
    if (output) this.#addOutputQuantizers({...output, offTies}, inputShape);
    this.built = true;
  }

  override computeMask(inputs: Tensors, mask?: Tensors): Tensors {
    const {layer} = this;
    // An embedding of the user's own has no row.
    const compares = makesMask(layer) || (layer as {maskZero?: boolean}).maskZero === true;
    return compares ? tidy(() => maskOf(layer, [inputs].flat()[0]!)) : super.computeMask(inputs, mask);
  }

  override call(inputs: Tensors, kwargs: Kwargs): Tensors {
    return tidy(() => {
      const training = kwargs['training'] === true;
      const swaps = [...this.#weightSwaps(), ...this.#activationSwaps(training)];
      const outputs = swapped(swaps, () => this.#callLayer(inputs, kwargs));
      if (!this.outputQuantizer) return outputs;
      // A fixed range too is set by the first batch: until then nothing is rounded.
      if (training) settle(this.roundings);
      if (!Array.isArray(outputs)) return roundTensor(this.outputQuantizer, outputs, training);
      return outputs.map((x, i) => this.#roundedOutput(x, i, training));
    });
  }

  override getConfig(): serialization.ConfigDict {
    const {before = null, between = null, output = null, allOutputs = false, customWeights = null} = this.#args;
    const {reason, leftOut = []} = this.#args;
    return {
      ...super.getConfig(),
      version: VERSION,
      layer: {className: this.layer.getClassName(), config: configOf(this.layer)},
      weights: this.#savedWeights(),
      before: saved(before, this.beforeQuantizer),
      between: saved(between, this.betweenQuantizer),
      output: saved(output, this.outputQuantizer),
      allOutputs,
      customWeights,
      folds: this.#savedFolds(),
      ...(reason !== undefined && {reason}),
      ...(leftOut.length > 0 && {leftOut: leftOut.map(({name}) => ({name}))}),
    } as serialization.ConfigDict;
  }

  static override fromConfig<T extends serialization.Serializable>(
    cls: serialization.SerializableConstructor<T>,
    config: serialization.ConfigDict,
  ): T {
    checkVersion(config['name'] as string, config['version']);
    checkSaved('QuantizedLayer', config);
    return new cls({...config, layer: savedLayer(config['name'], config['layer'] as never)});
  }

  #custom(): CustomWeights | undefined {
    const custom = this.#args.customWeights;
    return custom ? Object.fromEntries(custom.map(({name, axis}) => [name, axis == null ? {} : {axis}])) : undefined;
  }

  /** What the layer within does not have that is to be rounded. */
  #misfits(): string[] {
    const {customWeights, before, between} = this.#args;
    const inner = this.layer as unknown as Record<string, {read?: () => Tensor} | undefined>;
    const weights = (customWeights ?? []).flatMap(({name, axis}) => {
      const rank = inner[name]?.read?.().rank;
      if (rank === undefined) return [`there is no weight ${name}.`];
      return axis == null || (axis >= -rank && axis < rank)
        ? []
        : [`its weight ${name} of rank ${rank} has no axis ${axis}.`];
    });
    const hasBetween = specOf(this.layer)?.between === true;
    return [
      ...weights,
      ...(before && !('activation' in this.#host()) ? ['it has no activation before which to round.'] : []),
      ...(between && !hasBetween ? ['only a SeparableConv2D has something between to round.'] : []),
    ];
  }

  #savedWeights(): Config | null {
    const {weights = null} = this.#args;
    const [weight] = this.weightQuantizers;
    const config = saved(weights, weight?.quantizer);
    return config && {...config, levels: weight?.savesLevels ?? false};
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

  #addOutputQuantizers(config: SavedQuantizer, inputShape: Shape | Shape[]): void {
    this.outputQuantizer = this.#activationQuantizer('output', config);
    const shapes = this.computeOutputShape(inputShape);
    const grids = gridsOfOutputs(this.layer, Array.isArray(shapes[0]) ? shapes.length : 1);
    this.#grids = this.#args.allOutputs ? grids : grids.map((grid, i) => (i === 0 ? grid : OF_FIRST_FORMAT));
    this.#grids.forEach((grid, i) => {
      if (i === 0 || grid !== 'own') return;
      this.furtherQuantizers.set(i, this.#activationQuantizer(nameOfOutput(i).replace(' ', '_'), config));
    });
  }

  #roundedOutput(x: Tensor, i: number, training: boolean): Tensor {
    const grid = this.#grids[i];
    if (i === 0) return roundTensor(this.outputQuantizer!, x, training);
    // Integers beside a layer's first output count or point at something, such as the places of the highest values.
    if (!grid || x.dtype !== 'float32') return x;
    if (grid === 'own') return roundTensor(this.furtherQuantizers.get(i)!, x, training);
    const quantizer = 'of' in grid && this.#quantizerOf(grid.of);
    // The range has seen these values already.
    return quantizer && !quantizer.watcher ? roundTensor(quantizer, x) : x;
  }

  #quantizerOf(output: number): FakeQuantizer | undefined {
    return output === 0 ? this.outputQuantizer : this.furtherQuantizers.get(output);
  }

  #adderFor(rounded: string): AddVariable {
    return (name, shape, trainable) =>
      this.addWeight(`${rounded}_${name}`, shape, 'float32', initializers.zeros(), undefined, trainable);
  }

  #callLayer(inputs: Tensors, kwargs: Kwargs): Tensors {
    const quantizer = this.betweenQuantizer;
    const host = this.#host();
    if (specOf(host)?.kind === 'masking') {
      const [x] = [inputs].flat();
      return mul(x!, cast(expandDims(maskOf(host, x!), -1), x!.dtype));
    }
    // A copy: recurrent layers write into it, and the next layers are given the same.
    if (!quantizer) return this.layer.apply(inputs, {...kwargs}) as Tensors;
    const mode = {training: kwargs['training'] === true};
    return separableConvolution(this.layer, [inputs].flat()[0]!, x => quantizer.apply(x, mode));
  }

  #weightSwaps(): Swap[] {
    return this.weightQuantizers.map(weight => {
      const rounded = weight.quantized(this.#normFor(weight));
      return {host: weight.slot.host, attr: weight.slot.attr, value: {read: () => rounded}};
    });
  }

  #activationSwaps(training: boolean): Swap[] {
    const quantizer = this.beforeQuantizer;
    if (!quantizer) return [];
    const host = this.#host();
    return [activationSwap(host, (x, activate) => activate(roundTensor(quantizer, x, training)))];
  }

  /** The layer that computes: what TimeDistributed calls, or the layer itself. */
  #host(): Layer {
    return steppedLayer(this.layer) ?? this.layer;
  }

  /** The BatchNormalization that is folded into a weight: into the last one, if there are two. */
  #normFor(weight: WeightQuantizer): BatchNorm | undefined {
    if (!this.#folds || weight !== this.#foldedWeight) return undefined;
    const norm = this.#norm;
    if (norm) return norm;
    // A part of a model, saved without it: the range that was saved is of other numbers than those that are left.
    if (typeof this.#folds === 'object') {
      const {gain} = this.#folds;
      this.#folds = null;
      weight.restart(gain);
    }
    return undefined;
  }

  get #foldedWeight(): WeightQuantizer | undefined {
    return this.weightQuantizers[this.weightQuantizers.length - 1];
  }

  get #norm(): BatchNorm | undefined {
    // The first of them: others of its name come from calls that users made in models of their own.
    const norm = this.outboundNodes.map(({outboundLayer}) => outboundLayer).find(layer => this.#isFolded(layer));
    return norm && (unwrapped(norm) as unknown as BatchNorm);
  }

  /** With the gain of levels: they say nothing without it, and a part of a model may be saved without the BatchNormalization. */
  #savedFolds(): NonNullable<QuantizedLayerArgs['folds']> | null {
    const folds = this.#folds ?? null;
    if (typeof folds !== 'object' || folds === null) return folds;
    const {name, gain} = folds;
    const weight = this.#foldedWeight;
    const known = weight?.savesLevels ? (weight.gainOfLevels ?? gain) : undefined;
    return {name, ...(known && {gain: known})};
  }

  #isFolded(layer: Layer): boolean {
    const inner = unwrapped(layer);
    if (!isBatchNorm(inner)) return false;
    return typeof this.#folds === 'object' ? layer.name === this.#folds?.name : normalizesChannels(inner, this.layer);
  }
}

/** Rounds a model's input, or another value on its way to layers that compute with it. */
export class QuantizedInput extends tfLayers.Layer {
  static className = `${PACKAGE}>QuantizedInput`;

  outputQuantizer: FakeQuantizer | undefined;
  readonly #quantizer: SavedQuantizer;

  constructor(args: {name: string; quantizer: SavedQuantizer}) {
    super({name: args.name});
    this.#quantizer = args.quantizer;
    this.supportsMasking = true;
  }

  /** What the layer rounds. */
  get roundings(): Rounding[] {
    const {outputQuantizer: quantizer} = this;
    return quantizer ? [{what: 'output', of: 'activations', quantizer, fixed: this.#quantizer.fixed}] : [];
  }

  override build(inputShape: Shape | Shape[]): void {
    const add: AddVariable = (name, shape, trainable) =>
      this.addWeight(`output_${name}`, shape, 'float32', initializers.zeros(), undefined, trainable);
    const config = {...this.#quantizer, offTies: !this.#quantizer.fixed};
    this.outputQuantizer = quantizerFrom(config, rangeVariables(add, config), this.name);
    super.build(inputShape);
  }

  override call(inputs: Tensors, kwargs: Kwargs): Tensors {
    const x = Array.isArray(inputs) ? inputs[0]! : inputs;
    return tidy(() => roundTensor(this.outputQuantizer!, x, kwargs['training'] === true));
  }

  override getConfig(): serialization.ConfigDict {
    const quantizer = saved(this.#quantizer, this.outputQuantizer);
    return {...super.getConfig(), version: VERSION, quantizer} as serialization.ConfigDict;
  }

  static override fromConfig<T extends serialization.Serializable>(
    cls: serialization.SerializableConstructor<T>,
    config: serialization.ConfigDict,
  ): T {
    checkVersion(config['name'] as string, config['version']);
    checkSaved('QuantizedInput', config);
    return new cls(config);
  }
}

const {classNameMap} = serialization.SerializationMap.getMap();
for (const [name, cls] of Object.entries({QuantizedLayer, QuantizedInput})) {
  serialization.registerClass(cls, PACKAGE, name);
  // Models of version 0.1 have the name alone.
  classNameMap[name] = classNameMap[cls.className]!;
}
