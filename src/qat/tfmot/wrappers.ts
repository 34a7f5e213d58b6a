/** tfmot's own layers: so that models of Keras load here, and models of here load in Keras. */
import {fill, serialization, type Tensor, tidy, type Variable} from '@tensorflow/tfjs-core';
import {layers as tfLayers, LayersModel, type LayerVariable} from '@tensorflow/tfjs-layers';
import {FakeQuantizer} from '../../quantizer/fake_quantizer';
import type {FakeQuantizerOptions, Observer} from '../../quantizer/options';
import type {RangeMemory} from '../../quantizer/range';
import {type Container, isContainer, type Layer, type Shape} from '../../layers/graph';
import {
  activationSwap,
  type Config,
  configOf,
  isMarked,
  type Swap,
  swapped,
  type Tensors,
} from '../../layers/layer_wrapper';
import {
  NAME_OF_SITE,
  type RoundedWeight,
  type Rounding,
  roundingOf,
  roundTensor,
  QuantizingWrapper,
} from '../quantizing';
import {checkSaved, savedLayer} from '../saved_config';
import {minMaxCell} from './min_max_cell';

/** A class and its config, as tfjs has them once a file is read. */
export interface Serialized {
  readonly className: string;
  readonly config: Config;
}

/** What is quantized of a layer: tfmot's QuantizeConfig. */
export interface QuantizeConfig extends Serialized {
  readonly config: {
    readonly weightAttrs?: readonly string[];
    readonly activationAttrs?: readonly string[];
    readonly quantizeOutput?: boolean;
  };
}

/** tfmot never debiases, and starts its moving averages and weights from these. */
const START = 6;
const DECAY = 0.999;

const WEIGHTS = {observer: 'lastValue', symmetric: true, narrowRange: true} as const;
const ACTIVATIONS = {observer: 'movingAverage'} as const;

/** What tfmot rounds in front of an activation, and after it. */
const BEFORE = ['softmax', 'sigmoid', 'tanh', 'gelu'];
const AFTER = ['linear', 'relu', 'swish', 'gelu'];

/** Outputs that an Activation layer rounds. */
const ACTIVATION_OUTPUTS = ['relu', 'relu6', 'swish', 'gelu'];

const OBSERVERS: Readonly<Record<string, Observer>> = {
  LastValueQuantizer: 'lastValue',
  MovingAverageQuantizer: 'movingAverage',
  AllValuesQuantizer: 'allValues',
};

/** Whose variables are added: what Layer keeps to itself. */
interface Adder {
  addWeight: (
    name: string,
    shape: Shape,
    dtype: 'float32' | 'int32',
    initializer: {apply: (shape: number[], dtype: 'float32' | 'int32') => Tensor},
    regularizer: undefined,
    trainable: boolean,
  ) => LayerVariable;
}

function addConstant(layer: Layer, name: string, shape: Shape, value: number, dtype: 'float32' | 'int32' = 'float32') {
  const adder = layer as unknown as Adder;
  // tfjs's own constants are floats, whose cast to int32 it would not free.
  const initializer = {apply: (dims: number[], type: 'float32' | 'int32') => fill(dims, value, type)};
  return adder.addWeight(name, shape, dtype, initializer, undefined, false);
}

/** A quantizer with tfmot's variables. */
function addQuantizer(layer: Layer, name: string, shape: Shape, start: number, options: FakeQuantizerOptions) {
  const min = addConstant(layer, `${name}_min`, shape, -start);
  const max = addConstant(layer, `${name}_max`, shape, start);
  const all = {decay: DECAY, debias: false, name: layer.name, ...options};
  return FakeQuantizer.over(() => minMaxCell(min, max), all, shape[0] ?? undefined);
}

interface Activation {
  readonly name: string;
  /** Switched off by a pattern. */
  readonly isNoOp: boolean;
}

/** The activation in a wrapped layer's config: by name, or as tfmot wraps it. */
function activationIn(config: Config): Activation | undefined {
  const saved = config['activation'] as string | Serialized | undefined;
  if (saved === undefined) return undefined;
  if (typeof saved === 'string') return {name: saved, isNoOp: false};
  const within = saved.className === 'QuantizeAwareActivation' ? saved.config['activation'] : saved;
  if (typeof within === 'string') return {name: within, isNoOp: false};
  return {name: 'linear', isNoOp: (within as Serialized).className === 'NoOpActivation'};
}

/** What tfmot's wrappers take. */
export interface QuantizeWrapperArgs {
  readonly layer: Layer;
  readonly name: string;
  readonly quantizeConfig: QuantizeConfig;
  /** A pattern rounds after a later layer: nothing is rounded at the activation. */
  readonly isNoOp?: boolean;
}

const WRAPPER_V2: unique symbol = Symbol.for('tfjs-quantization.QuantizeWrapperV2');

/** A layer whose weights and activations are rounded as tfmot does. */
export class QuantizeWrapperV2 extends QuantizingWrapper {
  static className = 'QuantizeWrapperV2';

  static override [Symbol.hasInstance](value: unknown): boolean {
    return isMarked(value, WRAPPER_V2);
  }

  readonly [WRAPPER_V2] = true;

  readonly quantizeConfig: QuantizeConfig;
  /** Rounds the weights, by attribute. */
  readonly weightQuantizers = new Map<string, FakeQuantizer>();
  preActivation: FakeQuantizer | undefined;
  postActivation: FakeQuantizer | undefined;
  outputQuantizer: FakeQuantizer | undefined;
  readonly #isNoOp: boolean;

  constructor(args: QuantizeWrapperArgs) {
    super(args.layer, args.name);
    this.quantizeConfig = args.quantizeConfig;
    this.#isNoOp = args.isNoOp ?? false;
  }

  get roundings(): Rounding[] {
    return [
      ...[...this.weightQuantizers].map(([what, quantizer]) => ({of: 'weights' as const, what, quantizer})),
      ...roundingOf(NAME_OF_SITE.before, this.preActivation),
      ...roundingOf('activation', this.postActivation),
      ...roundingOf(NAME_OF_SITE.output, this.outputQuantizer),
    ];
  }

  /** As a step of training does, which alone measures weights in tfmot. */
  measureWeights(): RangeMemory[] {
    const host = this.layer as unknown as Record<string, LayerVariable>;
    return [...this.weightQuantizers].map(([attr, quantizer]) => {
      const before = quantizer.remember();
      tidy(() => void quantizer.apply(host[attr]!.read(), {training: true}));
      return before;
    });
  }

  override roundedWeights(): RoundedWeight[] {
    const host = this.layer as unknown as Record<string, LayerVariable>;
    return [...this.weightQuantizers].map(([name, quantizer]) => ({
      name,
      quantizer,
      rounded: () => quantizer.apply(host[name]!.read()),
      shape: host[name]!.shape as number[],
      norm: undefined,
    }));
  }

  override assignRounded(copy: Layer): void {
    const [from, to] = [this.layer, copy] as unknown as Record<string, LayerVariable>[];
    for (const [attr, quantizer] of this.weightQuantizers) {
      tidy(() => (to![attr]!.read() as Variable).assign(quantizer.apply(from![attr]!.read())));
    }
  }

  override build(inputShape: Shape | Shape[]): void {
    this.buildLayer(inputShape);
    nameAfter(this.layer, this.name, this.layer.name);
    addConstant(this, 'optimizer_step', [], -1, 'int32');
    for (const attr of this.quantizeConfig.config.weightAttrs ?? []) this.#addWeightQuantizer(attr);
    const activation = this.#quantizedActivation();
    const add = (name: string) => addQuantizer(this, name, [], START, ACTIVATIONS);
    if (activation && BEFORE.includes(activation)) this.preActivation = add('pre_activation');
    if (activation && AFTER.includes(activation)) this.postActivation = add('post_activation');
    if (this.#roundsOutput()) this.outputQuantizer = add('output');
    this.built = true;
  }

  override call(inputs: Tensors, kwargs: Config): Tensors {
    return tidy(() => {
      const mode = {training: kwargs['training'] === true};
      const outputs = swapped([...this.#weightSwaps(mode), ...this.#activationSwaps(mode)], () =>
        this.layer.apply(inputs, {...kwargs}),
      ) as Tensors;
      const {outputQuantizer: quantizer} = this;
      if (!quantizer) return outputs;
      const [first, ...others] = [outputs].flat();
      const rounded = roundTensor(quantizer, first!, mode.training);
      return Array.isArray(outputs) ? [rounded, ...others] : rounded;
    });
  }

  override getConfig(): serialization.ConfigDict {
    const config = configOf(this.layer);
    const layer = {className: this.layer.getClassName(), config: {...config, ...this.#savedActivation(config)}};
    return {...super.getConfig(), layer, quantizeConfig: this.quantizeConfig} as unknown as serialization.ConfigDict;
  }

  static override fromConfig<T extends serialization.Serializable>(
    cls: serialization.SerializableConstructor<T>,
    config: serialization.ConfigDict,
  ): T {
    checkSaved('QuantizeWrapper', config);
    const {className, config: saved} = config['layer'] as unknown as Serialized;
    const activation = activationIn(saved);
    const named = {...saved, ...(activation && {activation: activation.name})};
    const layer = savedLayer(config['name'], {className, config: named});
    return new cls({...config, layer, isNoOp: activation?.isNoOp ?? false});
  }

  #addWeightQuantizer(attr: string): void {
    const weight = (this.layer as unknown as Record<string, LayerVariable>)[attr];
    if (!weight) throw new Error(`Layer ${this.layer.name} has no ${attr} to quantize.`);
    const perAxis = this.quantizeConfig.className === 'Default8BitConvQuantizeConfig';
    const shape = perAxis ? weight.shape.slice(-1) : [];
    const axis = perAxis ? {axis: weight.shape.length - 1} : {};
    const name = attr.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`);
    this.weightQuantizers.set(attr, addQuantizer(this, name, shape, START, {...WEIGHTS, ...axis}));
  }

  /** The activation's name, if its place is rounded. */
  #quantizedActivation(): string | undefined {
    if (this.#isNoOp || !this.quantizeConfig.config.activationAttrs?.length) return undefined;
    const {activation} = this.layer as unknown as {activation: {getClassName(): string}};
    return activation.getClassName();
  }

  #roundsOutput(): boolean {
    const {className, config} = this.quantizeConfig;
    if (className === 'NoOpQuantizeConfig') return false;
    if (className === 'Default8BitActivationQuantizeConfig') {
      const {activation} = this.layer as unknown as {activation: {getClassName(): string}};
      return config.quantizeOutput !== false && ACTIVATION_OUTPUTS.includes(activation.getClassName());
    }
    // tfmot's older versions saved no quantize_output here.
    return config.quantizeOutput ?? className === 'Default8BitOutputQuantizeConfig';
  }

  #savedActivation({activation}: Config): Config {
    if (!this.quantizeConfig.config.activationAttrs?.length) return {};
    const within = this.#isNoOp ? {className: 'NoOpActivation', config: {}} : activation;
    return {activation: {className: 'QuantizeAwareActivation', config: {activation: within}}};
  }

  #weightSwaps(mode: {training: boolean}): Swap[] {
    const host = this.layer as unknown as Record<string, LayerVariable>;
    return [...this.weightQuantizers].map(([attr, quantizer]) => {
      const rounded = quantizer.apply(host[attr]!.read(), mode);
      return {host, attr, value: {read: () => rounded}};
    });
  }

  #activationSwaps(mode: {training: boolean}): Swap[] {
    const {preActivation: before, postActivation: after} = this;
    if (!before && !after) return [];
    const round = (quantizer: FakeQuantizer | undefined, x: Tensor) =>
      quantizer ? roundTensor(quantizer, x, mode.training) : x;
    return [activationSwap(this.layer, (x, activate) => round(after, activate(round(before, x))))];
  }
}

/** The wrapper of tfmot's first versions. */
class QuantizeWrapper extends QuantizeWrapperV2 {
  static override className = 'QuantizeWrapper';
}

/** Rounds an input as tfmot does. */
export class QuantizeLayer extends tfLayers.Layer {
  static className = 'QuantizeLayer';

  outputQuantizer: FakeQuantizer | undefined;
  readonly #quantizer: Serialized | null;

  constructor(args: {name: string; quantizer?: Serialized | null}) {
    super({name: args.name});
    this.#quantizer = args.quantizer ?? null;
    this.supportsMasking = true;
  }

  get roundings(): Rounding[] {
    return roundingOf(NAME_OF_SITE.output, this.outputQuantizer);
  }

  override build(inputShape: Shape | Shape[]): void {
    if (this.#quantizer) {
      const {className, config} = this.#quantizer;
      const observer = OBSERVERS[className]!;
      const {numBits, symmetric, narrowRange} = config as {
        numBits?: number;
        symmetric?: boolean;
        narrowRange?: boolean;
      };
      const options = {
        numBits: numBits ?? 8,
        symmetric: symmetric ?? false,
        narrowRange: narrowRange ?? false,
        observer,
      };
      this.outputQuantizer = addQuantizer(this, this.name, [], observer === 'allValues' ? 0 : START, options);
    }
    addConstant(this, 'optimizer_step', [], -1, 'int32');
    super.build(inputShape);
  }

  override call(inputs: Tensors, kwargs: Config): Tensors {
    const x = Array.isArray(inputs) ? inputs[0]! : inputs;
    const {outputQuantizer: quantizer} = this;
    return tidy(() => (quantizer ? roundTensor(quantizer, x, kwargs['training'] === true) : x));
  }

  override getConfig(): serialization.ConfigDict {
    return {...super.getConfig(), quantizer: this.#quantizer} as serialization.ConfigDict;
  }

  static override fromConfig<T extends serialization.Serializable>(
    cls: serialization.SerializableConstructor<T>,
    config: serialization.ConfigDict,
  ): T {
    checkSaved('QuantizeLayer', config);
    return new cls(config);
  }
}

/** The names under which variables are saved: the inner layer's own, as in Keras. */
function nameAfter(layer: Layer, from: string, to: string): void {
  for (const variable of layer.weights) {
    const named = variable as {originalName: string};
    if (named.originalName.startsWith(`${from}/`)) named.originalName = to + named.originalName.slice(from.length);
  }
}

/**
 * A wrapped layer's variables have its own name or, once Keras has loaded the model from a file, the wrapper's: lets
 * models find either.
 */
function acceptBothNames(): void {
  const models = Object.getPrototypeOf(LayersModel.prototype) as {loadWeights: LoadWeights & {acceptsBoth?: boolean}};
  const {loadWeights} = models;
  if (loadWeights.acceptsBoth) return;
  models.loadWeights = function (this: Container, weights: Record<string, Tensor>, strict?: boolean) {
    const wrappers = wrappersIn(this);
    loadWeights.call(this, wrappers.length > 0 ? renamed(weights, wrappers) : weights, strict);
  };
  models.loadWeights.acceptsBoth = true;
}

/** Without building a Sequential, which changes it. */
function wrappersIn({layers}: Container): QuantizeWrapperV2[] {
  return layers.flatMap(layer => {
    if (isContainer(layer)) return wrappersIn(layer);
    return layer instanceof QuantizeWrapperV2 ? [layer] : [];
  });
}

type LoadWeights = (this: Container, weights: Record<string, Tensor>, strict?: boolean) => void;

function renamed(weights: Record<string, Tensor>, wrappers: readonly QuantizeWrapperV2[]): Record<string, Tensor> {
  const names = new Map(
    wrappers.flatMap(({name, layer}) =>
      layer.weights.map(({originalName}) => [name + originalName.slice(layer.name.length), originalName] as const),
    ),
  );
  return Object.fromEntries(Object.entries(weights).map(([name, value]) => [names.get(name) ?? name, value]));
}

for (const cls of [QuantizeWrapperV2, QuantizeWrapper, QuantizeLayer]) serialization.registerClass(cls);
acceptBothNames();
