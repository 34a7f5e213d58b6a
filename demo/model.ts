/** A small convolutional network in plain tfjs, and how `tf.fakeQuant` makes it learn to live with few bits. */
import * as tf from '../src/tf';

/** Where a network's numbers lose precision. `FLOAT` leaves them as they are, a `FakeQuantizer` puts them on grids. */
export interface Quantizer {
  /** Whether ranges follow what is seen. */
  observing: boolean;
  /** Pixels between 0 and 1. */
  input<T extends tf.Tensor>(pixels: T): T;
  /** A layer's weights, whose output channels run along `axis`. */
  weight<T extends tf.Tensor>(weight: T, axis: number): T;
  /** The output of the ReLU called `name`. */
  relu<T extends tf.Tensor>(name: string, x: T): T;
  /** The output of the layer called `name`, of either sign. */
  output<T extends tf.Tensor>(name: string, x: T): T;
}

export const FLOAT: Quantizer = {
  observing: false,
  input: pixels => pixels,
  weight: weight => weight,
  relu: (_name, x) => x,
  output: (_name, x) => x,
};

const DECAY = 0.99;

/** A tensor's range: in a variable, so that it stays on the device and no gradient flows through it. */
interface Range {
  readonly value: tf.Variable;
  batches: number;
}

/**
 * Weights: a symmetric grid per output channel that just holds its largest weight. Activations: a grid per tensor, over
 * the average of the ranges of the batches seen while `observing`.
 */
export class FakeQuantizer implements Quantizer {
  observing = true;
  private readonly numBits: number;
  private readonly averages = new Map<string, Range>();

  constructor(numBits: number) {
    this.numBits = numBits;
  }

  input<T extends tf.Tensor>(pixels: T): T {
    return tf.fakeQuant(pixels, 0, 1, {numBits: this.numBits});
  }

  weight<T extends tf.Tensor>(weight: T, axis: number): T {
    const reach = constant(() => tf.max(tf.abs(weight), others(weight.rank, axis)));
    return tf.fakeQuant(weight, tf.neg(reach), reach, {numBits: this.numBits, narrowRange: true, axis});
  }

  relu<T extends tf.Tensor>(name: string, x: T): T {
    const max = this.averaged(`${name} max`, () => tf.max(x));
    return tf.fakeQuant(x, tf.scalar(0), max, {numBits: this.numBits});
  }

  output<T extends tf.Tensor>(name: string, x: T): T {
    const min = this.averaged(`${name} min`, () => tf.min(x));
    const max = this.averaged(`${name} max`, () => tf.max(x));
    return tf.fakeQuant(x, min, max, {numBits: this.numBits});
  }

  /** The activations' ranges by layer; pixels have none of their own. */
  async ranges(): Promise<Map<string, [min: number, max: number]>> {
    const found = new Map<string, [number, number]>();
    for (const [name, {value}] of this.averages) {
      const [layer = '', end] = name.split(' ');
      const [bound = 0] = await value.data();
      const [min, max] = found.get(layer) ?? [0, 0];
      found.set(layer, end === 'min' ? [bound, max] : [min, bound]);
    }
    return found;
  }

  dispose(): void {
    for (const {value} of this.averages.values()) value.dispose();
    this.averages.clear();
  }

  private averaged(name: string, measure: () => tf.Tensor): tf.Variable {
    const range = this.averages.get(name) ?? {value: variable(() => tf.scalar(0)), batches: 0};
    this.averages.set(name, range);
    if (this.observing) {
      range.batches += 1;
      range.value.assign(tf.movingAverage(range.value, measure(), DECAY, range.batches));
    }
    return range.value;
  }
}

/** A variable with what `compute` returns, which it does not leave behind. */
function variable(compute: () => tf.Tensor): tf.Variable {
  return tf.tidy(() => tf.variable(compute()));
}

/** What `compute` returns, as a constant: no gradient flows through it. */
function constant<T extends tf.Tensor>(compute: () => T): T {
  return tf.customGrad(() => ({value: compute(), gradFunc: () => []}))();
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
    const weight = <T extends tf.Tensor>(layer: Layer) => quantizer.weight(layer.weight, layer.axis) as tf.Tensor as T;
    const relu = <T extends tf.Tensor>(name: string, x: tf.Tensor) => quantizer.relu(name, tf.relu(x)) as T;

    const pixels = quantizer.input(images);
    const first = tf.depthwiseConv2d(pixels, weight<tf.Tensor4D>(this.first), 1, 'same').add(this.first.bias);
    const strokes = relu<tf.Tensor4D>('first', first);
    const depthwise = tf.depthwiseConv2d(strokes, weight<tf.Tensor4D>(this.depthwise), 2, 'same');
    const parts = relu<tf.Tensor4D>('depthwise', depthwise.add(this.depthwise.bias));
    const pointwise = tf.conv2d(parts, weight<tf.Tensor4D>(this.pointwise), 1, 'same').add(this.pointwise.bias);
    const flat = relu<tf.Tensor4D>('pointwise', pointwise).reshape<tf.Tensor2D>([-1, 4 * 4 * 32]);
    return quantizer.output('digits', flat.matMul<tf.Tensor2D>(weight(this.digits)).add(this.digits.bias));
  }

  dispose(): void {
    tf.dispose(this.variables);
  }
}
