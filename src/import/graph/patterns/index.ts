/** The patterns, by the op of the node that they begin with. */
import {layers} from '@tensorflow/tfjs-layers';
import type {Pattern} from '../pattern';

const identity: Pattern = node => ({takes: [node.inputs[0]!], layers: [], nodes: [node]});

const conv: Pattern = (node, known) => {
  const kernel = known.constant(node.inputs[1]);
  const fused = node.attrs.texts('fused_ops');
  const bias = fused[0] === 'BiasAdd' ? known.constant(node.inputs[2]) : undefined;
  if (!kernel || (fused.length > 0 && !bias)) return {reason: 'its filter is computed'};
  const activations: Record<string, 'relu' | 'relu6'> = {Relu: 'relu', Relu6: 'relu6'};
  const activation = activations[fused[1] ?? ''];
  const [, rows = 1, columns = 1] = node.attrs.ints('strides');
  return {
    takes: [node.inputs[0]!],
    layers: [
      {
        of: node,
        make: named =>
          layers.conv2d({
            ...named,
            filters: kernel.shape[3]!,
            kernelSize: [kernel.shape[0]!, kernel.shape[1]!],
            strides: [rows, columns],
            padding: node.attrs.text('padding') === 'SAME' ? 'same' : 'valid',
            useBias: bias !== undefined,
            ...(activation && {activation}),
          }),
        weights: bias ? [kernel, bias] : [kernel],
      },
    ],
    nodes: [node],
  };
};

export const PATTERNS: Readonly<Record<string, Pattern>> = {
  Identity: identity,
  _FusedConv2D: conv,
  Conv2D: conv,
  Relu: node => ({takes: [node.inputs[0]!], layers: [{of: node, make: named => layers.reLU(named)}], nodes: [node]}),
  Softmax: node => ({
    takes: [node.inputs[0]!],
    layers: [{of: node, make: named => layers.softmax(named)}],
    nodes: [node],
  }),
};
