// What stands in for the reader's: the files of Teachable Machine's download, a network of its layout, and photos.
import {mkdirSync, writeFileSync} from 'node:fs';
import {input, io, layers, model as modelOf, sequential} from '@tensorflow/tfjs';

const image = input({shape: [64, 64, 3]});
const convolution = {filters: 8, kernelSize: 3, strides: 4, useBias: false};
const normal = layers.batchNormalization().apply(layers.conv2d(convolution).apply(image));
const truncated = modelOf({inputs: image, outputs: layers.reLU({maxValue: 6}).apply(normal)});
const base = sequential({layers: [truncated, layers.globalAveragePooling2d({})]});
const head = sequential({
  layers: [
    layers.dense({inputShape: [8], units: 100, activation: 'relu'}),
    layers.dense({units: 2, activation: 'softmax', useBias: false}),
  ],
});
const teachable = sequential({layers: [base, head]});

mkdirSync('my_model');
await teachable.save(
  io.withSaveHandler(({modelTopology, weightSpecs, weightData}) => {
    const weightsManifest = [{paths: ['weights.bin'], weights: weightSpecs}];
    writeFileSync('my_model/model.json', JSON.stringify({modelTopology, weightsManifest}));
    writeFileSync('my_model/weights.bin', Buffer.from(weightData));
    return Promise.resolve({modelArtifactsInfo: {}});
  }),
);
const metadata = {
  tfjsVersion: '1.3.1',
  packageName: '@teachablemachine/image',
  labels: ['mug', 'no mug'],
  imageSize: 224,
};
writeFileSync('my_model/metadata.json', JSON.stringify(metadata));

/** A picture of noise in one of two colours, as a BMP, which browsers know for what it is. */
function photo(number) {
  const [width, height] = [80, 60];
  const bytes = Buffer.alloc(54 + 3 * width * height);
  bytes.write('BM');
  bytes.writeUInt32LE(bytes.length, 2);
  bytes.writeUInt32LE(54, 10);
  bytes.writeUInt32LE(40, 14);
  bytes.writeInt32LE(width, 18);
  bytes.writeInt32LE(height, 22);
  bytes.writeUInt16LE(1, 26);
  bytes.writeUInt16LE(24, 28);
  for (let i = 54; i < bytes.length; ++i) bytes[i] = 127 * Math.random() + (i % 3 === number % 2 ? 128 : 0);
  return bytes;
}

mkdirSync('photos');
for (let number = 1; number <= 20; ++number) writeFileSync(`photos/${number}.jpg`, photo(number));
