/** Files for specs: small ones that toTFLite writes, and such as nobody writes. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {Builder} from 'flatbuffers';
import {calibrate, quantizeModel} from '../../../src/entries/qat';
import {type TFLiteOptions, toTFLite} from '../../../src/entries/tflite';

const {layers} = tfl;

/** An image, a number, and a size beside three classes, on other ranges each. */
export async function severalPorts(options: TFLiteOptions = {}): Promise<Uint8Array> {
  const image = tfl.input({shape: [6, 6, 2], name: 'image'});
  const number = tfl.input({shape: [1], name: 'number'});
  const kernelInitializer = tfl.initializers.glorotUniform({seed: 3});
  const conv = layers.conv2d({filters: 3, kernelSize: 3, activation: 'relu', kernelInitializer});
  const flat = layers.flatten().apply(conv.apply(image)) as tfl.SymbolicTensor;
  const all = layers.concatenate().apply([flat, number]) as tfl.SymbolicTensor;
  const dense = (name: string, units: number, activation: 'softmax' | 'linear') =>
    layers.dense({units, activation, kernelInitializer, name}).apply(all) as tfl.SymbolicTensor;
  const outputs = [dense('kind', 3, 'softmax'), dense('size', 1, 'linear')];
  const q = quantizeModel(tfl.model({inputs: [image, number], outputs}));
  await calibrate(q, [
    tf.randomUniform([16, 6, 6, 2], -1, 1, 'float32', 5),
    tf.randomUniform([16, 1], 0, 9, 'float32', 6),
  ]);
  return toTFLite(q, options);
}

/** A dense layer, in floats. */
export function floatFile(options: TFLiteOptions = {}): Promise<Uint8Array> {
  return toTFLite(tfl.sequential({layers: [layers.dense({units: 2, inputShape: [3], name: 'dense'})]}), options);
}

/** A file whose operators are of given codes, on one tensor, in so many subgraphs: the schema's slots are told anew here. */
export function fileOf(
  codes: readonly {deprecated?: number; builtin?: number; custom?: string; version?: number}[],
  {subgraphs = 1, tensor: title = 'x', type = 0} = {},
): Uint8Array {
  const to = new Builder(1024);
  const table = (slots: number, fill: () => void) => {
    to.startObject(slots);
    fill();
    return to.endObject();
  };
  const vector = (offsets: readonly number[]) => {
    to.startVector(4, offsets.length, 4);
    for (const offset of [...offsets].reverse()) to.addOffset(offset);
    return to.endVector();
  };
  const numbers = (all: readonly number[]) => {
    to.startVector(4, all.length, 4);
    for (const each of [...all].reverse()) to.addInt32(each);
    return to.endVector();
  };
  const operatorCodes = codes.map(({deprecated = 0, builtin = 0, custom, version = 1}) => {
    const name = custom === undefined ? 0 : to.createString(custom);
    return table(4, () => {
      to.addFieldInt8(0, deprecated, 0);
      to.addFieldOffset(1, name, 0);
      to.addFieldInt32(2, version, 1);
      to.addFieldInt32(3, builtin, 0);
    });
  });
  const subgraph = () => {
    const shape = numbers([1, 4]);
    const name = to.createString(title);
    const tensor = table(8, () => {
      to.addFieldOffset(0, shape, 0);
      to.addFieldInt8(1, type, 0);
      to.addFieldOffset(3, name, 0);
    });
    const tensors = vector([tensor]);
    const operators = vector(
      codes.map((_, i) => {
        const port = numbers([0]);
        return table(3, () => {
          to.addFieldInt32(0, i, 0);
          to.addFieldOffset(1, port, 0);
          to.addFieldOffset(2, port, 0);
        });
      }),
    );
    const ports = numbers([0]);
    return table(4, () => {
      to.addFieldOffset(0, tensors, 0);
      to.addFieldOffset(1, ports, 0);
      to.addFieldOffset(2, ports, 0);
      to.addFieldOffset(3, operators, 0);
    });
  };
  const parts = [
    vector(operatorCodes),
    vector(Array.from({length: subgraphs}, subgraph)),
    vector([table(1, () => undefined)]),
  ] as const;
  to.finish(
    table(5, () => {
      to.addFieldInt32(0, 3, 0);
      to.addFieldOffset(1, parts[0], 0);
      to.addFieldOffset(2, parts[1], 0);
      to.addFieldOffset(4, parts[2], 0);
    }),
    'TFL3',
  );
  return to.asUint8Array();
}
