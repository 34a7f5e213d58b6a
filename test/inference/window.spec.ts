/** The numbers that windows pad, against tfjs's own. */
import {backend_util} from '@tensorflow/tfjs-core';
import {NO_PADDING, padsNothing, paddingOf} from '../../src/inference/window';

/** What tfjs pads for a convolution of these sizes, square and of rows and columns that differ. */
function paddedByTfjs(size: [number, number], window: [number, number], stride: number, dilation: number) {
  const [rows, columns] = size;
  const kernel: [number, number, number, number] = [...window, 1, 1];
  const {padInfo} = backend_util.computeConv2DInfo([1, rows, columns, 1], kernel, stride, dilation, 'same');
  const {top, bottom, left, right} = padInfo;
  return [
    [top, bottom],
    [left, right],
  ] as const;
}

describe('A window', () => {
  it("that pads as 'same' says pads what tfjs does", () => {
    let tried = 0;
    for (let size = 1; size <= 8; ++size) {
      for (let window = 1; window <= 4; ++window) {
        for (let stride = 1; stride <= 3; ++stride) {
          for (let dilation = 1; dilation <= 3; ++dilation) {
            const sizes: [number, number] = [size, 9 - size];
            const windows: [number, number] = [window, 5 - window];
            const {amounts, rule} = paddingOf('same', sizes, windows, [stride, stride], [dilation, dilation]);
            expect(amounts)
              .withContext(`${sizes} ${windows} ${stride} ${dilation}`)
              .toEqual(paddedByTfjs(sizes, windows, stride, dilation));
            expect(rule).toBe('same');
            ++tried;
          }
        }
      }
    }
    expect(tried).toBe(288);
  });

  it("that is 'valid' pads nothing, of which it tells", () => {
    const valid = paddingOf('valid', [5, 5], [3, 3], [2, 2], [1, 1]);
    expect(valid).toEqual({...NO_PADDING, rule: 'valid'});
    expect(padsNothing(valid)).toBeTrue();
    expect(padsNothing(paddingOf('same', [4, 4], [2, 2], [2, 2], [1, 1]))).toBeTrue();
    expect(padsNothing(paddingOf('same', [5, 4], [2, 2], [2, 2], [1, 1]))).toBeFalse();
  });
});
