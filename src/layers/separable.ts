/** SeparableConv2D as a runtime computes it: two convolutions, with a tensor between them that is rounded as well. */
import {add, conv2d, depthwiseConv2d, reshape, type Tensor, type Tensor4D, transpose} from '@tensorflow/tfjs-core';
import type {Layer} from './graph';
import {asSeparable} from './tfjs_internals';

/** Calls the layer with a function on what its depthwise convolution gives. */
export function separableConvolution(layer: Layer, input: Tensor, between: (x: Tensor) => Tensor): Tensor {
  const {depthwiseKernel, pointwiseKernel, bias, activation, ...options} = asSeparable(layer);
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
