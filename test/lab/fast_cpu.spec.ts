/** The faster kernels of lab/fast_cpu.ts against those of tfjs whose place they take: the same bits. */
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import {hastenCpu} from '../../lab/fast_cpu';
import {setup} from '../support/environment';

/** The same with tfjs's kernels and with the faster ones. */
function both(compute: () => tf.Tensor[]): {own: Float32Array[]; fast: Float32Array[]; shapes: number[][][]} {
  const shapes: number[][][] = [];
  const values = () =>
    tf.tidy(() => {
      const tensors = compute();
      shapes.push(tensors.map(({shape}) => shape));
      return tensors.map(tensor => tensor.dataSync<'float32'>());
    });
  const own = values();
  const restore = hastenCpu();
  try {
    return {own, fast: values(), shapes};
  } finally {
    restore();
  }
}

function expectSame(compute: () => tf.Tensor[]): void {
  const {own, fast, shapes} = both(compute);
  expect(fast).toEqual(own);
  expect(shapes[1]).toEqual(shapes[0]);
}

const random = (shape: number[], seed: number) => tf.randomNormal(shape, 0, 1, 'float32', seed);

/** A shape, and which of its dimensions each of two operands has. */
const shapes = fc
  .array(fc.tuple(fc.integer({min: 0, max: 4}), fc.constantFrom('both', 'first', 'second')), {maxLength: 5})
  .chain(dims => fc.tuple(fc.constant(dims), fc.nat({max: dims.length})))
  .map(([dims, stripped]) => {
    const of = (operand: string) => dims.map(([dim, who]) => (who === 'both' || who === operand ? dim : 1));
    const second = of('second');
    const leading = second.findIndex(dim => dim !== 1);
    return {a: of('first'), b: second.slice(Math.min(stripped, leading < 0 ? second.length : leading))};
  });

if (setup.backend === 'cpu')
  describe('The faster kernels', () => {
    for (const [name, op] of Object.entries({add: tf.add, sub: tf.sub, mul: tf.mul, div: tf.div}))
      it(`${name} as tfjs, however it broadcasts`, () => {
        fc.assert(
          fc.property(shapes, ({a, b}) => {
            expectSame(() => [op(random(a, 1), random(b, 2)), op(random(b, 3), random(a, 4))]);
          }),
          {numRuns: 50},
        );
      });

    for (const [name, op] of Object.entries({sum: tf.sum, mean: tf.mean}))
      it(`take the ${name} as tfjs, along any axes`, () => {
        fc.assert(
          fc.property(
            fc
              .array(fc.integer({min: 1, max: 4}), {minLength: 1, maxLength: 4})
              .chain(shape => fc.tuple(fc.constant(shape), fc.subarray([...shape.keys()]), fc.boolean())),
            ([shape, axes, keepDims]) => expectSame(() => [op(random(shape, 1), axes, keepDims)]),
          ),
          {numRuns: 50},
        );
      });

    it('leave what is not float32 to tfjs', () => {
      expectSame(() => [
        tf.add(tf.tensor1d([1, 2], 'int32'), tf.scalar(2 ** 30, 'int32')),
        tf.sum(tf.tensor1d([true, true], 'bool')),
        tf.mean(tf.tensor1d([1, 2, 4], 'int32')),
      ]);
    });

    it('repeat as tfjs', () => {
      expectSame(() => [
        tf.tile(random([1, 1, 1, 5], 1), [3, 2, 2, 1]),
        tf.tile(random([2, 3], 2), [2, 2]),
        tf.tile(random([2, 1, 3], 2), [1, 4, 1]),
        tf.tile(tf.scalar(2), []),
      ]);
    });

    for (const [stride, pad, size] of [
      [1, 'same', 3],
      [2, 'same', 3],
      [2, 'valid', 2],
      [1, 'valid', 1],
    ] as const)
      it(`give kernels the gradients of tfjs: ${size}x${size}, stride ${stride}, ${pad}`, () => {
        expectSame(() => {
          const x = random([3, 6, 5, 4], 1) as tf.Tensor4D;
          const kernel = random([size, size, 4, 6], 2) as tf.Tensor4D;
          const each = random([size, size, 4, 1], 3) as tf.Tensor4D;
          const twice = random([size, size, 4, 2], 3) as tf.Tensor4D;
          const ofKernel = (f: (kernel: tf.Tensor4D) => tf.Tensor, of: tf.Tensor4D) =>
            tf.grad(k => f(k as tf.Tensor4D).square())(of);
          return [
            ofKernel(k => tf.conv2d(x, k, stride, pad), kernel),
            ofKernel(k => tf.depthwiseConv2d(x, k, stride, pad), each),
            ofKernel(k => tf.depthwiseConv2d(x, k, stride, pad), twice),
          ];
        });
      });

    it('are gone when they are taken back', () => {
      const own = tf.getKernel('Sum', 'cpu').kernelFunc;
      const restore = hastenCpu();
      expect(tf.getKernel('Sum', 'cpu').kernelFunc).not.toBe(own);
      restore();
      expect(tf.getKernel('Sum', 'cpu').kernelFunc).toBe(own);
    });
  });
