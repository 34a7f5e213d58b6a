/** The layers that a quantized model is made of: one around each layer with something to round, one after each input. */
import {
  mul,
  div,
  reshape,
  serialization,
  sqrt,
  add,
  type Tensor,
  tidy,
  where,
  abs,
  less,
  onesLike,
} from '@tensorflow/tfjs-core';
import {initializers, layers as tfLayers, type LayerVariable} from '@tensorflow/tfjs-layers';
import {FakeQuantizer, type RangeStore} from './fake_quantizer';
import {innerLayers, type Layer, type Shape} from './graph';
import {type CustomWeights, type Slot, slotsOf} from './kinds';
import type {QuantizerConfig} from './options';

type Config = Record<string, unknown>;
type Kwargs = Record<string, unknown>;
type Tensors = Tensor | Tensor[];

/** The version of the saved configs. */
const VERSION = 1;

/** A quantizer's state that a saved model keeps beside its range. */
type SavedQuantizer = QuantizerConfig & {readonly observing?: boolean; readonly quantizing?: boolean};

/** What a {@link QuantizedLayer} does beside calling its layer. */
export interface QuantizedLayerArgs {
  readonly layer: Layer;
  readonly weights?: SavedQuantizer | null;
  /** Rounds what the activation is given. */
  readonly before?: SavedQuantizer | null;
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

function quantizerFrom(config: SavedQuantizer, store: RangeStore, name: string, axis?: number): FakeQuantizer {
  const {fixed, observing = true, quantizing = true, ...options} = config;
  const quantizer = new FakeQuantizer({...options, name, ...(axis !== undefined && {axis})}, store);
  quantizer.observing = observing && !fixed;
  quantizer.quantizing = quantizing;
  return quantizer;
}

function saved(config: SavedQuantizer | null, quantizer: FakeQuantizer | undefined): Config | null {
  if (!config) return null;
  const {observing, quantizing} = quantizer ?? {};
  return {...config, ...(quantizer && {observing, quantizing})};
}

/** The config of a layer; tfjs saves a depthwise kernel's regularizer as its constraint. */
export function configOf(layer: Layer): Config {
  const config = JSON.parse(JSON.stringify(layer.getConfig())) as Config;
  if (layer.getClassName() !== 'DepthwiseConv2D') return config;
  const {depthwiseConstraint: constraint} = layer as unknown as {depthwiseConstraint?: serialization.Serializable};
  const serialized = constraint && {className: constraint.getClassName(), config: constraint.getConfig()};
  return {...config, depthwiseConstraint: serialized ?? null};
}

/** Makes a layer from a config, as tfjs-layers does for its own wrappers. */
export function layerFrom({className, config}: {className: string; config: Config}): Layer {
  const [cls, fromConfig] = serialization.SerializationMap.getMap().classNameMap[className] ?? [];
  if (!cls || !fromConfig)
    throw new Error(`Unknown layer class ${className}. Register it: tf.serialization.registerClass.`);
  return fromConfig(cls, config as never) as unknown as Layer;
}

/** Puts values in the place of a layer's own for one call. */
function swapped<T>(swaps: readonly {host: object; attr: string; value: unknown}[], run: () => T): T {
  const before = swaps.map(({host, attr}) => (host as Config)[attr]);
  for (const {host, attr, value} of swaps) (host as Config)[attr] = value;
  try {
    return run();
  } finally {
    swaps.forEach(({host, attr}, i) => ((host as Config)[attr] = before[i]));
  }
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

  constructor(slot: Slot, quantizer: FakeQuantizer) {
    this.slot = slot;
    this.quantizer = quantizer;
  }

  /** The rounded weight, of the weight's shape. */
  quantized(batchNorm?: BatchNorm): Tensor {
    const weight = this.slot.host[this.slot.attr]!.read();
    if (batchNorm) return this.#folded(weight, foldingScale(batchNorm));
    const training = weight.dataId !== this.#measured;
    this.#measured = weight.dataId;
    const viewed = this.slot.axis === 'depthwise' ? depthwiseView(weight) : weight;
    return reshape(this.quantizer.apply(viewed, {training}), weight.shape);
  }

  #folded(weight: Tensor, scale: Tensor): Tensor {
    const {axis} = this.slot;
    const viewed = axis === 'depthwise' ? depthwiseView(weight) : weight;
    const outputs = axis === 'depthwise' ? 1 : (axis ?? weight.rank - 1);
    const aligned = reshape(
      scale,
      viewed.shape.map((dim, i) => (i === outputs ? dim : 1)),
    );
    const rounded = this.quantizer.apply(mul(viewed, aligned), {training: true});
    return reshape(div(rounded, aligned), weight.shape);
  }
}

function depthwiseView(kernel: Tensor): Tensor {
  const [height, width, channels, multiplier] = kernel.shape as [number, number, number, number];
  return reshape(kernel, [height * width, channels * multiplier]);
}

/** A range for each channel of a slot, or one. */
function rangeShape({host, attr, axis}: Slot, perChannel: boolean): Shape {
  if (!perChannel || axis === undefined) return [3];
  const {shape} = host[attr]!;
  return [3, axis === 'depthwise' ? shape[2]! * shape[3]! : shape[axis]!];
}

/** A layer that rounds: another layer, whose weights and activations are rounded wherever it is called. */
export class QuantizedLayer extends tfLayers.Layer {
  static className = 'QuantizedLayer';

  readonly layer: Layer;
  /** Rounds the weights. */
  weightQuantizers: WeightQuantizer[] = [];
  /** Rounds what the activation is given. */
  beforeQuantizer: FakeQuantizer | undefined;
  /** Rounds the output. */
  outputQuantizer: FakeQuantizer | undefined;
  readonly #args: QuantizedLayerArgs;

  constructor(args: QuantizedLayerArgs) {
    const {name, batchInputShape, dtype} = args.layer;
    super({name, ...(batchInputShape && {batchInputShape}), ...(dtype && {dtype})});
    checkVersion(name, args.version);
    this.layer = args.layer;
    this.#args = args;
    this.supportsMasking = args.layer.supportsMasking;
  }

  /** All the quantizers. */
  get quantizers(): FakeQuantizer[] {
    const all = [...this.weightQuantizers.map(({quantizer}) => quantizer), this.beforeQuantizer, this.outputQuantizer];
    return all.filter(each => each !== undefined);
  }

  /** The layer's class and its weights, if it is one of the user's own. */
  get customClass(): [string, CustomWeights][] {
    const weights = this.#custom();
    return weights ? [[this.layer.getClassName(), weights]] : [];
  }

  /** Those whose ranges are measured from activations. */
  get calibrated(): FakeQuantizer[] {
    const output = this.#args.output?.fixed ? undefined : this.outputQuantizer;
    return [this.beforeQuantizer, output].filter(each => each !== undefined);
  }

  /** Sets a fixed range, from when on it rounds. */
  settle(): void {
    const fixed = this.#args.output?.fixed;
    if (fixed && !this.outputQuantizer?.isSet()) this.outputQuantizer?.setRange(...fixed);
  }

  /** The weights that the layer computes with, in the order of {@link slotsIn}; the caller's to dispose. */
  quantizedWeights(): Tensor[] {
    const batchNorm = this.#args.folds ? this.#batchNorm() : undefined;
    return this.weightQuantizers.map(weight => tidy(() => weight.quantized(batchNorm)));
  }

  /** Where the weights are in a layer of the same class. */
  slotsIn(layer: Layer): Slot[] {
    return this.#args.weights ? this.#slots(layer) : [];
  }

  /** Stops ranges from moving, or lets them move; fixed ones never do. */
  freezeRanges(frozen: boolean, which: 'all' | 'weights' | 'activations'): void {
    if (which !== 'activations') for (const {quantizer} of this.weightQuantizers) quantizer.observing = !frozen;
    if (which === 'weights') return;
    if (this.beforeQuantizer) this.beforeQuantizer.observing = !frozen;
    if (this.outputQuantizer) this.outputQuantizer.observing = !frozen && !this.#args.output!.fixed;
  }

  override build(inputShape: Shape | Shape[]): void {
    if (!this.layer.built) {
      this.layer.build(inputShape);
      this.layer.built = true;
    }
    const {weights, before, output} = this.#args;
    if (weights) this.weightQuantizers = this.#slots(this.layer).map(slot => this.#weightQuantizer(slot, weights));
    if (before) this.beforeQuantizer = this.#activationQuantizer('before_activation', before);
    if (output) this.outputQuantizer = this.#activationQuantizer('output', output);
    this.built = true;
  }

  override call(inputs: Tensors, kwargs: Kwargs): Tensors {
    return tidy(() => {
      const training = kwargs['training'] === true;
      const outputs = swapped([...this.#weightSwaps(), ...this.#activationSwaps(training)], () =>
        this.layer.apply(inputs, kwargs),
      ) as Tensors;
      const {outputQuantizer: quantizer} = this;
      if (!quantizer) return outputs;
      // A fixed range too is set by the first batch: until then nothing is rounded.
      if (training) this.settle();
      const round = (x: Tensor) => quantizer.apply(x, {training});
      return Array.isArray(outputs) ? [round(outputs[0]!), ...outputs.slice(1)] : round(outputs);
    });
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape | Shape[] {
    return this.layer.computeOutputShape(inputShape);
  }

  override computeMask(inputs: Tensors, mask?: Tensors): Tensors {
    return this.layer.computeMask(inputs, mask);
  }

  // tfjs reads these before this class's constructor has run.
  override get trainable(): boolean {
    return this.layer?.trainable ?? true;
  }

  override set trainable(trainable: boolean) {
    if (this.layer) this.layer.trainable = trainable;
  }

  override get trainableWeights(): LayerVariable[] {
    return this.layer?.trainableWeights ?? [];
  }

  override get nonTrainableWeights(): LayerVariable[] {
    const {_nonTrainableWeights: ranges} = this as unknown as {_nonTrainableWeights: LayerVariable[]};
    return [...(this.layer?.nonTrainableWeights ?? []), ...ranges];
  }

  override get losses(): Layer['losses'] {
    return this.layer?.losses ?? [];
  }

  override get stateful(): boolean {
    return this.layer?.stateful ?? false;
  }

  override resetStates(): void {
    this.layer.resetStates();
  }

  override setFastWeightInitDuringBuild(value: boolean): void {
    super.setFastWeightInitDuringBuild(value);
    this.layer.setFastWeightInitDuringBuild(value);
  }

  override getConfig(): serialization.ConfigDict {
    const {weights = null, before = null, output = null, customWeights = null, folds = false} = this.#args;
    return {
      ...super.getConfig(),
      version: VERSION,
      layer: {className: this.layer.getClassName(), config: configOf(this.layer)},
      weights: saved(weights, this.weightQuantizers[0]?.quantizer),
      before: saved(before, this.beforeQuantizer),
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

  #slots(layer: Layer): Slot[] {
    return slotsOf(layer, this.#custom());
  }

  #weightQuantizer(slot: Slot, config: SavedQuantizer): WeightQuantizer {
    const shape = rangeShape(slot, config.perChannel ?? true);
    const axis = shape.length === 1 ? undefined : slot.axis === 'depthwise' ? 1 : slot.axis;
    const name = `${this.name}/${slot.name}`;
    return new WeightQuantizer(slot, quantizerFrom(config, this.#range(slot.name, shape), name, axis));
  }

  #activationQuantizer(name: string, config: SavedQuantizer): FakeQuantizer {
    return quantizerFrom(config, this.#range(name, [3]), this.name);
  }

  #range(name: string, shape: Shape): RangeStore {
    return this.addWeight(`${name}_range`, shape, 'float32', initializers.zeros(), undefined, false);
  }

  #weightSwaps() {
    const batchNorm = this.#args.folds ? this.#batchNorm() : undefined;
    return this.weightQuantizers.map(weight => {
      const rounded = weight.quantized(batchNorm);
      return {host: weight.slot.host, attr: weight.slot.attr, value: {read: () => rounded}};
    });
  }

  #activationSwaps(training: boolean) {
    const quantizer = this.beforeQuantizer;
    if (!quantizer) return [];
    const host = this.layer.getClassName() === 'TimeDistributed' ? innerLayers(this.layer)[0]! : this.layer;
    const {activation} = host as unknown as {activation: {apply(x: Tensor, axis?: number): Tensor}};
    const value = {
      // No name that tfjs would fuse.
      getClassName: () => 'quantized',
      apply: (x: Tensor, axis?: number) => activation.apply(quantizer.apply(x, {training}), axis),
    };
    return [{host, attr: 'activation', value}];
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

  /** All the quantizers: one. */
  get quantizers(): FakeQuantizer[] {
    return this.outputQuantizer ? [this.outputQuantizer] : [];
  }

  /** Its quantizer, whose range is measured. */
  get calibrated(): FakeQuantizer[] {
    return this.quantizers;
  }

  /** There is no fixed range. */
  settle(): void {}

  /** Stops the range from moving, or lets it move. */
  freezeRanges(frozen: boolean, which: 'all' | 'weights' | 'activations'): void {
    if (this.outputQuantizer && which !== 'weights') this.outputQuantizer.observing = !frozen;
  }

  override build(inputShape: Shape | Shape[]): void {
    const range = this.addWeight('output_range', [3], 'float32', initializers.zeros(), undefined, false);
    this.outputQuantizer = quantizerFrom(this.#quantizer, range, this.name);
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
