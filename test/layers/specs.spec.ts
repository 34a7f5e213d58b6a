/** The table of layer classes, against the classes that tfjs-layers has and those that have a lowering. */
import * as tf from '@tensorflow/tfjs-core';
import {layers} from '@tensorflow/tfjs-layers';
import {SEGMENT} from '../../src/graph_model/saved_segment';
import type {Layer} from '../../src/layers/graph';
import {SPECS} from '../../src/layers/specs';
import type {LayerSpec} from '../../src/layers/specs/layer_spec';
import {slotsOf} from '../../src/layers/weights';
import {needsSpeed, scoped} from '../support/scoped';

/** The layer classes that tfjs-layers registers when it is imported, and has a function for: specs register others. */
function classesOfTfjs(): string[] {
  const {classNameMap} = tf.serialization.SerializationMap.getMap();
  const functions = new Set(Object.keys(layers).map(name => name.toLowerCase()));
  return Object.entries(classNameMap).flatMap(([name, [cls]]) => {
    const {prototype} = cls as unknown as {prototype: unknown};
    return prototype instanceof layers.Layer && functions.has(name.toLowerCase()) ? [name] : [];
  });
}

const conv = {filters: 5, kernelSize: 3};

/** A layer of each class with weights, and what it is given; their sizes tell dimensions apart. */
const WITH_WEIGHTS: Readonly<Record<string, () => readonly [Layer, number[]]>> = {
  Conv1D: () => [layers.conv1d(conv), [8, 4]],
  Conv2D: () => [layers.conv2d({...conv, kernelSize: [2, 3]}), [8, 8, 4]],
  Conv2DTranspose: () => [layers.conv2dTranspose({...conv, kernelSize: [2, 3]}), [8, 8, 4]],
  Conv3D: () => [layers.conv3d({...conv, kernelSize: [1, 2, 3]}), [8, 8, 8, 4]],
  Conv3DTranspose: () => [layers.conv3dTranspose({...conv, kernelSize: [1, 2, 3]}), [8, 8, 8, 4]],
  ConvLSTM2DCell: () => [layers.convLstm2dCell({...conv, kernelSize: [2, 3]}), [8, 8, 4]],
  Dense: () => [layers.dense({units: 5}), [4]],
  DepthwiseConv2D: () => [layers.depthwiseConv2d({kernelSize: [2, 3], depthMultiplier: 5}), [8, 8, 4]],
  Embedding: () => [layers.embedding({inputDim: 7, outputDim: 5}), [4]],
  GRUCell: () => [layers.gruCell({units: 5}), [4]],
  LSTMCell: () => [layers.lstmCell({units: 5}), [4]],
  SeparableConv2D: () => [layers.separableConv2d({...conv, kernelSize: [2, 3], depthMultiplier: 6}), [8, 8, 4]],
  SimpleRNNCell: () => [layers.simpleRNNCell({units: 5}), [4]],
};

function built(name: string): Layer {
  const [layer, shape] = WITH_WEIGHTS[name]!();
  layer.build([null, ...shape]);
  return layer;
}

describe('The table of layer classes', () => {
  scoped();

  it('has a row for each class of tfjs-layers and for graph segments, and no other', () => {
    const known = classesOfTfjs();
    expect(known.length).toBeGreaterThan(60);
    expect(Object.keys(SPECS).sort()).toEqual([...known, SEGMENT].sort());
  });

  it('says of each class of tfjs-layers what it can be computed in, but of cells, which other layers call', () => {
    const rows = Object.entries<LayerSpec>(SPECS).filter(([, {lowered}]) => !lowered);
    const cells = ['ConvLSTM2DCell', 'GRUCell', 'LSTMCell', 'SimpleRNNCell', 'StackedRNNCells'];
    expect(rows.map(([name]) => name).sort()).toEqual(cells);
  });

  it('names all weights of a class but its bias', () => {
    needsSpeed();
    const rows = Object.entries<LayerSpec>(SPECS).filter(([, {weights}]) => weights);
    expect(Object.keys(WITH_WEIGHTS).sort()).toEqual(rows.map(([name]) => name).sort());
    for (const [name] of rows) {
      const layer = built(name);
      const slots = slotsOf(layer, undefined).map(({host, attr}) => host[attr]!.name);
      const weights = layer.weights.filter(({shape}) => shape.length > 1).map(each => each.name);
      expect(slots).withContext(name).toEqual(weights);
    }
  });

  it('counts as many channels of a weight as the bias has', () => {
    for (const name of Object.keys(WITH_WEIGHTS).filter(each => each !== 'Embedding')) {
      const layer = built(name);
      const {axis, host, attr} = slotsOf(layer, undefined).at(-1)!;
      const {shape} = host[attr]!;
      const [bias] = layer.weights.filter(each => each.shape.length === 1);
      const channels = axis === 'depthwise' ? shape[2]! * shape[3]! : shape[axis as number];
      expect(channels).withContext(name).toBe(bias!.shape[0]);
    }
  });
});
