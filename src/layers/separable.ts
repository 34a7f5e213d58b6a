/** SeparableConv2D as a runtime computes it: two convolutions, with a tensor between them that is rounded as well. */
import {add, conv2d, depthwiseConv2d, reshape, type Tensor, type Tensor4D, transpose} from '@tensorflow/tfjs-core';
import type {LayerVariable} from '@tensorflow/tfjs-layers';
import type {Layer} from './graph';

/** What SeparableConv2D has beyond its public face. */
interface Separable {
  readonly depthwiseKernel: LayerVariable;
  readonly pointwiseKernel: LayerVariable;
  readonly bias: LayerVariable | null;
  readonly strides: [number, number];
  readonly padding: 'valid' | 'same';
  readonly dilationRate: [number, number];
  readonly dataFormat: 'channelsFirst' | 'channelsLast';
  readonly activation: {apply(x: Tensor): Tensor};
}

/** Calls the layer with a function on what its depthwise convolution gives. */
export function separableConvolution(layer: Layer, input: Tensor, between: (x: Tensor) => Tensor): Tensor {
  const {depthwiseKernel, pointwiseKernel, bias, activation, ...options} = layer as unknown as Separable;
  const {strides, padding, dilationRate, dataFormat} = options;
  const isFirst = dataFormat === 'channelsFirst';
  const x = (isFirst ? transpose(input, [0, 2, 3, 1]) : input) as Tensor4D;
  const kernels = [depthwiseKernel.read(), pointwiseKernel.read()] as [Tensor4D, Tensor4D];
  const middle = between(depthwiseConv2d(x, kernels[0], strides, padding, 'NHWC', dilationRate)) as Tensor4D;
  const product = conv2d(middle, kernels[1], 1, 'valid');
  const sum = bias ? add(product, reshape(bias.read(), [1, 1, 1, -1])) : product;
  const y = activation.apply(sum);
  return isFirst ? transpose(y, [0, 3, 1, 2]) : y;
}
