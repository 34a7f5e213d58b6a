// What stands in for the reader's: a model of Keras 3, converted, and one that tfmot quantized and trained.
import {copyFileSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {gunzipSync} from 'node:zlib';

/** The repository, from the folder of a document's files. */
const ROOT = '../../..';

const models = JSON.parse(gunzipSync(readFileSync(`${ROOT}/test/keras_models/models.json.gz`)));
const {json, weights} = models['keras3/images.h5'];
mkdirSync('keras');
writeFileSync('keras/model.json', JSON.stringify(json));
writeFileSync('keras/group1-shard1of1.bin', Buffer.from(weights, 'base64'));

mkdirSync('tfmot');
for (const file of ['model.json', 'group1-shard1of1.bin'])
  copyFileSync(`${ROOT}/test/tfmot/converted/${file}`, `tfmot/${file}`);
