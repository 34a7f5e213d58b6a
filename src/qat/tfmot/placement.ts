/** Which quantizers tfmot's quantize_model gives to which layers. */
import {type FlatGraph, type Layer, type Op, soleConsumer} from '../../layers/graph';
import {activationOf} from '../../layers/kinds';
import type {QuantizeConfig} from './wrappers';

/** What tfmot does with a layer. */
export interface TfmotPlace {
  readonly quantizeConfig: QuantizeConfig;
  /** Whether a pattern switches its activation's quantizer off. */
  readonly isNoOp: boolean;
}

/** A layer that tfmot would refuse. */
export interface TfmotProblem {
  readonly layer: string;
  readonly message: string;
}

type ConfigOf = (layer: Layer) => QuantizeConfig;

function plain(className: string, weightAttrs: string[], activationAttrs: string[], quantizeOutput: boolean): ConfigOf {
  return () => ({className, config: {weightAttrs, activationAttrs, quantizeOutput}});
}

const NOTHING = plain('Default8BitQuantizeConfig', [], [], false);
const OUTPUT = plain('Default8BitQuantizeConfig', [], [], true);

const REGISTRY: Readonly<Record<string, ConfigOf>> = {
  Dense: plain('Default8BitQuantizeConfig', ['kernel'], ['activation'], false),
  Conv2D: plain('Default8BitConvQuantizeConfig', ['kernel'], ['activation'], false),
  DepthwiseConv2D: plain('Default8BitConvQuantizeConfig', ['depthwiseKernel'], ['activation'], false),
  Conv2DTranspose: plain('Default8BitConvTransposeQuantizeConfig', ['kernel'], ['activation'], false),
  Activation: () => ({className: 'Default8BitActivationQuantizeConfig', config: {quantizeOutput: true}}),
  ...Object.fromEntries(
    [
      'ReLU',
      'LeakyReLU',
      'Concatenate',
      'UpSampling2D',
      'AveragePooling1D',
      'AveragePooling2D',
      'GlobalAveragePooling1D',
      'GlobalAveragePooling2D',
      'Add',
    ].map(name => [name, OUTPUT]),
  ),
  ...Object.fromEntries(
    [
      'Softmax',
      'Flatten',
      'Reshape',
      'Permute',
      'Dropout',
      'SpatialDropout1D',
      'ZeroPadding2D',
      'Cropping2D',
      'MaxPooling2D',
      'GlobalMaxPooling1D',
      'GlobalMaxPooling2D',
    ].map(name => [name, NOTHING]),
  ),
};

const NO_OP: QuantizeConfig = {className: 'NoOpQuantizeConfig', config: {}};
const OUTPUT_ONLY: QuantizeConfig = {className: 'Default8BitOutputQuantizeConfig', config: {quantizeOutput: true}};

const AWARE = ['linear', 'relu', 'swish', 'softmax', 'sigmoid', 'tanh', 'gelu'];
const ACTIVATION_LAYERS = ['relu', 'relu6', 'swish', 'gelu', 'linear', 'softmax', 'sigmoid', 'tanh'];

/** The layers of a model as tfmot's patterns see them. */
class Patterns {
  readonly problems: TfmotProblem[] = [];
  readonly #flat: FlatGraph;
  readonly #configs = new Map<Layer, QuantizeConfig>();
  readonly #noOps = new Set<Layer>();

  constructor(flat: FlatGraph) {
    this.#flat = flat;
    const ops = flat.ops.filter(({layer}) => layer.getClassName() !== 'InputLayer');
    for (const op of ops) this.#foldNorm(op, 'Conv');
    for (const op of ops) this.#concatenate(op);
    for (const op of ops) this.#foldNorm(op, 'Dense');
    for (const op of ops) this.#beforeRelu(op);
    for (const {layer} of ops) this.#default(layer);
  }

  places(): ReadonlyMap<Layer, TfmotPlace> {
    return new Map(
      [...this.#configs].map(([layer, quantizeConfig]) => [layer, {quantizeConfig, isNoOp: this.#noOps.has(layer)}]),
    );
  }

  #foldNorm(op: Op, kind: 'Conv' | 'Dense'): void {
    const isFirst = kind === 'Dense' ? op.layer.getClassName() === 'Dense' : isConv(op.layer);
    const norm = soleConsumer(this.#flat, op);
    if (!isFirst || activationOf(op.layer) !== 'linear' || norm?.layer.getClassName() !== 'BatchNormalization') return;
    this.#noOps.add(op.layer);
    const last = soleConsumer(this.#flat, norm);
    const isFused = kind === 'Conv' && last !== undefined && isRelu(last.layer);
    if (!this.#configs.has(norm.layer)) this.#configs.set(norm.layer, isFused ? NO_OP : OUTPUT_ONLY);
  }

  #beforeRelu(op: Op): void {
    const next = soleConsumer(this.#flat, op);
    const name = op.layer.getClassName();
    if (next && isRelu(next.layer) && (name === 'Add' || name === 'Dense' || isConv(op.layer))) {
      this.#configs.set(op.layer, NO_OP);
    }
  }

  /** What feeds a concatenation only is rounded after it. */
  #concatenate(op: Op): void {
    if (op.layer.getClassName() !== 'Concatenate' || op.inputs.length > 6) return;
    const feeds = op.inputs.map(input => this.#flat.ops.find(({outputs}) => outputs.includes(input)));
    if (
      !feeds.every(
        feed =>
          feed !== undefined && feed.layer.getClassName() !== 'InputLayer' && soleConsumer(this.#flat, feed) === op,
      )
    ) {
      return;
    }
    const layers = feeds.map(feed => feed!.layer);
    if (!layers.every(layer => this.#configs.has(layer) || REGISTRY[layer.getClassName()])) return;
    for (const layer of layers) this.#configs.set(layer, this.#withoutOutput(layer));
    if (!this.#configs.has(op.layer)) this.#configs.set(op.layer, OUTPUT_ONLY);
  }

  #withoutOutput(layer: Layer): QuantizeConfig {
    const known = this.#configs.get(layer);
    if (!known && layer.getClassName() === 'Concatenate') return NO_OP;
    const config = known ?? REGISTRY[layer.getClassName()]!(layer);
    if (config.className === 'NoOpQuantizeConfig') return config;
    return {...config, config: {...config.config, quantizeOutput: false}};
  }

  #default(layer: Layer): void {
    if (!this.#configs.has(layer)) {
      const config = REGISTRY[layer.getClassName()];
      if (!config) {
        this.problems.push({
          layer: layer.name,
          message: `layer ${layer.name} is of the class ${layer.getClassName()}, which tfmot's scheme does not support here. Leave it as it is: layers: {${layer.name}: false}.`,
        });
        return;
      }
      this.#configs.set(layer, config(layer));
    }
    this.#checkActivation(layer, this.#configs.get(layer)!);
  }

  #checkActivation(layer: Layer, {className, config}: QuantizeConfig): void {
    const isActivation = className === 'Default8BitActivationQuantizeConfig';
    const known = isActivation ? ACTIVATION_LAYERS : AWARE;
    if (!isActivation && !config.activationAttrs?.length) return;
    const name = activationOf(layer);
    if (!known.includes(name))
      this.problems.push({
        layer: layer.name,
        message: `layer ${layer.name} has the activation ${name}, which tfmot's scheme does not support. Leave it as it is: layers: {${layer.name}: false}.`,
      });
  }
}

function isConv(layer: Layer): boolean {
  return ['Conv2D', 'DepthwiseConv2D', 'Conv2DTranspose'].includes(layer.getClassName());
}

function isRelu(layer: Layer): boolean {
  const name = layer.getClassName();
  return name === 'ReLU' || (name === 'Activation' && activationOf(layer) === 'relu');
}

/** What tfmot does with each layer of a model, and what it would not do at all. */
export function placeAsTfmot(flat: FlatGraph): {
  places: ReadonlyMap<Layer, TfmotPlace>;
  problems: readonly TfmotProblem[];
} {
  const patterns = new Patterns(flat);
  return {places: patterns.places(), problems: patterns.problems};
}
