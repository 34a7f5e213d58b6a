/** Which layers the nodes of graphs become, against tfjs's own executor of graphs. */
import {type io, square, sum, type Tensor, variableGrads} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import fc from 'fast-check';
import {describeImport} from '../../src/import/describe';
import {importModel} from '../../src/import/import_model';
import {onWebGL, onWebGPU} from '../support/environment';
import {needsTraining, scoped} from '../support/scoped';
import {
  classesOf,
  CLOSE,
  difference,
  executed,
  flag,
  float,
  GraphBuilder,
  int,
  ints,
  text,
  texts,
  type,
  valuesFor,
} from './graphs';

type Shape = readonly (number | null)[];
type Build = (graph: GraphBuilder, x: string) => void;

/** A graph of one input, x. */
/** Stacks that are tried: on a GPU each is made of new programs. */
const RUNS = onWebGL || onWebGPU ? 10 : 40;

function graphOf(shape: Shape, build: Build): io.ModelArtifacts {
  const graph = new GraphBuilder();
  build(graph, graph.input('x', shape));
  return graph.artifacts();
}

/** Expects a model to compute what a graph does, in training too, where it does not normalize batches. */
async function expectSame(artifacts: io.ModelArtifacts, model: LayersModel, batch = 2): Promise<void> {
  const values = valuesFor(model, [batch, 7, 6, 5]);
  const expected = await executed(artifacts, model.inputNames, values);
  const outputs = [[model.predict(values)].flat()];
  if (!classesOf(model).includes('BatchNormalization')) {
    outputs.push([model.apply(values, {training: true})].flat() as Tensor[]);
  }
  for (const given of outputs) {
    expect(given.length).toBe(expected.length);
    for (const [i, each] of given.entries()) expect(await difference(each, expected[i]!)).toBeLessThan(CLOSE);
  }
}

/** Expects a graph to become layers of these classes. */
async function expectLayers({shape, build, classes}: Form): Promise<LayersModel> {
  const artifacts = graphOf(shape, build);
  const model = await importModel(artifacts);
  expect(classesOf(model)).toEqual([...classes]);
  await expectSame(artifacts, model, shape[0] ?? 2);
  return model;
}

interface Form {
  readonly shape: Shape;
  readonly build: Build;
  readonly classes: readonly string[];
}

const form = (shape: Shape, build: Build, ...classes: readonly string[]): Form => ({shape, build, classes});

/** A spec for each form of nodes. */
function become(forms: Readonly<Record<string, Form>>): void {
  for (const [name, each] of Object.entries(forms)) {
    it(`${name}: ${each.classes.join(', ')}`, async () => {
      await expectLayers(each);
    });
  }
}

const IMAGES = [null, 8, 6, 3] as const;
const OPEN = [null, null, null, 3] as const;
const STEPS = [null, 7, 3] as const;
const ROWS = [null, 5] as const;
const ONES = {strides: ints(1, 1, 1, 1), dilations: ints(1, 1, 1, 1)};
const SAME = {...ONES, padding: text('SAME')};
const VALID = {...ONES, padding: text('VALID')};
const EXPLICIT = {strides: ints(1, 2, 2, 1), dilations: ints(1, 1, 1, 1), padding: text('EXPLICIT')};

function conv(g: GraphBuilder, x: string, attrs = SAME, op = 'Conv2D'): string {
  return g.op(op, [x, g.random([3, 2, 3, 4])], attrs);
}

/** A Conv2D with ops fused into it. */
function fused(...ops: readonly string[]): Build {
  return (g, x) => {
    const args = ops.flatMap(op => (op === 'BiasAdd' || op === 'Prelu' ? [g.random([4])] : []));
    const attrs = {...SAME, fused_ops: texts(...ops), num_args: int(args.length), leakyrelu_alpha: float(0.3)};
    g.op('_FusedConv2D', [x, g.random([3, 2, 3, 4]), ...args], attrs);
  };
}

describe('Nodes of graphs become layers,', () => {
  scoped();

  describe('convolutions', () => {
    become({
      same: form(IMAGES, (g, x) => conv(g, x), 'Conv2D'),
      valid: form(IMAGES, (g, x) => conv(g, x, VALID), 'Conv2D'),
      'of open sizes': form(OPEN, (g, x) => conv(g, x), 'Conv2D'),
      strided: form(IMAGES, (g, x) => conv(g, x, {...SAME, strides: ints(1, 2, 3, 1)}), 'Conv2D'),
      dilated: form(IMAGES, (g, x) => conv(g, x, {...VALID, dilations: ints(1, 2, 2, 1)}), 'Conv2D'),
      'with explicit paddings': form(
        IMAGES,
        (g, x) => conv(g, x, {...EXPLICIT, explicit_paddings: ints(0, 0, 1, 2, 0, 1, 0, 0)} as typeof SAME),
        'ZeroPadding2D',
        'Conv2D',
      ),
      'with explicit paddings of 0': form(
        IMAGES,
        (g, x) => conv(g, x, {...EXPLICIT, explicit_paddings: ints(0, 0, 0, 0, 0, 0, 0, 0)} as typeof SAME),
        'Conv2D',
      ),
      depthwise: form(
        IMAGES,
        (g, x) => g.op('DepthwiseConv2dNative', [x, g.random([3, 2, 3, 2])], SAME),
        'DepthwiseConv2D',
      ),
      'depthwise, strided': form(
        IMAGES,
        (g, x) => g.op('DepthwiseConv2dNative', [x, g.random([3, 2, 3, 1])], {...VALID, strides: ints(1, 2, 2, 1)}),
        'DepthwiseConv2D',
      ),
      'of volumes': form(
        [null, 4, 5, 6, 2],
        (g, x) =>
          g.op('Conv3D', [x, g.random([2, 3, 2, 2, 3])], {
            strides: ints(1, 1, 2, 1, 1),
            dilations: ints(1, 1, 1, 1, 1),
            padding: text('SAME'),
            data_format: text('NDHWC'),
          }),
        'Conv3D',
      ),
      'transposed, same': form(
        [null, 4, 3, 2],
        (g, x) =>
          g.op('Conv2DBackpropInput', [g.ints(2, 8, 9, 5), g.random([3, 3, 5, 2]), x], {
            ...SAME,
            strides: ints(1, 2, 3, 1),
          }),
        'Conv2DTranspose',
      ),
      'transposed, valid, with a bias': form(
        [null, 4, 3, 2],
        (g, x) => {
          const attrs = {...VALID, strides: ints(1, 2, 2, 1)};
          const sized = g.op('Conv2DBackpropInput', [g.ints(2, 9, 7, 5), g.random([3, 3, 5, 2]), x], attrs);
          const scaled = g.op('Mul', [sized, g.random([5])]);
          g.op('Relu', [g.op('BiasAdd', [scaled, g.random([5])])]);
        },
        'Conv2DTranspose',
      ),
      'between SpaceToBatchND and BatchToSpaceND': form(
        IMAGES,
        (g, x) => {
          const pads = g.constant([2, 2, 2, 2], [2, 2], 'int32');
          const apart = g.op('SpaceToBatchND', [x, g.ints(2, 2), pads]);
          const product = g.op('Conv2D', [apart, g.random([3, 3, 3, 4])], VALID);
          const crops = g.constant([0, 0, 0, 0], [2, 2], 'int32');
          g.op('BiasAdd', [g.op('BatchToSpaceND', [product, g.ints(2, 2), crops]), g.random([4])]);
        },
        'ZeroPadding2D',
        'Conv2D',
      ),
      'between SpaceToBatchND and BatchToSpaceND, cropped': form(
        [null, 7, 5, 3],
        (g, x) => {
          const pads = g.constant([2, 3, 2, 3], [2, 2], 'int32');
          const apart = g.op('SpaceToBatchND', [x, g.ints(2, 2), pads]);
          const product = g.op('Conv2D', [apart, g.random([3, 3, 3, 4])], VALID);
          g.op('BatchToSpaceND', [product, g.ints(2, 2), g.constant([0, 1, 0, 1], [2, 2], 'int32')]);
        },
        'ZeroPadding2D',
        'Conv2D',
      ),
    });
  });

  describe('what is fused with them', () => {
    become({
      'a bias': form(IMAGES, fused('BiasAdd'), 'Conv2D'),
      ...Object.fromEntries(
        ['Relu', 'Elu', 'Sigmoid'].map(op => [`a bias and ${op}`, form(IMAGES, fused('BiasAdd', op), 'Conv2D')]),
      ),
      'a bias and Relu6': form(IMAGES, fused('BiasAdd', 'Relu6'), 'Conv2D', 'ReLU'),
      'a bias and LeakyRelu': form(IMAGES, fused('BiasAdd', 'LeakyRelu'), 'Conv2D', 'LeakyReLU'),
      'a bias and Prelu': form(IMAGES, fused('BiasAdd', 'Prelu'), 'Conv2D', 'PReLU'),
      'a bias, and more behind it': form(
        IMAGES,
        (g, x) => {
          const attrs = {...SAME, fused_ops: texts('BiasAdd'), num_args: int(1)};
          const biased = g.op('_FusedConv2D', [x, g.random([3, 2, 3, 4]), g.random([4])], attrs);
          g.op('Tanh', [g.op('Mul', [biased, g.random([4])])]);
        },
        'Conv2D',
      ),
      'depthwise with a bias and Relu6': form(
        IMAGES,
        (g, x) => {
          const attrs = {...SAME, fused_ops: texts('BiasAdd', 'Relu6'), num_args: int(1)};
          g.op('FusedDepthwiseConv2dNative', [x, g.random([3, 3, 3, 1]), g.random([3])], attrs);
        },
        'DepthwiseConv2D',
        'ReLU',
      ),
    });
  });

  describe('what follows them', () => {
    become({
      'arithmetic with constants, in any order': form(
        IMAGES,
        (g, x) => {
          const scaled = g.op('Mul', [g.random([4], 0.5, 2), conv(g, x)]);
          const biased = g.op('BiasAdd', [g.op('Identity', [scaled]), g.random([4])]);
          const less = g.op('Sub', [biased, g.random([1, 1, 1, 4])]);
          const turned = g.op('Sub', [g.scalar(1), less]);
          g.op('Relu', [g.op('RealDiv', [turned, g.random([4], 1, 2)])]);
        },
        'Conv2D',
      ),
      'depthwise, with a scale per channel': form(
        IMAGES,
        (g, x) => {
          const product = g.op('DepthwiseConv2dNative', [x, g.random([3, 2, 3, 2])], SAME);
          g.op('AddV2', [g.op('Mul', [product, g.random([6])]), g.random([6])]);
        },
        'DepthwiseConv2D',
      ),
      ...Object.fromEntries(
        ['Elu', 'LogSoftmax', 'Relu', 'Selu', 'Sigmoid', 'Softmax', 'Softplus', 'Tanh'].map(op => [
          op,
          form(IMAGES, (g, x) => g.op(op, [conv(g, x)]), 'Conv2D'),
        ]),
      ),
      Relu6: form(IMAGES, (g, x) => g.op('Relu6', [conv(g, x)]), 'Conv2D', 'ReLU'),
      'Minimum and Maximum': form(
        IMAGES,
        (g, x) => g.op('Maximum', [g.scalar(0), g.op('Minimum', [conv(g, x), g.scalar(6)])]),
        'Conv2D',
        'ReLU',
      ),
      'Relu and Minimum': form(
        IMAGES,
        (g, x) => g.op('Minimum', [g.scalar(6), g.op('Relu', [conv(g, x)])]),
        'Conv2D',
        'ReLU',
      ),
      ClipByValue: form(
        IMAGES,
        (g, x) => g.op('ClipByValue', [conv(g, x), g.scalar(0), g.scalar(6)]),
        'Conv2D',
        'ReLU',
      ),
      'ClipByValue to another bound': form(
        IMAGES,
        (g, x) => g.op('ClipByValue', [conv(g, x), g.scalar(0), g.scalar(1)]),
        'Conv2D',
        'ReLU',
      ),
      'FusedBatchNormV3 and Relu': form(
        IMAGES,
        (g, x) => {
          const [scale, offset, mean, variance] = [g.random([4]), g.random([4]), g.random([4]), g.random([4], 0.5, 2)];
          const attrs = {epsilon: float(0.001), is_training: flag(false)};
          g.op('Relu', [g.op('FusedBatchNormV3', [conv(g, x), scale, offset, mean, variance], attrs)]);
        },
        'Conv2D',
        'BatchNormalization',
        'Activation',
      ),
      'two that take it': form(
        IMAGES,
        (g, x) => {
          const product = conv(g, x);
          g.op('Add', [g.op('Relu', [product]), g.op('Tanh', [product])]);
        },
        'Conv2D',
        'Activation',
        'Activation',
        'Add',
      ),
    });
  });

  describe('products of matrices', () => {
    const matMul = (attrs: Parameters<GraphBuilder['op']>[2], shape: readonly number[], op = 'MatMul'): Build => {
      return (g, x) => g.op('BiasAdd', [g.op(op, [x, g.random(shape)], attrs), g.random([4])]);
    };
    become({
      plain: form(ROWS, matMul({transpose_a: flag(false), transpose_b: flag(false)}, [5, 4]), 'Dense'),
      transposed: form(ROWS, matMul({transpose_a: flag(false), transpose_b: flag(true)}, [4, 5]), 'Dense'),
      'fused with Relu': form(
        ROWS,
        (g, x) => {
          const attrs = {
            transpose_a: flag(false),
            transpose_b: flag(false),
            fused_ops: texts('BiasAdd', 'Relu'),
            num_args: int(1),
          };
          g.op('_FusedMatMul', [x, g.random([5, 4]), g.random([4])], attrs);
        },
        'Dense',
      ),
      'and Softmax': form(
        ROWS,
        (g, x) =>
          g.op('Softmax', [
            g.op('MatMul', [x, g.random([5, 4])], {transpose_a: flag(false), transpose_b: flag(false)}),
          ]),
        'Dense',
      ),
      'over steps': form(STEPS, matMul({adj_x: flag(false), adj_y: flag(false)}, [3, 4], 'BatchMatMulV2'), 'Dense'),
      'over steps, transposed': form(
        STEPS,
        matMul({adj_x: flag(false), adj_y: flag(true)}, [1, 4, 3], 'BatchMatMulV2'),
        'Dense',
      ),
      'between Reshapes': form(
        STEPS,
        (g, x) => {
          const flat = g.op('Reshape', [x, g.ints(-1, 3)]);
          const product = g.op('MatMul', [flat, g.random([3, 4])], {
            transpose_a: flag(false),
            transpose_b: flag(false),
          });
          g.op('Relu', [g.op('BiasAdd', [g.op('Reshape', [product, g.ints(-1, 7, 4)]), g.random([4])])]);
        },
        'Dense',
      ),
    });
  });

  describe('arithmetic with constants', () => {
    become({
      'scale and offset of all': form(
        IMAGES,
        (g, x) => g.op('Sub', [g.op('Mul', [x, g.scalar(2 / 255)]), g.scalar(1)]),
        'Rescaling',
      ),
      'Sub, then RealDiv': form(
        IMAGES,
        (g, x) => g.op('RealDiv', [g.op('Sub', [x, g.constant([127.5], [1])]), g.scalar(127.5)]),
        'Rescaling',
      ),
      'a constant less x': form(ROWS, (g, x) => g.op('Sub', [g.scalar(1), x]), 'Rescaling'),
      Neg: form(ROWS, (g, x) => g.op('Neg', [x]), 'Rescaling'),
      'per channel of images': form(
        OPEN,
        (g, x) => g.op('Relu', [g.op('AddV2', [g.op('Mul', [x, g.random([3])]), g.random([3])])]),
        'DepthwiseConv2D',
      ),
      'a mean per channel': form(IMAGES, (g, x) => g.op('Sub', [x, g.random([1, 1, 1, 3])]), 'DepthwiseConv2D'),
      'per channel of steps': form(
        STEPS,
        (g, x) => g.op('Mul', [x, g.random([3])]),
        'Reshape',
        'DepthwiseConv2D',
        'Reshape',
      ),
      'per channel of steps of any number': form(
        [null, null, 3],
        (g, x) => g.op('Relu', [g.op('AddV2', [x, g.random([3])])]),
        'Reshape',
        'DepthwiseConv2D',
        'Reshape',
      ),
      'per channel of volumes': form(
        [null, 2, 3, 4, 3],
        (g, x) => g.op('Mul', [x, g.random([3])]),
        'Reshape',
        'DepthwiseConv2D',
        'Reshape',
      ),
      'per step': form(STEPS, (g, x) => g.op('Mul', [x, g.random([7, 1])]), 'Reshape', 'DepthwiseConv2D', 'Reshape'),
      'per channel that comes first': form(IMAGES, (g, x) => g.op('Mul', [x, g.random([8, 1, 1])]), 'DepthwiseConv2D'),
      'per column': form(ROWS, (g, x) => g.op('AddV2', [g.random([5]), x]), 'Reshape', 'DepthwiseConv2D', 'Reshape'),
      'hard swish': form(
        IMAGES,
        (g, x) => {
          const gate = g.op('Relu6', [g.op('AddV2', [x, g.scalar(3)])]);
          g.op('Mul', [g.op('Mul', [x, gate]), g.scalar(1 / 6)]);
        },
        'Rescaling',
        'ReLU',
        'Multiply',
        'Rescaling',
      ),
      'the larger of x and a part of it': form(
        IMAGES,
        (g, x) => g.op('Maximum', [g.op('Mul', [g.scalar(0.1), x]), x]),
        'LeakyReLU',
      ),
      'batch norm without statistics of its own': form(
        IMAGES,
        (g, x) => {
          const [scale, offset, mean, variance] = [g.random([3]), g.random([3]), g.random([3]), g.random([3], 0.5, 2)];
          const attrs = {epsilon: float(0.01), is_training: flag(false)};
          g.op('FusedBatchNorm', [x, scale, offset, mean, variance], attrs);
        },
        'BatchNormalization',
      ),
    });
  });

  describe('functions', () => {
    become({
      ...Object.fromEntries(
        ['Elu', 'LogSoftmax', 'Relu', 'Selu', 'Sigmoid', 'Softmax', 'Softplus', 'Tanh'].map(op => [
          op,
          form(IMAGES, (g, x) => g.op(op, [x]), 'Activation'),
        ]),
      ),
      Relu6: form(IMAGES, (g, x) => g.op('Relu6', [x]), 'ReLU'),
      LeakyRelu: form(IMAGES, (g, x) => g.op('LeakyRelu', [x], {alpha: float(0.1)}), 'LeakyReLU'),
      'Prelu per channel': form(OPEN, (g, x) => g.op('Prelu', [x, g.random([3])]), 'PReLU'),
      'Prelu per channel, of all dimensions': form(
        IMAGES,
        (g, x) => g.op('Prelu', [x, g.random([1, 1, 1, 3])]),
        'PReLU',
      ),
      'Prelu per pixel': form(IMAGES, (g, x) => g.op('Prelu', [x, g.random([8, 6, 1])]), 'PReLU'),
      'Prelu of one slope': form(ROWS, (g, x) => g.op('Prelu', [x, g.scalar(0.25)]), 'PReLU'),
      'x * sigmoid(x)': form(IMAGES, (g, x) => g.op('Mul', [x, g.op('Sigmoid', [x])]), 'Activation'),
      Square: form(ROWS, (g, x) => g.op('Square', [x]), 'Multiply'),
      'x * x': form(ROWS, (g, x) => g.op('Mul', [x, x]), 'Multiply'),
    });
  });

  describe('merges', () => {
    const two = (op: string): Build => {
      return (g, x) => g.op(op, [g.op('Tanh', [x]), g.op('Relu', [x])]);
    };
    become({
      ...Object.fromEntries(
        (
          [
            ['Add', 'Add'],
            ['AddV2', 'Add'],
            ['AddN', 'Add'],
            ['Mul', 'Multiply'],
            ['Maximum', 'Maximum'],
            ['Minimum', 'Minimum'],
          ] as const
        ).map(([op, layer]) => [op, form(IMAGES, two(op), 'Activation', 'Activation', layer)]),
      ),
      Sub: form(IMAGES, two('Sub'), 'Activation', 'Activation', 'Rescaling', 'Add'),
      'AddN of three': form(IMAGES, (g, x) => g.op('AddN', [x, g.op('Tanh', [x]), x]), 'Activation', 'Add'),
      'a gate per channel': form(
        OPEN,
        (g, x) => {
          const mean = g.op('Mean', [x, g.ints(1, 2)], {keep_dims: flag(true)});
          g.op('Mul', [x, g.op('Sigmoid', [mean])]);
        },
        'GlobalAveragePooling2D',
        'Reshape',
        'Activation',
        'Multiply',
      ),
      'ConcatV2 of channels': form(
        OPEN,
        (g, x) => g.op('ConcatV2', [x, g.op('Tanh', [x]), g.scalar(-1, 'int32')], {N: int(2)}),
        'Activation',
        'Concatenate',
      ),
      Tile: form(IMAGES, (g, x) => g.op('Tile', [x, g.ints(1, 1, 3, 1)]), 'Concatenate'),
      'ConcatV2 of rows': form(
        IMAGES,
        (g, x) => g.op('ConcatV2', [x, g.op('Tanh', [x]), x, g.scalar(1, 'int32')], {N: int(3)}),
        'Activation',
        'Concatenate',
      ),
    });
  });

  describe('poolings', () => {
    const pool = (op: string, padding: string, format = 'NHWC'): Build => {
      const attrs = {
        ksize: ints(1, 3, 2, 1),
        strides: ints(1, 2, 2, 1),
        padding: text(padding),
        data_format: text(format),
      };
      return (g, x) => g.op(op, [x], attrs);
    };
    const volumes = {ksize: ints(1, 2, 2, 2, 1), strides: ints(1, 2, 1, 2, 1), padding: text('SAME')};
    const over = (op: string, axes: readonly number[], keeps: boolean): Build => {
      return (g, x) => g.op(op, [x, g.ints(...axes)], {keep_dims: flag(keeps)});
    };
    become({
      'MaxPool, same': form(IMAGES, pool('MaxPool', 'SAME'), 'MaxPooling2D'),
      'MaxPool, valid': form(OPEN, pool('MaxPool', 'VALID'), 'MaxPooling2D'),
      'AvgPool, same': form([null, 7, 5, 3], pool('AvgPool', 'SAME'), 'AveragePooling2D'),
      'AvgPool, valid': form(IMAGES, pool('AvgPool', 'VALID'), 'AveragePooling2D'),
      MaxPool3D: form([null, 4, 5, 6, 2], (g, x) => g.op('MaxPool3D', [x], volumes), 'MaxPooling3D'),
      AvgPool3D: form([null, 4, 5, 6, 2], (g, x) => g.op('AvgPool3D', [x], volumes), 'AveragePooling3D'),
      'Mean over space': form(OPEN, over('Mean', [1, 2], false), 'GlobalAveragePooling2D'),
      'Mean over space, from the end': form(OPEN, over('Mean', [-2, -3], false), 'GlobalAveragePooling2D'),
      'Mean over space, dimensions kept': form(OPEN, over('Mean', [1, 2], true), 'GlobalAveragePooling2D', 'Reshape'),
      'Max over space': form(OPEN, over('Max', [1, 2], false), 'GlobalMaxPooling2D'),
      'Sum over space': form(IMAGES, over('Sum', [1, 2], false), 'GlobalAveragePooling2D', 'Rescaling'),
      'Mean over steps': form([null, null, 3], over('Mean', [1], false), 'GlobalAveragePooling1D'),
      'Max over steps': form(STEPS, over('Max', [1], true), 'GlobalMaxPooling1D', 'Reshape'),
      'Mean over rows': form(
        IMAGES,
        over('Mean', [1], true),
        'Reshape',
        'GlobalAveragePooling1D',
        'Reshape',
        'Reshape',
      ),
      'Max over volumes': form(
        [null, 2, 3, 4, 5],
        over('Max', [1, 2, 3], false),
        'Reshape',
        'GlobalMaxPooling1D',
        'Reshape',
      ),
      'Mean where channels come first': form(IMAGES, over('Mean', [2, 3], false), 'GlobalAveragePooling2D'),
    });
  });

  describe('what moves values', () => {
    const shaped = (...to: readonly number[]): Build => {
      return (g, x) => g.op('Reshape', [g.op('Tanh', [x]), g.ints(...to)]);
    };
    const space = (...margins: readonly number[]): Build => {
      return (g, x) => g.op('Pad', [x, g.constant(margins, [margins.length / 2, 2], 'int32')]);
    };
    const slice = (
      begin: readonly number[],
      end: readonly number[],
      masks: Readonly<Record<string, number>> = {begin_mask: 1, end_mask: 1},
    ): Build => {
      const attrs = Object.fromEntries(
        ['begin', 'end', 'ellipsis', 'new_axis', 'shrink_axis'].map(name => [
          `${name}_mask`,
          int(masks[`${name}_mask`] ?? 0),
        ]),
      );
      return (g, x) =>
        g.op('StridedSlice', [x, g.ints(...begin), g.ints(...end), g.ints(...begin.map(() => 1))], attrs);
    };
    const resized = (op: string, size: readonly [number, number], align = false, half = false): Build => {
      const attrs = {align_corners: flag(align), half_pixel_centers: flag(half)};
      return (g, x) => g.op(op, [x, g.ints(...size)], attrs);
    };
    become({
      'Reshape, the batch inferred': form(IMAGES, shaped(-1, 12, 12), 'Activation', 'Reshape'),
      'Reshape to rows': form(IMAGES, shaped(-1, 144), 'Activation', 'Reshape'),
      'Reshape to what it was': form(IMAGES, shaped(-1, 8, 6, 3), 'Activation'),
      'Reshape of a batch of 1': form([1, 8, 6, 3], shaped(1, -1), 'Activation', 'Reshape'),
      'Reshape to a computed shape': form(
        IMAGES,
        (g, x) => {
          const one = g.ints(1);
          const masks = Object.fromEntries(
            ['begin', 'end', 'ellipsis', 'new_axis'].map(name => [`${name}_mask`, int(0)] as const),
          );
          const attrs = {...masks, shrink_axis_mask: int(1)};
          const shape = g.op('Shape', [x], {out_type: type('DT_INT32')});
          const batch = g.op('StridedSlice', [shape, g.ints(0), one, one], {...attrs, T: type('DT_INT32')});
          const packed = g.op('Pack', [batch, g.scalar(-1, 'int32'), g.scalar(9, 'int32')], {axis: int(0), N: int(3)});
          g.op('Reshape', [x, packed]);
        },
        'Reshape',
      ),
      Squeeze: form([null, 1, 1, 5], (g, x) => g.op('Squeeze', [x], {squeeze_dims: ints(1, 2)}), 'Reshape'),
      'Squeeze from the end': form(
        [null, null, 1, 5],
        (g, x) => g.op('Squeeze', [x], {squeeze_dims: ints(-2)}),
        'Reshape',
      ),
      'ExpandDims, Conv2D and Squeeze': form(
        [null, null, 3],
        (g, x) => {
          const images = g.op('ExpandDims', [x, g.scalar(-3, 'int32')]);
          const product = g.op('Conv2D', [images, g.random([1, 3, 3, 4])], {...SAME, strides: ints(1, 1, 2, 1)});
          g.op('Relu', [g.op('BiasAdd', [g.op('Squeeze', [product], {squeeze_dims: ints(-3)}), g.random([4])])]);
        },
        'Conv1D',
      ),
      'ExpandDims, Conv2D of columns and Squeeze': form(
        STEPS,
        (g, x) => {
          const images = g.op('ExpandDims', [x, g.scalar(2, 'int32')]);
          const attrs = {...VALID, dilations: ints(1, 2, 1, 1)};
          g.op('Squeeze', [g.op('Conv2D', [images, g.random([3, 1, 3, 4])], attrs)], {squeeze_dims: ints(2)});
        },
        'Conv1D',
      ),
      'ExpandDims, Tile and Reshape': form(
        IMAGES,
        (g, x) => {
          const tiled = g.op('Tile', [g.op('ExpandDims', [x, g.scalar(2, 'int32')]), g.ints(1, 1, 3, 1, 1)]);
          g.op('Reshape', [tiled, g.ints(-1, 24, 6, 3)]);
        },
        'UpSampling2D',
      ),
      ExpandDims: form(STEPS, (g, x) => g.op('ExpandDims', [x, g.scalar(-1, 'int32')]), 'Reshape'),
      Transpose: form(IMAGES, (g, x) => g.op('Transpose', [x, g.ints(0, 3, 1, 2)]), 'Permute'),
      'Pad around images': form(OPEN, space(0, 0, 1, 2, 0, 1, 0, 0), 'ZeroPadding2D'),
      'Pad where channels come first': form(IMAGES, space(0, 0, 0, 0, 1, 0, 2, 1), 'ZeroPadding2D'),
      'Pad of channels': form(IMAGES, space(0, 0, 0, 0, 0, 0, 1, 2), 'ZeroPadding2D'),
      'Pad of steps': form([null, null, 3], space(0, 0, 2, 0, 0, 0), 'Reshape', 'ZeroPadding2D', 'Reshape'),
      'PadV2 with 0': form(
        IMAGES,
        (g, x) => g.op('PadV2', [x, g.constant([0, 0, 1, 1, 1, 1, 0, 0], [4, 2], 'int32'), g.scalar(0)]),
        'ZeroPadding2D',
      ),
      'Pad with nothing': form(
        IMAGES,
        (g, x) => g.op('Relu', [g.op('Pad', [x, g.constant([0, 0, 0, 0, 0, 0, 0, 0], [4, 2], 'int32')])]),
        'Activation',
      ),
      'StridedSlice of space': form(
        IMAGES,
        slice([0, 1, -5, 0], [0, 8, -1, 0], {begin_mask: 9, end_mask: 11}),
        'Cropping2D',
      ),
      'StridedSlice of channels': form(
        IMAGES,
        slice([0, 1], [0, 3], {begin_mask: 0, end_mask: 0, ellipsis_mask: 1}),
        'Cropping2D',
      ),
      'StridedSlice of columns': form(ROWS, slice([0, 1], [0, 4]), 'Reshape', 'Cropping2D', 'Reshape'),
      Slice: form(IMAGES, (g, x) => g.op('Slice', [x, g.ints(0, 2, 1, 0), g.ints(-1, 3, -1, -1)]), 'Cropping2D'),
      ResizeNearestNeighbor: form(IMAGES, resized('ResizeNearestNeighbor', [16, 18]), 'UpSampling2D'),
      'ResizeNearestNeighbor from centers': form(
        IMAGES,
        resized('ResizeNearestNeighbor', [16, 12], false, true),
        'UpSampling2D',
      ),
      ResizeBilinear: form(IMAGES, resized('ResizeBilinear', [16, 12]), 'UpSampling2D'),
      'ResizeBilinear to what it was': form(
        IMAGES,
        (g, x) => {
          const same = g.op('ResizeBilinear', [x, g.ints(8, 6)], {
            align_corners: flag(true),
            half_pixel_centers: flag(false),
          });
          g.op('Relu', [same]);
        },
        'Activation',
      ),
      'Identity and StopGradient': form(
        IMAGES,
        (g, x) => g.op('Relu', [g.op('StopGradient', [g.op('Identity', [x])])]),
        'Activation',
      ),
    });

    it('a table that is looked up: Embedding', async () => {
      const graph = new GraphBuilder();
      const x = graph.input('x', [null, 6], 'int32');
      graph.op('GatherV2', [graph.random([4, 5]), x, graph.scalar(0, 'int32')], {batch_dims: int(0)});
      const model = await importModel(graph.artifacts());
      expect(classesOf(model)).toEqual(['Embedding']);
      await expectSame(graph.artifacts(), model);
    });
  });

  describe('unless there is none, and says why:', () => {
    const stay = (shape: Shape, build: Build, why: string) => ({shape, build, why});
    const resized = (op: string, height: number, align: boolean, half: boolean): Build => {
      const attrs = {align_corners: flag(align), half_pixel_centers: flag(half)};
      return (g, x) => g.op(op, [x, g.ints(height, 12)], attrs);
    };
    const forms = {
      'depthwise dilations': stay(
        IMAGES,
        (g, x) => g.op('DepthwiseConv2dNative', [x, g.random([2, 2, 3, 1])], {...VALID, dilations: ints(1, 2, 2, 1)}),
        'has dilations, and no depthwise layer has',
      ),
      'a transposed convolution of another size': stay(
        [null, 4, 3, 2],
        (g, x) => {
          const attrs = {...SAME, strides: ints(1, 2, 2, 1)};
          g.op('Conv2DBackpropInput', [g.ints(2, 7, 5, 5), g.random([3, 3, 5, 2]), x], attrs);
        },
        'gives another size than a layer, or one that is open',
      ),
      'a filter that is computed': stay(
        [2, 3, 3, 1],
        (g, x) => {
          const filter = g.op('Reshape', [g.op('Tanh', [x]), g.ints(3, 3, 1, 2)]);
          g.op('Conv2D', [x, filter], SAME);
        },
        'computes its filter',
      ),
      'a constant that differs by pixel': stay(
        IMAGES,
        (g, x) => g.op('Add', [x, g.random([8, 6, 3])]),
        'has a constant that differs by position',
      ),
      'a constant over x': stay(ROWS, (g, x) => g.op('RealDiv', [g.scalar(1), x]), 'divides a constant by a value'),
      'one value over another': stay(ROWS, (g, x) => g.op('RealDiv', [x, g.op('Sigmoid', [x])]), 'divides two values'),
      'values of several ranks': stay(
        [2, 2, 3],
        (g, x) => g.op('Add', [x, g.op('Mean', [x, g.ints(1)], {keep_dims: flag(false)})]),
        'takes values of several ranks',
      ),
      'bounds that no layer has': stay(
        ROWS,
        (g, x) => g.op('ClipByValue', [x, g.scalar(-1), g.scalar(1)]),
        'holds values between bounds that no layer has',
      ),
      'a batch that moves': stay([2, 3, 4], (g, x) => g.op('Transpose', [x, g.ints(1, 0, 2)]), 'moves its batch'),
      ...Object.fromEntries(
        [1, null].map(batch => [
          batch === 1 ? 'rows in the place of a batch of one' : 'rows in the place of an open batch',
          stay(
            [batch, null, null, 4],
            (g, x) => {
              const zeros = ['begin', 'end', 'ellipsis', 'new_axis'].map(name => [`${name}_mask`, int(0)] as const);
              const attrs = {...Object.fromEntries(zeros), shrink_axis_mask: int(1), T: type('DT_INT32')};
              const shape = g.op('Shape', [x], {out_type: type('DT_INT32')});
              const size = (axis: number) =>
                g.op('StridedSlice', [shape, g.ints(axis), g.ints(axis + 1), g.ints(1)], attrs);
              const [rest, last] = [g.scalar(-1, 'int32'), g.scalar(4, 'int32')];
              g.op('Reshape', [x, g.op('Pack', [size(1), size(2), rest, last], {axis: int(0), N: int(4)})]);
            },
            'moves values between its batch and other dimensions',
          ),
        ]),
      ),
      'a batch that is joined': stay(
        [2, 3, 4],
        (g, x) => g.op('Reshape', [x, g.ints(6, 4)]),
        'moves values between its batch and other dimensions',
      ),
      'a batch that is reduced': stay(
        ROWS,
        (g, x) => g.op('Mean', [x, g.ints(0)], {keep_dims: flag(true)}),
        'reduces its batch',
      ),
      'batches that are joined': stay(
        ROWS,
        (g, x) => g.op('ConcatV2', [x, x, g.scalar(0, 'int32')], {N: int(2)}),
        'joins batches',
      ),
      'a dimension before the batch': stay(
        ROWS,
        (g, x) => g.op('ExpandDims', [x, g.scalar(0, 'int32')]),
        'puts a dimension before its batch',
      ),
      MirrorPad: stay(
        IMAGES,
        (g, x) =>
          g.op('MirrorPad', [x, g.constant([0, 0, 1, 1, 1, 1, 0, 0], [4, 2], 'int32')], {mode: text('REFLECT')}),
        'has no layer',
      ),
      'a PadV2 with another value': stay(
        IMAGES,
        (g, x) => g.op('PadV2', [x, g.constant([0, 0, 1, 1, 1, 1, 0, 0], [4, 2], 'int32'), g.scalar(-1)]),
        'pads with another value than 0',
      ),
      'corners that are aligned': stay(
        IMAGES,
        resized('ResizeBilinear', 16, true, false),
        'aligns corners, and no layer that resizes does',
      ),
      'pixels that are counted from their centers': stay(
        IMAGES,
        resized('ResizeBilinear', 16, false, true),
        'counts pixels from their centers, and no layer does',
      ),
      'sizes that are no multiple': stay(
        IMAGES,
        resized('ResizeNearestNeighbor', 9, false, false),
        'resizes to no known whole multiple',
      ),
      'strides of a slice': stay(
        IMAGES,
        (g, x) => {
          const masks = ['begin', 'end', 'ellipsis', 'new_axis', 'shrink_axis'].map(name => [
            `${name}_mask`,
            int(/^(begin|end)$/.test(name) ? 1 : 0),
          ]);
          const [begin, end, strides] = [g.ints(0, 0), g.ints(2, 8), g.ints(1, 2)];
          g.op(
            'StridedSlice',
            [x, begin, end, strides],
            Object.fromEntries(masks) as Parameters<GraphBuilder['op']>[2],
          );
        },
        'slices with strides',
      ),
    };
    for (const [name, {shape, build, why}] of Object.entries(forms)) {
      it(name, async () => {
        const artifacts = graphOf(shape, build);
        const model = await importModel(artifacts);
        const notes = describeImport(model).rows.map(({note}) => note ?? '');
        expect(notes.some(note => note.includes(why)))
          .withContext(notes.join())
          .toBeTrue();
        await expectSame(artifacts, model, shape[0] ?? 2);
        model.dispose();
      });
    }
  });

  it('whose weights train', async () => {
    needsTraining();
    const artifacts = graphOf(IMAGES, (g, x) => {
      const scaled = g.op('AddV2', [g.op('Mul', [conv(g, x), g.random([4])]), g.random([4])]);
      const slopes = g.op('Prelu', [scaled, g.random([4])]);
      const depthwise = g.op('DepthwiseConv2dNative', [slopes, g.random([3, 3, 4, 1])], SAME);
      const mean = g.op('Mean', [g.op('Relu6', [depthwise]), g.ints(1, 2)], {keep_dims: flag(false)});
      g.op('BiasAdd', [g.op('MatMul', [mean, g.random([4, 2])], {transpose_b: flag(false)}), g.random([2])]);
    });
    const model = await importModel(artifacts);
    const [x] = valuesFor(model);
    const {grads} = variableGrads(() => sum(square(model.apply(x!) as Tensor)).asScalar());
    expect(model.trainableWeights.length).toBe(2 + 1 + 1 + 2);
    expect(Object.keys(grads).length).toBe(model.trainableWeights.length);
    for (const gradient of Object.values(grads)) expect((await gradient.data()).some(each => each !== 0)).toBeTrue();
  });

  it('whatever they are stacked of', async () => {
    const channels = 3;
    const steps: Readonly<Record<string, (g: GraphBuilder, x: string) => string>> = {
      conv: (g, x) => g.op('Conv2D', [x, g.random([2, 3, channels, channels])], SAME),
      depthwise: (g, x) => g.op('DepthwiseConv2dNative', [x, g.random([3, 3, channels, 1])], SAME),
      scale: (g, x) => g.op('Mul', [x, g.random([channels], 0.5, 1.5)]),
      bias: (g, x) => g.op('BiasAdd', [x, g.random([channels])]),
      less: (g, x) => g.op('Sub', [g.scalar(1), x]),
      over: (g, x) => g.op('RealDiv', [x, g.random([1, channels], 0.5, 1.5)]),
      relu: (g, x) => g.op('Relu', [x]),
      least: (g, x) => g.op('Maximum', [g.op('Minimum', [x, g.scalar(6)]), g.scalar(0)]),
      most: (g, x) => g.op('Maximum', [g.scalar(0), x]),
      tanh: (g, x) => g.op('Tanh', [x]),
      identity: (g, x) => g.op('Identity', [x]),
      swish: (g, x) => g.op('Mul', [g.op('Sigmoid', [x]), x]),
      residual: (g, x) => g.op('AddV2', [x, g.op('Conv2D', [x, g.random([1, 1, channels, channels])], SAME)]),
      pool: (g, x) => {
        const attrs = {ksize: ints(1, 2, 2, 1), strides: ints(1, 1, 1, 1), padding: text('SAME')};
        return g.op('AvgPool', [x], attrs);
      },
      norm: (g, x) => {
        const [scale, offset, mean] = [g.random([channels]), g.random([channels]), g.random([channels])];
        const attrs = {epsilon: float(0.001), is_training: flag(false)};
        return g.op('FusedBatchNormV3', [x, scale, offset, mean, g.random([channels], 0.5, 2)], attrs);
      },
    };
    const stacks = fc.array(fc.constantFrom(...Object.keys(steps)), {minLength: 1, maxLength: 7});
    await fc.assert(
      fc.asyncProperty(stacks, async names => {
        const build: Build = (g, x) => {
          const last = names.reduce((value, name) => steps[name]!(g, value), x);
          g.op('Identity', [last], {}, 'out');
        };
        const artifacts = graphOf([null, 5, 4, channels], build);
        const model = await importModel(artifacts);
        expect(classesOf(model)).not.toContain('tfjs-quantization>GraphSegment');
        await expectSame(artifacts, model);
        model.dispose();
      }),
      {numRuns: RUNS, seed: 14},
    );
  });

  it('or segments, wherever values move to', async () => {
    const axis = fc.integer({min: -4, max: 3});
    const margin = fc.constantFrom(0, 0, 1, 2);
    const shapes = fc.constantFrom(
      [-1, 24],
      [-1, 4, 6],
      [2, -1],
      [2, 3, 8],
      [6, 8],
      [-1, 3, 4, 2],
      [1, 2, 24],
      [-1, 2],
      [2, 24, 1],
      [48],
    );
    const masks = fc.integer({min: 0, max: 15});
    const move = fc.oneof(
      shapes.map(to => (g: GraphBuilder, x: string) => g.op('Reshape', [x, g.ints(...to)])),
      fc.array(margin, {minLength: 8, maxLength: 8}).map(margins => (g: GraphBuilder, x: string) => {
        return g.op('Pad', [x, g.constant(margins, [4, 2], 'int32')]);
      }),
      fc
        .tuple(fc.uniqueArray(axis, {minLength: 1, maxLength: 3}), fc.boolean(), fc.constantFrom('Mean', 'Max', 'Sum'))
        .map(
          ([axes, keeps, op]) =>
            (g: GraphBuilder, x: string) =>
              g.op(op, [x, g.ints(...new Set(axes.map(each => (each + 4) % 4)))], {keep_dims: flag(keeps)}),
        ),
      fc.shuffledSubarray([0, 1, 2, 3], {minLength: 4}).map(order => (g: GraphBuilder, x: string) => {
        return g.op('Transpose', [x, g.ints(...order)]);
      }),
      axis.map(at => (g: GraphBuilder, x: string) => g.op('ExpandDims', [x, g.scalar(at, 'int32')])),
      axis.map(
        at => (g: GraphBuilder, x: string) =>
          g.op('ConcatV2', [x, g.op('Tanh', [x]), g.scalar(at, 'int32')], {N: int(2)}),
      ),
      fc
        .tuple(
          fc.constantFrom('Add', 'Sub', 'Mul', 'RealDiv'),
          fc.constantFrom(
            [],
            [1],
            [2],
            [4, 1],
            [3, 1, 1],
            [1, 3, 1, 1],
            [2, 1, 1, 1],
            [3, 4, 2],
            [1, 1, 1, 2],
            [1, 4, 1],
          ),
          fc.boolean(),
        )
        .map(([op, shape, isFirst]) => (g: GraphBuilder, x: string) => {
          const constant = g.random(shape, 0.5, 1.5);
          return g.op(op, isFirst ? [constant, x] : [x, constant]);
        }),
      fc
        .tuple(masks, masks, fc.array(fc.constantFrom(0, 1, -2), {minLength: 4, maxLength: 4}), fc.constantFrom(0, 4))
        .map(([begins, ends, from, ellipsis]) => (g: GraphBuilder, x: string) => {
          const attrs = {begin_mask: int(begins), end_mask: int(ends), ellipsis_mask: int(ellipsis)};
          const more = {new_axis_mask: int(0), shrink_axis_mask: int(0)};
          return g.op('StridedSlice', [x, g.ints(...from), g.ints(2, 3, 4, 2), g.ints(1, 1, 1, 1)], {
            ...attrs,
            ...more,
          });
        }),
    );
    await fc.assert(
      fc.asyncProperty(move, fc.constantFrom(2, null), async (moved, batch) => {
        const artifacts = graphOf([batch, 3, 4, 2], (g, x) => g.op('Tanh', [moved(g, g.op('Tanh', [x]))]));
        const model = await importModel(artifacts);
        await expectSame(artifacts, model);
        model.dispose();
      }),
      {numRuns: 4 * RUNS, seed: 14},
    );
  });
});
