import {histogramInWords} from '../../site/quantize/plots/histogram';
import {barsOf} from '../../site/quantize/plots/layer_bars';

function tensor(snr: number | undefined) {
  return {
    what: 'output',
    of: 'activations',
    numBits: 8,
    min: 0,
    max: 1,
    snr,
    clipped: 0,
    advice: [],
  } as const;
}

const rows = [
  {layer: 'conv', className: 'Conv2D', only: 0.1, tensors: [tensor(30), tensor(20)]},
  {layer: 'dense', className: 'Dense', only: 0.3, tensors: [tensor(25), tensor(Infinity)]},
  {layer: 'exact', className: 'ReLU', only: 0, tensors: [tensor(Infinity)]},
  {layer: 'off', className: 'ReLU', only: undefined, tensors: [tensor(undefined)]},
];

describe('barsOf', () => {
  it('puts the layer first that costs most', () => {
    expect(barsOf(rows, 'cost')).toEqual([
      {layer: 'dense', value: 0.3},
      {layer: 'conv', value: 0.1},
      {layer: 'exact', value: 0},
    ]);
  });

  it('puts the layer first whose worst tensor has the least signal to noise, and leaves out those that change nothing', () => {
    expect(barsOf(rows, 'snr')).toEqual([
      {layer: 'conv', value: 20},
      {layer: 'dense', value: 25},
    ]);
  });
});

describe('histogramInWords', () => {
  const info = {
    unit: 'value',
    from: -1,
    width: 0.5,
    counts: [1, 2000, 3],
    levels: [-0.5, 0, 0.5],
    clipped: {below: 0, above: 0},
  };

  it('tells values, grid, and what lies outside of it', () => {
    expect(histogramInWords({...info, unit: 'value'})).toBe(
      '2,004 values from -1 to 0.5. The grid has 3 levels, from -0.5 to 0.5; no value lies outside of it.',
    );
    expect(histogramInWords({...info, unit: 'steps', clipped: {below: 0.01, above: 0.02}})).toBe(
      '2,004 values from -1 to 0.5, in steps of each channel’s grid. The grid has 3 levels, from -0.5 to 0.5; 3.0 % of the values lie outside of it.',
    );
  });
});
