import {bytes, counted, some} from '../../site/quantize/components/format';
import {bytesOfWeights} from '../../site/quantize/sizes';
import type {LayerInfo, ModelInfo, Settings} from '../../site/quantize/worker/contract';

const layer = (name: string, parameters: number, float?: string): LayerInfo => ({
  name,
  className: 'Dense',
  outputShape: '',
  parameters,
  float,
  hasWeights: parameters > 0,
});

const model = {
  layers: [layer('first', 80), layer('relu', 0), layer('middle', 800), layer('last', 8)],
} as unknown as ModelInfo;

const settings: Settings = {
  weights: 2,
  activations: 8,
  keepEnds8bit: false,
  layers: {},
  method: 'mse',
  reestimateBatchNorm: false,
};

describe('sizes of weights on the page', () => {
  it('are their bits', () => {
    expect(bytesOfWeights(model, settings)).toBe((888 * 2) / 8);
  });

  it('have 8 bits at the ends that are kept', () => {
    expect(bytesOfWeights(model, {...settings, keepEnds8bit: true})).toBe((88 * 8 + 800 * 2) / 8);
  });

  it('have what single layers are given', () => {
    const layers = {first: {weights: 4}, middle: {isFloat: true}} as const;
    expect(bytesOfWeights(model, {...settings, layers})).toBe((80 * 4 + 800 * 32 + 8 * 2) / 8);
  });

  it('are float where a layer cannot be quantized', () => {
    const float = {layers: [layer('one', 4, 'integers have none of it'), layer('two', 8)]} as unknown as ModelInfo;
    expect(bytesOfWeights(float, settings)).toBe(4 * 4 + 2);
  });
});

describe('numbers on the page', () => {
  it('count', () => {
    expect([counted(1, 'sample'), counted(1204, 'sample'), counted(2, 'class')]).toEqual([
      '1 sample',
      '1,204 samples',
      '2 classes',
    ]);
  });

  it('are bytes in units', () => {
    expect([bytes(999), bytes(15080), bytes(2_619_461)]).toEqual(['999 bytes', '15.1 kB', '2.62 MB']);
  });

  it('are the first of many', () => {
    expect(some(['a', 'b', 'c'], 2)).toBe('a, b and 1 more');
    expect(some(['a', 'b'], 2)).toBe('a, b');
  });
});
