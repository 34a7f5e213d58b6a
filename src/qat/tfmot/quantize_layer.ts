/** tfmot's layer for a model's inputs. */
import {serialization, tidy} from '@tensorflow/tfjs-core';
import {layers as tfLayers} from '@tensorflow/tfjs-layers';
import type {Shape} from '../../layers/graph';
import type {Tensors} from '../../layers/layer_wrapper';
import type {Config, Serialized} from '../../layers/serialization';
import type {FakeQuantizer} from '../../quantizer/fake_quantizer';
import type {Observer} from '../../quantizer/options';
import {NAME_OF_SITE, type Rounding, roundingOf, roundTensor} from '../quantized_layers/quantizing';
import {checkSaved} from '../quantized_layers/saved_config';
import {addOptimizerStep, addQuantizer, START} from './variables';

const OBSERVERS: Readonly<Record<string, Observer>> = {
  LastValueQuantizer: 'lastValue',
  MovingAverageQuantizer: 'movingAverage',
  AllValuesQuantizer: 'allValues',
};

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
    addOptimizerStep(this);
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
