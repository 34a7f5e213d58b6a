/** A small convolutional network in plain tfjs, and how `tf.fakeQuant` makes it learn to live with few bits. */
import {FakeQuantizer, type FakeQuantizerOptions, type RangeValues, type Recipe} from '../src/entries/qat';
import * as tf from '../src/entries/tf';

/** Where a network's numbers lose precision. `FLOAT` leaves them as they are, `Grids` put them on grids. */
export interface Quantizer {
  /** Whether ranges follow what is seen. */
  observing: boolean;
  /** What is learned besides the network. */
  readonly variables: readonly tf.Variable[];
  /** Pixels between 0 and 1. */
  input<T extends tf.Tensor>(pixels: T): T;
  /** The weights of the layer called `name`, whose output channels run along `axis`. */
  weight<T extends tf.Tensor>(name: string, weight: T, axis: number): T;
  /** The output of the ReLU called `name`. */
  relu<T extends tf.Tensor>(name: string, x: T): T;
  /** The output of the layer called `name`, of either sign. */
  output<T extends tf.Tensor>(name: string, x: T): T;
}

export const FLOAT: Quantizer = {
  observing: false,
  variables: [],
  input: pixels => pixels,
  weight: (_name, weight) => weight,
  relu: (_name, x) => x,
  output: (_name, x) => x,
};

/**
 * Weights: a symmetric grid per output channel. Activations: a grid per tensor. Their ranges are measured or learned, as
 * `quantizeModel`'s recipes say.
 */
export class Grids implements Quantizer {
  observing = true;
  private readonly numBits: number;
  readonly recipe: Recipe;
  private readonly quantizers = new Map<string, FakeQuantizer>();

  constructor(numBits: number, recipe: Recipe) {
    this.numBits = numBits;
    this.recipe = recipe;
  }

  /** What is learned of the ranges, once something has passed. */
  get variables(): tf.Variable[] {
    return [...this.quantizers.values()].flatMap(({variables}) => variables);
  }

  input<T extends tf.Tensor>(pixels: T): T {
    return tf.fakeQuant(pixels, 0, 1, {numBits: this.numBits});
  }

  weight<T extends tf.Tensor>(name: string, weight: T, axis: number): T {
    const grid = {symmetric: true, narrowRange: true, axis};
    const found = this.quantizer(`${name} weight`, {
      ...grid,
      ...(this.recipe === 'learned' ? {start: 'mse', learningRateScale: 1} : {observer: 'lastValue'}),
    });
    return found.apply(weight, {training: true});
  }

  relu<T extends tf.Tensor>(name: string, x: T): T {
    return this.quantizer(name, {nonNegative: true}).apply(x, {training: this.observing});
  }

  output<T extends tf.Tensor>(name: string, x: T): T {
    return this.quantizer(name, {}).apply(x, {training: this.observing});
  }

  /** The ranges of activations by the names of their layers; of weights too, with ' weight' after it. */
  async ranges(): Promise<ReadonlyMap<string, RangeValues>> {
    const found = [...this.quantizers].map(async ([name, quantizer]) => {
      const {values} = await quantizer.snapshot();
      return [name, values!] as const;
    });
    return new Map(await Promise.all(found));
  }

  dispose(): void {
    for (const quantizer of this.quantizers.values()) quantizer.dispose();
    this.quantizers.clear();
  }

  private quantizer(name: string, options: FakeQuantizerOptions): FakeQuantizer {
    const observer = this.recipe === 'learned' ? 'learned' : 'movingAverage';
    const found = this.quantizers.get(name) ?? new FakeQuantizer({numBits: this.numBits, name, observer, ...options});
    this.quantizers.set(name, found);
    return found;
  }
}

/** A variable with what `compute` returns, which it does not leave behind. */
function variable(compute: () => tf.Tensor): tf.Variable {
  return tf.tidy(() => tf.variable(compute()));
}

/** All axes of a tensor of this rank but one. */
function others(rank: number, axis: number): number[] {
  return [...Array(rank).keys()].filter(other => other !== axis);
}

/** A layer's weights and biases. */
class Layer {
  readonly weight: tf.Variable;
  readonly bias: tf.Variable;
  /** The dimension of the weights that the output channels run along. */
  readonly axis: number;

  constructor(shape: number[], axis: number, seed: number) {
    const inputs = others(shape.length, axis).reduce((product, dim) => product * (shape[dim] ?? 1), 1);
    this.weight = variable(() => tf.truncatedNormal(shape, 0, Math.sqrt(2 / inputs), 'float32', seed));
    // Of rank 2, because the WebGPU backend adds a vector to every row several times slower than a matrix of one row.
    this.bias = variable(() => tf.zeros([1, shape[axis] ?? 1]));
    this.axis = axis;
  }
}

/**
 * Three convolutions, then a dense layer. As in MobileNet, those that see neighbours are depthwise and the one that mixes
 * channels is 1x1: the fastest kinds to train.
 */
export class DigitNet {
  private readonly first: Layer;
  private readonly depthwise: Layer;
  private readonly pointwise: Layer;
  private readonly digits: Layer;

  constructor(seed: number) {
    this.first = new Layer([3, 3, 1, 8], 3, seed);
    this.depthwise = new Layer([3, 3, 8, 1], 2, seed + 1);
    this.pointwise = new Layer([1, 1, 8, 32], 3, seed + 2);
    this.digits = new Layer([4 * 4 * 32, 10], 1, seed + 3);
  }

  /** What is learned. */
  get variables(): tf.Variable[] {
    const layers = [this.first, this.depthwise, this.pointwise, this.digits];
    return layers.flatMap(({weight, bias}) => [weight, bias]);
  }

  /** A score for each of the ten digits, as the network gives it on the quantizer's grids. */
  predict(images: tf.Tensor4D, quantizer: Quantizer): tf.Tensor2D {
    const weight = <T extends tf.Tensor>(name: string, layer: Layer) =>
      quantizer.weight(name, layer.weight, layer.axis) as tf.Tensor as T;
    const relu = <T extends tf.Tensor>(name: string, x: tf.Tensor) => quantizer.relu(name, tf.relu(x)) as T;

    const pixels = quantizer.input(images);
    const first = tf.depthwiseConv2d(pixels, weight<tf.Tensor4D>('first', this.first), 1, 'same').add(this.first.bias);
    const strokes = relu<tf.Tensor4D>('first', first);
    const depthwise = tf.depthwiseConv2d(strokes, weight<tf.Tensor4D>('depthwise', this.depthwise), 2, 'same');
    const parts = relu<tf.Tensor4D>('depthwise', depthwise.add(this.depthwise.bias));
    const pointwise = tf
      .conv2d(parts, weight<tf.Tensor4D>('pointwise', this.pointwise), 1, 'same')
      .add(this.pointwise.bias);
    const flat = relu<tf.Tensor4D>('pointwise', pointwise).reshape<tf.Tensor2D>([-1, 4 * 4 * 32]);
    return quantizer.output('digits', flat.matMul<tf.Tensor2D>(weight('digits', this.digits)).add(this.digits.bias));
  }

  dispose(): void {
    tf.dispose(this.variables);
  }
}
