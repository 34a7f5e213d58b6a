/** The samples that the site ships with its digits. */
import type {Job} from '../job';
import {imageShapeOf} from './images';
import {mixedOrder, picked, type SampleSet, type Wanted} from './sample_set';

const SIDE = 8;

/** Records of an image and its label, of whichever model takes such images. */
export async function exampleSamples(site: URL, {inputs, classes}: Wanted, job: Job): Promise<SampleSet> {
  const shape = imageShapeOf(inputs[0]!);
  if (inputs.length > 1 || shape?.height !== SIDE || shape.width !== SIDE || shape.channels !== 1) {
    throw new Error(
      'The example samples are digits of 8x8 pixels, for the digits network. Bring samples of your own, or take noise.',
    );
  }
  const response = await fetch(new URL('examples/digits/samples.bin', site), {signal: job.signal});
  if (!response.ok)
    throw new Error(
      `The example's samples could not be fetched: the server answers ${response.status}. Load the page again.`,
    );
  const records = new Uint8Array(await response.arrayBuffer());
  const size = SIDE ** 2;
  const count = records.length / (size + 1);
  const values = new Uint8Array(count * size);
  const labels = new Int32Array(count);
  for (let i = 0; i < count; ++i) {
    values.set(records.subarray(i * (size + 1), i * (size + 1) + size), i * size);
    labels[i] = records[i * (size + 1) + size]!;
  }
  const set: SampleSet = {
    of: 'images',
    count,
    columns: [{values, shape: inputs[0]!.shape.slice(1) as number[]}],
    labels: classes === 10 ? labels : undefined,
    isTest: undefined,
    columnNames: undefined,
    labelColumn: undefined,
    warnings: [],
  };
  return picked(set, mixedOrder(count));
}
