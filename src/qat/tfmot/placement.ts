/** Which quantizers tfmot's quantize_model gives to which layers. */
import {isBatchNorm} from '../../layers/folding';
import {type FlatGraph, isInput, type Layer, type Op} from '../../layers/graph';
import {activationOf} from '../../layers/kinds';
import {specOf} from '../../layers/specs';
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

/** What tfmot's registry says of a layer by itself; undefined of those that it refuses. */
function registered(layer: Layer): QuantizeConfig | undefined {
  const {tfmot, weights = {}} = specOf(layer) ?? {};
  const config = (className: string, weightAttrs: string[], activationAttrs: string[], quantizeOutput: boolean) => ({
    className,
    config: {weightAttrs, activationAttrs, quantizeOutput},
  });
  const multiplying = (className: string) => config(className, Object.keys(weights), ['activation'], false);
  switch (tfmot) {
    case 'weights':
      return multiplying('Default8BitQuantizeConfig');
    case 'weightsPerChannel':
      return multiplying('Default8BitConvQuantizeConfig');
    case 'weightsTransposed':
      return multiplying('Default8BitConvTransposeQuantizeConfig');
    case 'activation':
      return {className: 'Default8BitActivationQuantizeConfig', config: {quantizeOutput: true}};
    case 'output':
    case 'nothing':
      return config('Default8BitQuantizeConfig', [], [], tfmot === 'output');
    default:
      return undefined;
  }
}

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
    const ops = flat.ops.filter(({layer}) => !isInput(layer));
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

  /** The one op that takes what an op gives, if nobody else wants it. */
  #after({outputs}: Op): Op | undefined {
    return this.#flat.soleConsumer(outputs[0]!);
  }

  #foldNorm(op: Op, kind: 'Conv' | 'Dense'): void {
    const isFirst = kind === 'Dense' ? isDense(op.layer) : isConv(op.layer);
    const norm = this.#after(op);
    if (!isFirst || activationOf(op.layer) !== 'linear' || !norm || !isBatchNorm(norm.layer)) return;
    this.#noOps.add(op.layer);
    const last = this.#after(norm);
    const isFused = kind === 'Conv' && last !== undefined && isRelu(last.layer);
    if (!this.#configs.has(norm.layer)) this.#configs.set(norm.layer, isFused ? NO_OP : OUTPUT_ONLY);
  }

  #beforeRelu(op: Op): void {
    const next = this.#after(op);
    const isAdd = op.layer.getClassName() === 'Add';
    if (next && isRelu(next.layer) && (isAdd || isDense(op.layer) || isConv(op.layer))) {
      this.#configs.set(op.layer, NO_OP);
    }
  }

  /** What feeds a concatenation only is rounded after it. */
  #concatenate(op: Op): void {
    if (!isConcat(op.layer) || op.inputs.length > 6) return;
    const feeds = op.inputs.map(input => this.#flat.producer(input));
    if (!feeds.every(feed => feed !== undefined && !isInput(feed.layer) && this.#after(feed) === op)) return;
    const layers = feeds.map(feed => feed!.layer);
    if (!layers.every(layer => this.#configs.has(layer) || registered(layer))) return;
    for (const layer of layers) this.#configs.set(layer, this.#withoutOutput(layer));
    if (!this.#configs.has(op.layer)) this.#configs.set(op.layer, OUTPUT_ONLY);
  }

  #withoutOutput(layer: Layer): QuantizeConfig {
    const known = this.#configs.get(layer);
    if (!known && isConcat(layer)) return NO_OP;
    const config = known ?? registered(layer)!;
    if (config.className === 'NoOpQuantizeConfig') return config;
    return {...config, config: {...config.config, quantizeOutput: false}};
  }

  #default(layer: Layer): void {
    if (!this.#configs.has(layer)) {
      const config = registered(layer);
      if (!config) {
        this.problems.push({
          layer: layer.name,
          message: `layer ${layer.name} is of the class ${layer.getClassName()}, which tfmot's scheme does not support here. Leave it as it is: layers: {${layer.name}: false}.`,
        });
        return;
      }
      this.#configs.set(layer, config);
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
  const tfmot = specOf(layer)?.tfmot;
  return tfmot === 'weightsPerChannel' || tfmot === 'weightsTransposed';
}

function isDense(layer: Layer): boolean {
  return specOf(layer)?.tfmot === 'weights';
}

function isConcat(layer: Layer): boolean {
  return specOf(layer)?.kind === 'concat';
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
