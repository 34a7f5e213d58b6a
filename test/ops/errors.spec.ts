/** Bad input gives an error that names the op, the argument, the value and the remedy, and leaves nothing behind. */
import * as tf from '@tensorflow/tfjs-core';
import * as ops from '../../src/entries/index';
import {setup} from '../support/environment';

type Attempt = readonly [title: string, attempt: (x: tf.Tensor) => unknown, message: RegExp];

const bits = (numBits: number) => ({numBits});
/** What JavaScript lets pass and the types do not. */
const untyped = (value: unknown) => value as never;

const {fakeQuant, fakeQuantWithMinMaxArgs, fakeQuantWithMinMaxVars, fakeQuantWithMinMaxVarsPerChannel} = ops;
const {fakeQuantWithLearnedScale, quantizeAndDequantizeV4, quantizeAndDequantizeV4Grad} = ops;

/** x is of shape [2, 3]. */
const ATTEMPTS: readonly Attempt[] = [
  ['numBits 1', x => fakeQuantWithMinMaxArgs(x, bits(1)), /FakeQuantWithMinMaxArgs: numBits .*between 2 and 16.* 1\./],
  ['numBits 17', x => fakeQuantWithMinMaxVars(x, -1, 1, bits(17)), /FakeQuantWithMinMaxVars: numBits .*16.* 17\./],
  [
    'numBits 7.5',
    x => fakeQuantWithMinMaxVarsPerChannel(x, [0, 0, 0], [1, 1, 1], bits(7.5)),
    /numBits .*integer.* 7\.5/,
  ],
  ['numBits NaN', x => fakeQuant(x, 0, 1, bits(NaN)), /numBits .*NaN/],
  ['numBits as a string', x => fakeQuant(x, 0, 1, bits(untyped('8'))), /numBits .*8/],
  ['numBits of a gradient', x => ops.fakeQuantWithMinMaxArgsGradient(x, x, bits(0)), /ArgsGradient: numBits .* 0\./],
  ['numBits 0 of V4', x => quantizeAndDequantizeV4(x, 0, 1, bits(0)), /QuantizeAndDequantizeV4: numBits .* 0\./],
  ['numBits 62 of a signed V4', x => quantizeAndDequantizeV4(x, 0, 1, bits(62)), /numBits .*61.* 62\./],
  [
    'min = max in Args',
    x => fakeQuantWithMinMaxArgs(x, {min: 0, max: 0}),
    /min has to be smaller than max, was: 0 >= 0/,
  ],
  ['min > max in Args', x => fakeQuantWithMinMaxArgs(x, {min: 2, max: 1}), /smaller than max, was: 2 >= 1/],
  ['min > max in fakeQuant', x => fakeQuant(x, 2, 1), /smaller than max, was: 2 >= 1/],
  ['min = max in fakeQuant', x => fakeQuant(x, 1, 1), /smaller than max, was: 1 >= 1/],
  ['min > max as numbers in Vars', x => fakeQuantWithMinMaxVars(x, 2, 1), /smaller than max, was: 2 >= 1/],
  ['min > max as numbers in V4', x => quantizeAndDequantizeV4(x, 1, -1, {rangeGiven: true}), /1 .*-1/],
  ['min NaN', x => fakeQuant(x, NaN, 1), /min must be a number.* NaN/],
  ['max NaN', x => fakeQuantWithMinMaxArgs(x, {min: 0, max: NaN}), /max must be a number.* NaN/],
  ['min NaN in Vars', x => fakeQuantWithMinMaxVars(x, NaN, 1), /min must be a number.* NaN/],
  ['min of rank 1 in Vars', x => fakeQuantWithMinMaxVars(x, untyped([0]), 1), /min must be a scalar.* \[1\]/],
  ['max of rank 2', x => fakeQuant(x, tf.zeros([3]), tf.ones([1, 3])), /fakeQuant: min and max .*\[3\] and \[1,3\]/],
  [
    'a scalar min in PerChannel',
    x => fakeQuantWithMinMaxVarsPerChannel(x, untyped(0), [1, 1, 1]),
    /min must have shape \[3\].*\[\]/,
  ],
  ['two ranges for three channels', x => fakeQuant(x, [0, 0], [1, 1]), /min must have shape \[3\].* \[2\]/],
  ['three maxima for two rows', x => fakeQuant(x, [0, 0], [1, 1, 1], {axis: 0}), /max must have shape \[2\].* \[3\]/],
  ['axis 2 of two', x => fakeQuant(x, [0, 0, 0], [1, 1, 1], {axis: 2}), /axis must be .*\[-2, 2\).* 2\./],
  ['axis -3 of two', x => fakeQuant(x, [0, 0, 0], [1, 1, 1], {axis: -3}), /axis must be .* -3\./],
  ['axis 0.5', x => fakeQuant(x, [0, 0, 0], [1, 1, 1], {axis: 0.5}), /axis must be an integer.* 0\.5/],
  ['an axis for one range', x => fakeQuant(x, 0, 1, {axis: 0}), /axis 0 needs a range per channel/],
  ['channels of a scalar', () => fakeQuantWithMinMaxVarsPerChannel(1, [0], [1]), /scalar has no channels/],
  ['axis -2 of V4', x => quantizeAndDequantizeV4(x, 0, 1, {axis: -2}), /axis must be at least -1.* -2\./],
  ['axis 2 of V4', x => quantizeAndDequantizeV4(x, 0, 1, {axis: 2}), /axis must be .* 2\./],
  [
    'a scalar range for an axis of V4',
    x => quantizeAndDequantizeV4(x, 0, 1, {axis: 1}),
    /inputMin must have shape \[3\]/,
  ],
  ['one bound of V4', x => quantizeAndDequantizeV4(x, 0), /inputMin and inputMax must both be given/],
  [
    'no bounds of V4 where they are given',
    x => quantizeAndDequantizeV4(x, undefined, undefined, {rangeGiven: true}),
    /both be given, as rangeGiven/,
  ],
  [
    'an unknown roundMode',
    x => quantizeAndDequantizeV4(x, 0, 1, {roundMode: untyped('HALF_DOWN')}),
    /roundMode must be 'HALF_TO_EVEN' or 'HALF_UP'.*'HALF_DOWN'/,
  ],
  [
    'another shape in ArgsGradient',
    x => ops.fakeQuantWithMinMaxArgsGradient(tf.ones([3, 2]), x),
    /gradient and input must be the same size.*\[3,2\].*\[2,3\]/,
  ],
  [
    'another shape in VarsGradient',
    x => ops.fakeQuantWithMinMaxVarsGradient(tf.ones([6]), x, 0, 1),
    /same size.*\[6\].*\[2,3\]/,
  ],
  [
    'another shape in PerChannelGradient',
    x => ops.fakeQuantWithMinMaxVarsPerChannelGradient(tf.ones([2]), x, [0, 0, 0], [1, 1, 1]),
    /same size.*\[2\]/,
  ],
  ['another shape in V4Grad', x => quantizeAndDequantizeV4Grad(tf.ones([2]), x, 0, 1), /same size.*\[2\]/],
  ['numBits 1 of a learned scale', x => fakeQuantWithLearnedScale(x, 1, bits(1)), /LearnedScale: numBits .* 1\./],
  ['a scale of 0', x => fakeQuantWithLearnedScale(x, 0), /LearnedScale: scale must be above 0.* 0\./],
  ['a scale of NaN', x => fakeQuantWithLearnedScale(x, NaN), /scale must be above 0.* NaN\./],
  ['scales without an axis', x => fakeQuantWithLearnedScale(x, [1, 1, 1]), /scale must be a scalar.*\[3\].*axis/],
  [
    'two scales for three channels',
    x => fakeQuantWithLearnedScale(x, [1, 1], {axis: 1}),
    /scale must have shape \[3\].* \[2\]/,
  ],
  [
    'another shape of offset than of scale',
    x => fakeQuantWithLearnedScale(x, [1, 1, 1], {axis: -1, offset: 0}),
    /offset must have shape \[3\].* \[\]/,
  ],
  [
    'an offset of a symmetric grid',
    x => fakeQuantWithLearnedScale(x, 1, {symmetric: true, offset: 0}),
    /symmetric grid has its low end .* Leave out/,
  ],
  ['axis 2 of scales', x => fakeQuantWithLearnedScale(x, [1], {axis: 2}), /axis must be .*\[-2, 2\).* 2\./],
  [
    'an int32 tensor',
    () => fakeQuant(tf.tensor1d([1, 2], 'int32'), 0, 1),
    /inputs must be a float32 tensor.*int32.*toFloat/,
  ],
  ['a bool tensor', () => fakeQuant(tf.tensor1d([true], 'bool'), 0, 1), /float32 tensor.*bool/],
  ['an int32 min', x => fakeQuantWithMinMaxVars(x, tf.scalar(0, 'int32'), 1), /min must be a float32 tensor.*int32/],
  ['a string tensor', () => fakeQuant(tf.tensor1d(['a']), 0, 1), /float32 tensor.*string/],
  ['a string', () => fakeQuant(untyped('a'), 0, 1), /inputs must be .*the string 'a'/],
  ['strings', () => fakeQuant(untyped(['a']), 0, 1), /inputs must be a float32 tensor/],
  ['null', () => fakeQuant(untyped(null), 0, 1), /inputs must be .*null/],
  ['nothing', () => fakeQuant(untyped(undefined), 0, 1), /inputs must be .*undefined/],
  ['an object', () => fakeQuant(untyped({}), 0, 1), /inputs must be .*Object/],
  [
    'an int32 input of V4',
    () => quantizeAndDequantizeV4(tf.tensor1d([1], 'int32')),
    /input must be a float32 tensor.*int32/,
  ],
];

function disposed(shape: number[] = [2, 3]): tf.Tensor {
  const tensor = tf.ones(shape);
  tensor.dispose();
  return tensor;
}

const DISPOSED: readonly Attempt[] = [
  ['a disposed input', () => fakeQuant(disposed(), 0, 1), /inputs is a disposed tensor/],
  ['a disposed min', x => fakeQuantWithMinMaxVars(x, disposed([]) as tf.Scalar, 1), /min is a disposed tensor/],
  ['disposed gradients', x => ops.fakeQuantWithMinMaxArgsGradient(disposed(), x), /gradients is a disposed tensor/],
];

/** What must not change when an op refuses. */
function allocated() {
  const {numTensors, numDataBuffers} = tf.memory();
  return {numTensors, numDataBuffers};
}

describe('bad input', () => {
  for (const [title, attempt, message] of [...ATTEMPTS, ...DISPOSED]) {
    it(`is told: ${title}`, () => {
      const x = tf.zeros([2, 3]);
      const before = allocated();
      // The tensors that the attempt itself makes are the tidy's; the op must not have kept any.
      expect(() => tf.tidy(() => attempt(x) as tf.Tensor)).toThrowError(message);
      expect(allocated()).toEqual(before);
      x.dispose();
    });
  }

  // tfjs has no complex tensors on wasm.
  if (setup.backend !== 'wasm') {
    it('is told: a complex tensor', () => {
      expect(() => tf.tidy(() => fakeQuant(tf.complex([1], [2]), 0, 1))).toThrowError(/float32 tensor.*complex64/);
    });
  }

  it('does not stop the next call', async () => {
    expect(() => fakeQuantWithMinMaxArgs(1, bits(1))).toThrow();
    const y = fakeQuantWithMinMaxArgs([7], {min: -6, max: 6});
    expect((await y.data())[0]).toBeCloseTo(6, 1);
    y.dispose();
  });
});
