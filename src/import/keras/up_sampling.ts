/** UpSampling2D with straight lines between the points, as Keras draws them. */
import type {Ask} from './ask';
import {addOwn} from './own';
import {dims} from './stand_ins';

/** Adds rows (or columns) like the outermost ones, `count` at either end. */
function addEdges(ask: Ask, from: string, axis: 1 | 2, length: number, count: number): string {
  const cropped = (before: number, after: number) => {
    const cropping =
      axis === 1
        ? [
            [before, after],
            [0, 0],
          ]
        : [
            [0, 0],
            [before, after],
          ];
    return ask.parts.add('Cropping2D', {cropping}, [from]);
  };
  return ask.parts.add('Concatenate', {axis}, [cropped(0, length - count), from, cropped(length - count, 0)]);
}

/** The weights with which points that were repeated `size` times are averaged to what lies on lines between them. */
function triangle(size: number): number[] {
  if (size % 2 === 1) return Array<number>(size).fill(1 / size);
  return Array.from({length: size + 1}, (_, i) => (i === 0 || i === size ? 1 : 2) / (2 * size));
}

/** Keras takes a pixel for its middle, tfjs for its corner: so points are repeated, and averaged. */
export function upSampling(ask: Ask): unknown {
  const {interpolation, data_format: format, size} = ask.config;
  if ((interpolation ?? 'nearest') === 'nearest') return addOwn(ask);
  const known = ask.knownShape;
  if (interpolation !== 'bilinear' || format === 'channels_first')
    return ask.refuseField('interpolation', 'tfjs has no such one');
  if (!known)
    return ask.refuseField(
      'interpolation',
      'tfjs computes it otherwise than Keras, and the size of its input is not known',
    );
  const [height, width, channels] = known as [number, number, number];
  const [rows, columns] = dims(size ?? 2, 2) as [number, number];
  let points = ask.parts.add('UpSampling2D', {size: [rows, columns]}, [0]);
  if (rows > 1) points = addEdges(ask, points, 1, rows * height, Math.floor(rows / 2));
  if (columns > 1) points = addEdges(ask, points, 2, columns * width, Math.floor(columns / 2));
  const [down, across] = [triangle(rows), triangle(columns)];
  const values = () => Float32Array.from(down.flatMap(a => across.flatMap(b => Array<number>(channels).fill(a * b))));
  const shape = [down.length, across.length, channels, 1];
  const config = {
    kernel_size: [down.length, across.length],
    depth_multiplier: 1,
    use_bias: false,
    padding: 'valid',
    trainable: false,
  };
  return ask.parts.add('DepthwiseConv2D', config, [points], {made: [{to: 'depthwise_kernel', shape, values}]});
}
