/** The layer after each input of a quantized model that is rounded. */
import {serialization, tidy} from '@tensorflow/tfjs-core';
import {initializers, layers as tfLayers} from '@tensorflow/tfjs-layers';
import type {Shape} from '../../layers/graph';
import type {Tensors} from '../../layers/layer_wrapper';
import type {FakeQuantizer} from '../../quantizer/fake_quantizer';
import type {NewCell} from '../../quantizer/range';
import {endingWith, quantizerFrom, type SavedQuantizer, savedQuantizer} from './layer_quantizer';
import {NAME_OF_SITE, type Rounding, roundingOf, roundTensor} from './quantizing';
import {checkSaved, checkVersion, PACKAGE, VERSION} from './saved_config';

/** Rounds a model's input, or another value on its way to layers that compute with it. */
export class QuantizedInput extends tfLayers.Layer {
  static className = `${PACKAGE}>QuantizedInput`;

  outputQuantizer: FakeQuantizer | undefined;
  /** How it rounds, as it was built. */
  readonly quantizer: SavedQuantizer;

  constructor(args: {name: string; quantizer: SavedQuantizer}) {
    super({name: args.name});
    this.quantizer = args.quantizer;
    this.supportsMasking = true;
  }

  /** What the layer rounds. */
  get roundings(): Rounding[] {
    return roundingOf(NAME_OF_SITE.output, this.outputQuantizer, this.quantizer.fixed);
  }

  override build(inputShape: Shape | Shape[]): void {
    const newCell: NewCell = (name, shape, trainable) =>
      endingWith(this.addWeight(`output_${name}`, shape, 'float32', initializers.zeros(), undefined, trainable), () =>
        this.forget(),
      );
    const config = {...this.quantizer, offTies: !this.quantizer.fixed};
    this.outputQuantizer = quantizerFrom(config, newCell, this.name);
    super.build(inputShape);
  }

  override call(inputs: Tensors, kwargs: Record<string, unknown>): Tensors {
    const x = Array.isArray(inputs) ? inputs[0]! : inputs;
    return tidy(() => roundTensor(this.outputQuantizer!, x, kwargs['training'] === true));
  }

  /** Frees what is kept for predictions, until the next one. */
  forget(): void {
    this.outputQuantizer?.forget();
  }

  override getConfig(): serialization.ConfigDict {
    const quantizer = savedQuantizer(this.quantizer, this.outputQuantizer);
    return {...super.getConfig(), version: VERSION, quantizer} as serialization.ConfigDict;
  }

  static override fromConfig<T extends serialization.Serializable>(
    cls: serialization.SerializableConstructor<T>,
    config: serialization.ConfigDict,
  ): T {
    checkVersion(config['name'], config['version']);
    checkSaved('QuantizedInput', config);
    return new cls(config);
  }
}
