/** What of tfjs-layers goes into which files, found by writing them: docs/layers.md. */
import {serialization} from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';

import {toTFLite, type TFLiteOptions} from '../../src/entries/tflite';
import {toONNX} from '../../src/entries/onnx';
import {withInner} from '../../src/layers/graph';
import {SPECS} from '../../src/layers/specs';
import type {LayerSpec} from '../../src/layers/specs/layer_spec';
import {EACH_LAYER, floatSmall, IN_FLOAT, quantizedSmall, type Small} from '../tflite/each_layer';

type Model = tfl.LayersModel;
const {layers} = tfl;

const NO = '–';

/** Whether something is written. */
async function isWritten(write: () => Promise<Uint8Array>): Promise<boolean> {
  return write().then(
    () => true,
    () => false,
  );
}

/** A column: what is written of a model, and what is made of that to write it. */
interface Format {
  readonly title: string;
  readonly write: (small: Small) => Promise<Uint8Array>;
}

const W16 = {numBits: 16, symmetric: true};

const FORMATS: readonly Format[] = [
  {title: 'float', write: small => toTFLite(floatSmall(small).model)},
  {title: 'int8', write: async small => toTFLite((await quantizedSmall(small, () => ({}))).q)},
  {title: 'int16', write: async small => toTFLite((await quantizedSmall(small, () => ({activations: W16}))).q)},
  {title: 'ONNX, float', write: small => toONNX(floatSmall(small).model)},
  {title: 'ONNX, int8', write: async small => toONNX((await quantizedSmall(small, () => ({}))).q)},
];

const ofImages = (layer: () => tfl.layers.Layer): Small => ({
  inputs: [[4, 4, 2]],
  build: x => layers.reLU().apply(layer().apply(x)) as tfl.SymbolicTensor,
});

const onSteps = (layer: () => tfl.layers.Layer): Small => ({
  inputs: [[3, 2]],
  build: x => layer().apply(x) as tfl.SymbolicTensor,
});

const {gruCell, lstmCell, simpleRNNCell} = layers;

/** Classes that other specs have no such models of. */
const OTHERS: Readonly<Record<string, Small>> = {
  Bidirectional: onSteps(() => layers.bidirectional({layer: layers.lstm({units: 2}), mergeMode: 'concat'})),
  ConvLSTM2D: {
    inputs: [[2, 3, 3, 1]],
    build: x => layers.convLstm2d({filters: 2, kernelSize: 2}).apply(x) as tfl.SymbolicTensor,
  },
  GRU: onSteps(() => layers.gru({units: 2})),
  LSTM: onSteps(() => layers.lstm({units: 2})),
  RNN: onSteps(() => layers.rnn({cell: [gruCell({units: 2}), lstmCell({units: 2}), simpleRNNCell({units: 2})]})),
  SimpleRNN: onSteps(() => layers.simpleRNN({units: 2})),
  Conv3DTranspose: {
    inputs: [[2, 3, 4, 1]],
    build: x => layers.conv3dTranspose({filters: 2, kernelSize: 2}).apply(x) as tfl.SymbolicTensor,
  },
  RandomWidth: ofImages(() => layers.randomWidth({factor: 0.5})),
  Resizing: ofImages(() => layers.resizing({height: 3, width: 5})),
};

/** The names of all activations of tfjs-layers. */
function activationNames(): string[] {
  const {classNameMap} = serialization.SerializationMap.getMap();
  const baseOf = (name: string) => Object.getPrototypeOf(classNameMap[name]![0]) as unknown;
  return Object.keys(classNameMap).filter(name => baseOf(name) === baseOf('relu'));
}

/** Of classes with weights: layers with so many that files have them as integers beside floats. */
const WITH_WEIGHTS: Readonly<Record<string, readonly [shape: number[], make: () => tfl.layers.Layer]>> = {
  Bidirectional: [[3, 66], () => layers.bidirectional({layer: layers.lstm({units: 66}), mergeMode: 'concat'})],
  Conv1D: [[6, 34], () => layers.conv1d({filters: 32, kernelSize: 3})],
  Conv2D: [[6, 6, 12], () => layers.conv2d({filters: 16, kernelSize: 3})],
  Conv2DTranspose: [[3, 4, 12], () => layers.conv2dTranspose({filters: 16, kernelSize: 3})],
  Conv3D: [[4, 4, 4, 12], () => layers.conv3d({filters: 16, kernelSize: 2})],
  Conv3DTranspose: [[4, 4, 4, 12], () => layers.conv3dTranspose({filters: 16, kernelSize: 2})],
  ConvLSTM2D: [[3, 6, 6, 12], () => layers.convLstm2d({filters: 12, kernelSize: 3})],
  ConvLSTM2DCell: [[3, 6, 6, 12], () => layers.convLstm2d({filters: 12, kernelSize: 3})],
  Dense: [[66], () => layers.dense({units: 32})],
  DepthwiseConv2D: [[8, 8, 120], () => layers.depthwiseConv2d({kernelSize: 7})],
  Embedding: [[5], () => layers.embedding({inputDim: 90, outputDim: 24})],
  GRU: [[3, 66], () => layers.gru({units: 66})],
  GRUCell: [[3, 66], () => layers.rnn({cell: gruCell({units: 66})})],
  LSTM: [[3, 66], () => layers.lstm({units: 66})],
  LSTMCell: [[3, 66], () => layers.rnn({cell: lstmCell({units: 66})})],
  RNN: [[3, 66], () => layers.rnn({cell: gruCell({units: 66})})],
  SeparableConv2D: [[6, 6, 120], () => layers.separableConv2d({kernelSize: 3, filters: 64})],
  SimpleRNN: [[3, 66], () => layers.simpleRNN({units: 66})],
  SimpleRNNCell: [[3, 66], () => layers.rnn({cell: simpleRNNCell({units: 66})})],
  StackedRNNCells: [[3, 66], () => layers.rnn({cell: [gruCell({units: 66}), gruCell({units: 66})]})],
  TimeDistributed: [[3, 66], () => layers.timeDistributed({layer: layers.dense({units: 32})})],
};

/** As what a file of floats has the weights of a class, if it is asked for integers. */
async function dynamicRange(name: string): Promise<string> {
  const wide = WITH_WEIGHTS[name];
  if (!wide) return NO;
  const inputs = tfl.input({shape: wide[0]});
  const model = tfl.model({inputs, outputs: wide[1]().apply(inputs) as tfl.SymbolicTensor});
  const sizeOf = async (type: NonNullable<TFLiteOptions['weights']>) => (await toTFLite(model, {weights: type})).length;
  const [float, int8, int4] = [await sizeOf('float32'), await sizeOf('int8'), await sizeOf('int4')];
  if (int8 > 0.7 * float) return 'float';
  return int4 < 0.8 * int8 ? 'int8, int4' : 'int8';
}

/** How a small tfjs model has the weights of a class. */
const inTfjs = (name: string, {splits}: LayerSpec) => (WITH_WEIGHTS[name] ? (splits ? 'exact' : 'nearest') : NO);

const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;

function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line)].join('\n');
}

const classesIn = ({layers: all}: Model) => all.flatMap(withInner).map(each => each.getClassName());

/** Of each class and of each activation, the formats that are written of a model with it. */
async function written(smalls: Readonly<Record<string, Small>>): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const found = new Map<string, Set<string>>();
  for (const [name, small] of Object.entries(smalls)) {
    const titles: string[] = [];
    for (const {title, write} of FORMATS) if (await isWritten(() => write(small))) titles.push(title);
    for (const each of [name, ...classesIn(floatSmall(small).model)]) {
      found.set(each, new Set([...(found.get(each) ?? []), ...titles]));
    }
  }
  return found;
}

/** Both tables. */
export async function layerTables(): Promise<string> {
  const found = await written({...EACH_LAYER, ...IN_FLOAT, ...OTHERS});
  const titles = FORMATS.map(({title}) => title);
  const cells = (name: string) => titles.map(title => (found.get(name)?.has(title) ? 'yes' : NO));
  const rows: string[][] = [];
  const all = Object.entries<LayerSpec>(SPECS).filter(([name]) => !name.includes('>'));
  for (const [name, spec] of all.sort(([a], [b]) => a.localeCompare(b, 'en'))) {
    rows.push([name, ...cells(name), await dynamicRange(name), inTfjs(name, spec)]);
  }
  const activations = activationNames().map((name): [string, Small] => [
    name,
    {
      inputs: [[6]],
      build: x =>
        layers.activation({activation: name as 'relu'}).apply(layers.dense({units: 3}).apply(x)) as tfl.SymbolicTensor,
    },
  ]);
  const foundOfActivations = await written(Object.fromEntries(activations));
  const activationRows = activations.map(([name]) => [
    name,
    ...titles.map(title => (foundOfActivations.get(name)!.has(title) ? 'yes' : NO)),
  ]);
  return [
    table(['Layer', ...titles, 'dynamic range', 'small tfjs'], rows),
    table(['Activation', ...titles], activationRows),
  ].join('\n\n');
}

/** Classes with weights of which there is no model here. */
export function withoutModel(): string[] {
  const rows = Object.entries<LayerSpec>(SPECS).filter(([, {weights}]) => weights);
  return rows.map(([name]) => name).filter(name => !WITH_WEIGHTS[name]);
}
