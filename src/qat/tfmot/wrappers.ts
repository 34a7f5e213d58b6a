/** tfmot's wrappers of layers: so that models of Keras load here, and models of here load in Keras. */
import {serialization, type Tensor, tidy} from '@tensorflow/tfjs-core';
import type {LayerVariable} from '@tensorflow/tfjs-layers';
import {assign} from '../../layers/assign';
import type {Layer, Shape} from '../../layers/graph';
import {isMarked, type Tensors} from '../../layers/layer_wrapper';
import {type Config, configOf, type Serialized} from '../../layers/serialization';
import {activationSwap, type Swap, swapped} from '../../layers/swapped';
import {attributesOf, weightOf} from '../../layers/tfjs_internals';
import type {FakeQuantizer} from '../../quantizer/fake_quantizer';
import type {RangeMemory} from '../../quantizer/range';
import {
  NAME_OF_SITE,
  type RoundedWeight,
  type Rounding,
  roundingOf,
  roundTensor,
  QuantizingWrapper,
} from '../quantized_layers/quantizing';
import {checkSaved, savedLayer} from '../quantized_layers/saved_config';
import {addOptimizerStep, addQuantizer, START} from './variables';
import {acceptBothNames, nameAfterLayer} from './weight_names';

/** What is quantized of a layer: tfmot's QuantizeConfig. */
export interface QuantizeConfig extends Serialized {
  readonly config: {
    readonly weightAttrs?: readonly string[];
    readonly activationAttrs?: readonly string[];
    readonly quantizeOutput?: boolean;
  };
}

const WEIGHTS = {observer: 'lastValue', symmetric: true, narrowRange: true} as const;
const ACTIVATIONS = {observer: 'movingAverage'} as const;

/** What tfmot rounds in front of an activation, and after it. */
const BEFORE = ['softmax', 'sigmoid', 'tanh', 'gelu'];
const AFTER = ['linear', 'relu', 'swish', 'gelu'];

/** Outputs that an Activation layer rounds. */
const ACTIVATION_OUTPUTS = ['relu', 'relu6', 'swish', 'gelu'];

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
    acceptBothNames(layer => layer instanceof QuantizeWrapperV2);
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
    return [...this.weightQuantizers].map(([attr, quantizer]) => {
      const before = quantizer.remember();
      tidy(() => void quantizer.apply(this.#weight(attr).read(), {training: true}));
      return before;
    });
  }

  override roundedWeights(): RoundedWeight[] {
    return [...this.weightQuantizers].map(([name, quantizer]) => ({
      name,
      quantizer,
      rounded: () => quantizer.apply(this.#weight(name).read()),
      shape: this.#weight(name).shape as number[],
      norm: undefined,
    }));
  }

  override assignRounded(copy: Layer): void {
    for (const [attr, quantizer] of this.weightQuantizers) {
      assign(weightOf(copy, attr)!, () => quantizer.apply(this.#weight(attr).read()));
    }
  }

  override build(inputShape: Shape | Shape[]): void {
    this.buildLayer(inputShape);
    nameAfterLayer(this);
    addOptimizerStep(this);
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

  /** One of those that are rounded. */
  #weight(attr: string): LayerVariable {
    return weightOf(this.layer, attr)!;
  }

  #addWeightQuantizer(attr: string): void {
    const weight = weightOf(this.layer, attr);
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
    return attributesOf(this.layer).activation!.getClassName();
  }

  #roundsOutput(): boolean {
    const {className, config} = this.quantizeConfig;
    if (className === 'NoOpQuantizeConfig') return false;
    if (className === 'Default8BitActivationQuantizeConfig') {
      const activation = attributesOf(this.layer).activation!.getClassName();
      return config.quantizeOutput !== false && ACTIVATION_OUTPUTS.includes(activation);
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
    return [...this.weightQuantizers].map(([attr, quantizer]) => {
      const rounded = quantizer.apply(this.#weight(attr).read(), mode);
      return {host: this.layer, attr, value: {read: () => rounded}};
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
export class QuantizeWrapper extends QuantizeWrapperV2 {
  static override className = 'QuantizeWrapper';
}
