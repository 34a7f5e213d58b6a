/** Images as others might have written them: a visitor's digits are not set quite as the data's are. */
import {randoms} from '../../../lab/examples';

/** At most so much, in either direction: parts of a pixel's place, and pixels. */
const MOST = {width: 0.15, height: 0.1, slant: 0.15, tilt: 0.1, right: 0.7, down: 0.5};

/** Square images of `side` pixels, each sheared, stretched and moved a little, by a seed. */
export function distorted(images: Float32Array, side: number, seed: number): Float32Array {
  const random = randoms(seed);
  const upTo = (most: number) => most * (2 * random.next().value - 1);
  const result = new Float32Array(images.length);
  const middle = (side - 1) / 2;
  for (let start = 0; start < images.length; start += side ** 2) {
    const image = images.subarray(start, start + side ** 2);
    const [xx, xy, right] = [1 + upTo(MOST.width), upTo(MOST.slant), upTo(MOST.right)];
    const [yx, yy, down] = [upTo(MOST.tilt), 1 + upTo(MOST.height), upTo(MOST.down)];
    for (let pixel = 0; pixel < side ** 2; pixel++) {
      const x = (pixel % side) - middle;
      const y = Math.floor(pixel / side) - middle;
      result[start + pixel] = inkAt(image, side, middle + xx * x + xy * y + right, middle + yx * x + yy * y + down);
    }
  }
  return result;
}

/** Ink between pixels, bilinear; none outside. */
function inkAt(image: Float32Array, side: number, x: number, y: number): number {
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const [toRight, toBottom] = [x - left, y - top];
  const ink = (column: number, row: number) =>
    column < 0 || column >= side || row < 0 || row >= side ? 0 : image[row * side + column]!;
  const across = (row: number) => (1 - toRight) * ink(left, row) + toRight * ink(left + 1, row);
  return (1 - toBottom) * across(top) + toBottom * across(top + 1);
}
