/** The digits network that the site ships, trained on bytes as images have them, and the images to try it with. */
import packed from '../../lab/digits.bin.gz';
import {digitClassifier} from '../../lab/digit_classifier';
import {accuracyOf, orderOf, pick, splitOf} from '../../lab/examples';
import {hastenCpu} from '../../lab/fast_cpu';
import {DIGITS} from '../../lab/formats';
import {reestimateBatchNorm} from '../../src/entries/qat';
import * as tf from '../../src/entries/tf';

const [EPOCHS, BATCH, SEED] = [40, 64, 1];

/** The records of digits.bin.gz, with pixels from 0 to 255. */
async function recordsOfBytes(): Promise<Uint8Array> {
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
  const records = new Uint8Array(await new Response(stream).arrayBuffer());
  const size = DIGITS.side ** 2 + 1;
  return records.map((value, i) => (i % size === size - 1 ? value : Math.round((value * 255) / DIGITS.most)));
}

/** By name, the files of the example: the model, and the test images, each before its label. */
export async function trainedDigits(): Promise<{files: Map<string, Uint8Array | string>; accuracy: number}> {
  await tf.setBackend('cpu');
  hastenCpu();
  const records = await recordsOfBytes();
  const {train, test} = splitOf(records, {...DIGITS, most: 255});
  let seed = SEED;
  const model = digitClassifier(() => tf.initializers.glorotUniform({seed: seed++}));
  const optimizer = tf.train.adam(1e-2);
  model.compile({optimizer, loss: 'categoricalCrossentropy'});
  for (let epoch = 0; epoch < EPOCHS; ++epoch) {
    if (epoch === EPOCHS / 2) (optimizer as unknown as {learningRate: number}).learningRate = 2e-3;
    const order = orderOf(DIGITS.trainCount, SEED, epoch);
    for (let start = 0; start < order.length; start += BATCH) {
      const {images, labels} = pick(train, order.slice(start, start + BATCH));
      await model.trainOnBatch(images, labels);
      tf.dispose([images, labels]);
    }
  }
  await reestimateBatchNorm(model, train.images, {samples: Infinity});
  return {
    files: new Map([...(await savedFiles(model)), ['samples.bin', records.subarray(DIGITS.trainCount * 65)]]),
    accuracy: await accuracyOf(model, test),
  };
}

async function savedFiles(model: tf.LayersModel): Promise<[string, Uint8Array | string][]> {
  let saved: tf.io.ModelArtifacts | undefined;
  await model.save(
    tf.io.withSaveHandler(artifacts => {
      saved = artifacts;
      return Promise.resolve({modelArtifactsInfo: {dateSaved: new Date(0), modelTopologyType: 'JSON'}});
    }),
  );
  const {modelTopology, weightSpecs = [], weightData} = saved!;
  const json = {
    format: 'layers-model',
    generatedBy: 'tfjs-quantization: site/examples/make_digits.mjs',
    convertedBy: null,
    modelTopology,
    weightsManifest: [{paths: ['weights.bin'], weights: weightSpecs}],
  };
  const labels = {labels: [...Array(10).keys()].map(String)};
  return [
    ['model.json', `${JSON.stringify(json)}\n`],
    ['weights.bin', new Uint8Array(weightData as ArrayBuffer)],
    ['metadata.json', `${JSON.stringify(labels)}\n`],
  ];
}
