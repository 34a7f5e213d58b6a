/** Random samples, where a visitor has none. */
import {imageShapeOf} from './images';
import {type Column, type SampleSet, sizeOf, type Wanted} from './sample_set';

/** What a size that the model leaves open is taken for. */
const OPEN_LENGTH = 16;

/** How many numbers of integers to choose from, where the model does not say. */
const INTEGERS = 2;

/** @param vocabularies - of each input how many integers it has a meaning for; undefined where it takes other numbers. */
export function noise(count: number, wanted: Wanted, vocabularies: readonly (number | undefined)[]): SampleSet {
  const columns = wanted.inputs.map((port, i): Column => {
    const image = imageShapeOf(port);
    const open = (dim: number | null, axis: number) =>
      dim ?? (image ? [image.height, image.width][axis]! : OPEN_LENGTH);
    const shape = port.shape.slice(1).map(open);
    const length = count * sizeOf(shape);
    const vocabulary = vocabularies[i] ?? (port.dtype === 'int32' && !image ? INTEGERS : undefined);
    if (vocabulary !== undefined) {
      return {shape, values: Int32Array.from({length}, () => Math.floor(Math.random() * vocabulary))};
    }
    if (image) return {shape, values: Uint8Array.from({length}, () => Math.floor(Math.random() * 256))};
    return {shape, values: Float32Array.from({length}, () => 2 * Math.random() - 1)};
  });
  return {
    of: 'noise',
    count,
    columns,
    labels: undefined,
    isTest: undefined,
    columnNames: undefined,
    labelColumn: undefined,
    warnings: [
      'These are random numbers, not samples: ranges that are found with them, and all that is told of the quantized model, are ' +
        'of noise. Some hundreds of real samples do better.',
    ],
  };
}
