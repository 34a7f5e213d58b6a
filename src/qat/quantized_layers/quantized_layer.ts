/** The layer that a quantized model has around each layer with something to round. */
import {
  cast,
  clipByValue,
  customGrad,
  engine,
  expandDims,
  mul,
  type serialization,
  type Tensor,
  tidy,
  zerosLike,
} from '@tensorflow/tfjs-core';
import {initializers} from '@tensorflow/tfjs-layers';
import {assign} from '../../layers/assign';
import {isBatchNorm, normalizesChannels} from '../../layers/folding';
import {type Layer, type Shape, steppedLayer} from '../../layers/graph';
import {makesMask, reluOf} from '../../layers/kinds';
import {isMarked, type Tensors, unwrapped} from '../../layers/layer_wrapper';
import {cellStatesOf, gridsOfOutputs, nameOfGrid, nameOfOutput} from '../../layers/outputs';
import {separableConvolution} from '../../layers/separable';
import {type Config, configOf} from '../../layers/serialization';
import {specOf} from '../../layers/specs';
import type {OutputGrid} from '../../layers/specs/layer_spec';
import {activationSwap, type Swap, swapped} from '../../layers/swapped';
import {asBatchNorm, attributesOf, type BatchNorm, weightOf} from '../../layers/tfjs_internals';
import {type CustomWeights, type Slot, slotsOf} from '../../layers/weights';
import type {FakeQuantizer} from '../../quantizer/fake_quantizer';
import type {NewCell} from '../../quantizer/range';
import {endingWith, quantizerFrom, type SavedQuantizer, savedQuantizer} from './layer_quantizer';
import {
  NAME_OF_SITE,
  QuantizingWrapper,
  type RoundedWeight,
  type Rounding,
  roundingOf,
  roundTensor,
  settle,
} from './quantizing';
import {checkSaved, checkVersion, PACKAGE, refuseSaved, savedLayer, VERSION} from './saved_config';
import {type RoundedCell, RoundedStates} from './rounded_states';
import {channelsIn, WeightQuantizer} from './weight_quantizer';

type Kwargs = Record<string, unknown>;

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
  /** Rounds the states of cells on every step, and gives each gate of an LSTM that runtimes have whole one range. Once it did not. */
  readonly states?: boolean;
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

const OF_FIRST_FORMAT: OutputGrid = {float: 'made by version 0.1, which rounded the first output alone'};
const NOT_ON_STEPS: OutputGrid = {float: 'the state inside an LSTM: models that are quantized anew keep it in 16 bits'};

/** How the state inside an LSTM is rounded: as runtimes keep it. */
const CELL_STATE = {numBits: 16, symmetric: true, powerOfTwo: true} as const;

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
  /** Round the states of cells that are on grids of their own, by what they are called. */
  readonly stateQuantizers = new Map<string, FakeQuantizer>();
  #cells: readonly RoundedCell[] = [];
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
    const fixed = this.#args.output?.fixed;
    return [
      ...this.weightQuantizers.map(({slot, quantizer}) => ({of: 'weights' as const, what: slot.name, quantizer})),
      ...roundingOf(NAME_OF_SITE.between, this.betweenQuantizer),
      ...roundingOf(NAME_OF_SITE.before, this.beforeQuantizer),
      ...roundingOf(NAME_OF_SITE.output, this.outputQuantizer, fixed),
      ...[...this.furtherQuantizers].flatMap(([i, quantizer]) => roundingOf(nameOfOutput(i), quantizer)),
      ...[...this.stateQuantizers].flatMap(([name, quantizer]) => roundingOf(name as `${string} state`, quantizer)),
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
      assign(host[attr]!, () => weight.quantized(this.#normFor(weight)));
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
    const compares = makesMask(layer) || attributesOf(layer).maskZero === true;
    return compares ? tidy(() => maskOf(layer, [inputs].flat()[0]!)) : super.computeMask(inputs, mask);
  }

  override call(inputs: Tensors, kwargs: Kwargs): Tensors {
    return tidy(() => {
      const training = kwargs['training'] === true;
      const [x] = [inputs].flat();
      const relu = this.#reluInPrediction(x!, training);
      const rounded = relu === undefined ? undefined : this.outputQuantizer?.roundRelu(x!, relu);
      if (rounded) return rounded;
      const states = new RoundedStates(training);
      try {
        const swaps = [...this.#weightSwaps(), ...this.#activationSwaps(training), ...states.swaps(this.#cells)];
        // tfjs's layer would clip in a pass of its own.
        const clipped = relu === undefined || relu === Infinity ? undefined : clipByValue(x!, 0, relu);
        const outputs = clipped ?? swapped(swaps, () => this.#callLayer(inputs, kwargs));
        if (!this.outputQuantizer) return outputs;
        states.observe();
        // A fixed range too is set by the first batch: until then nothing is rounded.
        if (training) settle(this.roundings);
        if (!Array.isArray(outputs)) return this.#roundedOutput(outputs, 0, training, states);
        return outputs.map((x, i) => this.#roundedOutput(x, i, training, states));
      } finally {
        states.dispose();
      }
    });
  }

  /** Frees what is kept for predictions, until the next one. */
  forget(): void {
    for (const weight of this.weightQuantizers) weight.forget();
    for (const {quantizer} of this.roundings) quantizer.forget();
  }

  override getConfig(): serialization.ConfigDict {
    const {before = null, between = null, output = null, allOutputs = false, customWeights = null} = this.#args;
    const {states = false, reason, leftOut = []} = this.#args;
    return {
      ...super.getConfig(),
      version: VERSION,
      layer: {className: this.layer.getClassName(), config: configOf(this.layer)},
      weights: this.#savedWeights(),
      before: savedQuantizer(before, this.beforeQuantizer),
      between: savedQuantizer(between, this.betweenQuantizer),
      output: savedQuantizer(output, this.outputQuantizer),
      allOutputs,
      states,
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
    checkVersion(config['name'], config['version']);
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
    const weights = (customWeights ?? []).flatMap(({name, axis}) => {
      const rank = weightOf(this.layer, name)?.read?.().rank;
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
    const config = savedQuantizer(weights, weight?.quantizer);
    return config && {...config, levels: weight?.savesLevels ?? false};
  }

  #slots(layer: Layer): Slot[] {
    const slots = slotsOf(layer, this.#custom());
    // Once each column had a range of its own.
    return this.#args.states ? slots : slots.map(slot => (slot.axis === 'gates' ? {...slot, axis: 1} : slot));
  }

  #weightQuantizer(slot: Slot, config: SavedQuantizer): WeightQuantizer {
    const channels = (config.perChannel ?? true) ? channelsIn(slot) : undefined;
    const quantizer = quantizerFrom(config, this.#cellsOf(slot.name), `${this.name}/${slot.name}`, channels);
    return new WeightQuantizer(slot, quantizer, config.levels);
  }

  #activationQuantizer(name: string, config: SavedQuantizer): FakeQuantizer {
    return quantizerFrom(config, this.#cellsOf(name), this.name);
  }

  #addOutputQuantizers(config: SavedQuantizer, inputShape: Shape | Shape[]): void {
    this.outputQuantizer = this.#activationQuantizer('output', config);
    const shapes = this.computeOutputShape(inputShape);
    const grids = gridsOfOutputs(this.layer, Array.isArray(shapes[0]) ? shapes.length : 1);
    this.#grids = grids.map((grid, i) => this.#gridHere(grid, i));
    this.#grids.forEach((grid, i) => {
      if (i === 0 || grid !== 'own') return;
      this.furtherQuantizers.set(i, this.#activationQuantizer(nameOfOutput(i).replace(' ', '_'), config));
    });
    if (this.#args.states) this.#addStateQuantizers(config);
  }

  #addStateQuantizers(config: SavedQuantizer): void {
    const {observing = true, quantizing = true} = config;
    const inner = {...CELL_STATE, observing, quantizing};
    const ofItsOwn = Object.entries(config).filter(([key]) => key !== 'fixed' && key !== 'pinned');
    const moving = Object.fromEntries(ofItsOwn) as SavedQuantizer;
    const cells = cellStatesOf(this.layer).filter(({grids}) => !grids.includes('own'));
    this.#cells = cells.map(({cell, grids}) => {
      grids.forEach((grid, i) => {
        if (typeof grid === 'string' || !('state' in grid)) return;
        const name = grid.state.replaceAll(' ', '_');
        this.stateQuantizers.set(grid.state, this.#activationQuantizer(name, i === 0 ? moving : inner));
      });
      return {cell, quantizers: grids.map(grid => this.#quantizerOf(grid))};
    });
  }

  /** The grid of an output of a layer as it was when it was made. */
  #gridHere(grid: OutputGrid, i: number): OutputGrid {
    const {allOutputs, states} = this.#args;
    if (i > 0 && !allOutputs) return OF_FIRST_FORMAT;
    if (states || typeof grid === 'string' || !('state' in grid)) return grid;
    return grid.state.endsWith('hidden state') ? 'own' : NOT_ON_STEPS;
  }

  /** The highest value of a layer that is nothing but a ReLU, in a prediction; undefined of others, and where gradients pass. */
  #reluInPrediction(x: Tensor, training: boolean): number | undefined {
    if (training || this.beforeQuantizer || x.dtype !== 'float32' || engine().state.gradientDepth > 0) return undefined;
    return reluOf(this.layer);
  }

  #roundedOutput(x: Tensor, i: number, training: boolean, states: RoundedStates): Tensor {
    // Integers beside a layer's first output count or point at something, such as the places of the highest values.
    if (i > 0 && x.dtype !== 'float32') return x;
    const grid = i === 0 ? 'own' : this.#grids[i]!;
    const quantizer = this.#quantizerOf(grid, i);
    if (!quantizer) return x;
    // The range has seen these values already.
    const isKnown = grid !== 'own' || states.hasSeen(quantizer);
    if (isKnown && quantizer.watcher) return x;
    return roundTensor(quantizer, x, training && !isKnown);
  }

  /** What rounds to a grid, which may be that of an output. */
  #quantizerOf(grid: OutputGrid, index = 0): FakeQuantizer | undefined {
    const name = nameOfGrid(grid, index);
    return this.roundings.find(({what}) => what === name)?.quantizer;
  }

  #cellsOf(rounded: string): NewCell {
    return (name, shape, trainable) =>
      endingWith(
        this.addWeight(`${rounded}_${name}`, shape, 'float32', initializers.zeros(), undefined, trainable),
        () => this.forget(),
      );
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
    return norm && asBatchNorm(unwrapped(norm));
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
