import {compared} from '../../site/quantize/run/compared';

const given = {
  inputShape: [2],
  inputs: new Float32Array(6),
  outputShape: [2],
  float: Float32Array.of(0.9, 0.1, 0.2, 0.8, 0.6, 0.4),
  quantized: Float32Array.of(0.875, 0.125, 0.25, 0.75, 0.375, 0.625),
  millisecondsPerSample: 3,
  step: 0.125,
};
const file = {outputs: Float32Array.of(0.875, 0.125, 0.125, 0.875, 0.5, 0.375), millisecondsPerSample: 1};

describe('compared', () => {
  it('counts samples of which two say the same class, and tells the largest difference', () => {
    expect(compared(given, file, true)).toEqual({
      samples: 3,
      sameClass: {fileQuantized: 2, fileFloat: 3, quantizedFloat: 2},
      difference: 0.25,
      levels: 2,
      milliseconds: {tfjs: 3, file: 1},
    });
  });

  it('takes a single output for a decision at ½', () => {
    const outputs = {float: Float32Array.of(0.6, 0.4, 0.7), quantized: Float32Array.of(0.51, 0.49, 0.5)};
    const {sameClass} = compared({...given, outputShape: [1], ...outputs}, {...file, outputs: outputs.float}, true);
    expect(sameClass).toEqual({fileQuantized: 2, fileFloat: 3, quantizedFloat: 2});
  });

  it('counts no classes where outputs are none, and no levels where they are float', () => {
    const {sameClass, levels} = compared({...given, step: undefined}, file, false);
    expect(sameClass).toBeUndefined();
    expect(levels).toBeUndefined();
  });
});
