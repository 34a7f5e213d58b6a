/** Samples of a visitor: which class a file is of, tables, arrays, scales. */
import {zipSync} from 'fflate';
import type {GivenFile, PortInfo} from '../../site/quantize/worker/contract';
import {unpacked} from '../../site/quantize/worker/files';
import {Job} from '../../site/quantize/worker/job';
import {matchClasses, placedFiles} from '../../site/quantize/worker/samples/classes';
import {readRows} from '../../site/quantize/worker/samples/csv';
import {imageShapeOf, ofChannels} from '../../site/quantize/worker/samples/images';
import {noise} from '../../site/quantize/worker/samples/noise';
import {readArrays} from '../../site/quantize/worker/samples/npy';
import {readSamples} from '../../site/quantize/worker/samples/read_samples';
import {mixedOrder, picked, type Wanted} from '../../site/quantize/worker/samples/sample_set';
import {scaled, scalingProblem} from '../../site/quantize/worker/samples/scaling';
import arrays from './arrays.json';

const port = (shape: readonly (number | null)[], dtype = 'float32', name = 'x'): PortInfo => ({name, shape, dtype});

const wanted = (shape: readonly (number | null)[], classes?: number, labels?: readonly string[]): Wanted => ({
  inputs: [port(shape)],
  classes,
  labels,
});

const file = (path: string, content: string | Uint8Array<ArrayBuffer> = ''): GivenFile => ({
  path,
  data: new Blob([content]),
});

const npy = (path: string, name: keyof typeof arrays) =>
  file(path, Uint8Array.from(Buffer.from(arrays[name], 'base64')));

describe('Folders as classes', () => {
  const classesOf = (paths: readonly string[], labels?: readonly string[]) =>
    placedFiles(
      paths.map(path => file(path)),
      labels,
    ).map(({className, isTest}) => `${className ?? '-'}${isTest ? ' (test)' : ''}`);

  it('are what is within the folder that all share', () => {
    expect(classesOf(['pets/cat/1.png', 'pets/dog/2.png'])).toEqual(['cat', 'dog']);
    expect(classesOf(['1.png', '2.png'])).toEqual(['-', '-']);
    expect(classesOf(['all/1.png', 'all/2.png'])).toEqual(['-', '-']);
    expect(classesOf(['Cat/1.png', 'Cat/2.png'], ['cat', 'dog'])).toEqual(['Cat', 'Cat']);
  });

  it('lie in folders for training and tests', () => {
    expect(classesOf(['d/train/cat/1.png', 'd/test/dog/2.png'])).toEqual(['cat', 'dog (test)']);
    expect(classesOf(['validation/cat/1.png', 'training/dog/2.png'])).toEqual(['cat (test)', 'dog']);
    expect(classesOf(['train/cat/1.png', 'train/dog/1.png'])).toEqual(['cat', 'dog']);
    expect(classesOf(['test/1.png', 'other/2.png'])).toEqual(['test', 'other']);
  });

  const match = (names: readonly string[], classes: number | undefined, labels?: readonly string[]) => {
    const {classOf, warnings} = matchClasses(names, {classes, labels});
    return [classOf && Object.fromEntries(classOf), warnings.length];
  };

  it("are the model's labels, whatever their case and spaces", () => {
    expect(match(['my_dog', 'CAT'], 2, ['Cat', 'My dog'])).toEqual([{CAT: 0, my_dog: 1}, 0]);
    expect(match(['Cat-samples', 'Dog-samples'], 2, ['Dog', 'Cat'])).toEqual([{'Cat-samples': 1, 'Dog-samples': 0}, 0]);
    expect(match(['cat', 'bird'], 2, ['Cat', 'Dog'])).toEqual([{cat: 0}, 1]);
  });

  it('are numbers, or in the order of their names', () => {
    expect(match(['10', '9', '2'], 11)).toEqual([{2: 2, 9: 9, 10: 10}, 0]);
    expect(match(['b', 'a', 'a'], 2)).toEqual([{a: 0, b: 1}, 1]);
    expect(match(['b', 'a'], 3)).toEqual([undefined, 1]);
    expect(match(['b', 'a'], undefined)).toEqual([undefined, 1]);
    expect(match([], 2)).toEqual([undefined, 0]);
  });
});

describe('Images', () => {
  it('fit inputs of one, three or four channels', () => {
    expect(imageShapeOf(port([null, 224, 160, 3]))).toEqual({height: 224, width: 160, channels: 3});
    expect(imageShapeOf(port([null, 28, 28]))).toEqual({height: 28, width: 28, channels: 1});
    expect(imageShapeOf(port([null, 784]))).toEqual({height: 28, width: 28, channels: 1});
    expect(imageShapeOf(port([null, null, null, 3]))).toEqual({height: 224, width: 224, channels: 3});
    for (const shape of [
      [null, 4],
      [null, 25],
      [null, 12, 3],
      [null, null, 28],
      [null, 8, 8, 2],
      [null, 1, 8, 8, 3],
      [null],
    ]) {
      expect(imageShapeOf(port(shape)))
        .withContext(String(shape))
        .toBeUndefined();
    }
  });

  it('become light and dark by what the eye sees of each color', () => {
    const rgba = Uint8ClampedArray.from([255, 0, 0, 255, 0, 255, 0, 255, 0, 0, 255, 255, 10, 10, 10, 0]);
    // ITU-R BT.601: 0.299 R + 0.587 G + 0.114 B.
    expect([...ofChannels(rgba, 1)]).toEqual([76, 150, 29, 10]);
    expect([...ofChannels(rgba, 3)]).toEqual([255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 10, 10]);
    expect(ofChannels(rgba, 4).length).toBe(16);
  });
});

describe('Rows', () => {
  const rows = (text: string, to = wanted([null, 2], 2), column?: string) => readRows(file('t.csv', text), to, column);

  it('are read with names of columns and without', async () => {
    for (const text of [
      'a,b\n1,2\n3,4\n',
      '1,2\n3,4',
      'a;b\r\n1;2\r\n3;4\r\n',
      '"a","b"\n"1","2"\n3,4\n\n',
      'a\tb\n1\t2\n3\t4',
    ]) {
      const {columns, count, columnNames, labels} = await rows(text);
      expect([...columns[0]!.values])
        .withContext(text)
        .toEqual([1, 2, 3, 4]);
      expect(count).toBe(2);
      expect(columnNames).toEqual(text.includes('a') ? ['a', 'b'] : ['column 1', 'column 2']);
      expect(labels).toBeUndefined();
    }
  });

  it('have commas in decimals where semicolons part them', async () => {
    const {columns} = await rows('a;b\n1,5;-2,25\n1,5E-3;,5\n');
    expect([...columns[0]!.values]).toEqual([...Float32Array.of(1.5, -2.25, 1.5e-3, 0.5)]);
  });

  it('have a class by the name of its column, by words, or in the last one', async () => {
    const named = await rows('kind,a,b\n1,5,6\n0,7,8\n', undefined, 'kind');
    expect([...named.labels!]).toEqual([1, 0]);
    expect([...named.columns[0]!.values]).toEqual([5, 6, 7, 8]);
    const words = await rows('a,b,who\n1,2,"no, no"\n3,4,yes\n', wanted([null, 2], 2, ['Yes', 'No, no']));
    expect([...words.labels!]).toEqual([1, 0]);
    expect(words.labelColumn).toBe('who');
    const last = await rows('1,2,0\n3,4,1\n');
    expect([...last.labels!]).toEqual([0, 1]);
    expect(last.labelColumn).toBe('column 3');
  });

  it('lose what programs write beside the numbers: counts of rows, empty columns, the separator', async () => {
    for (const text of [
      ',a,b,c\n0,1,2,1\n1,3,4,0\n2,5,6,1\n',
      'Id,a,b,c\n1,1,2,1\n2,3,4,0\n3,5,6,1\n',
      'a,b,c,\n1,2,1,\n3,4,0,\n5,6,1,\n',
      'sep=;\r\na;b;c\r\n1;2;1\r\n3;4;0\r\n5;6;1\r\n',
    ]) {
      const {columns, labels, labelColumn} = await rows(text);
      expect([[...columns[0]!.values], [...labels!], labelColumn])
        .withContext(text)
        .toEqual([[1, 2, 3, 4, 5, 6], [1, 0, 1], 'c']);
    }
    const {columns} = await rows('Id,a\n0,5\n1,6\n2,7\n');
    expect([...columns[0]!.values])
      .withContext('what the model takes')
      .toEqual([0, 5, 1, 6, 2, 7]);
  });

  it('with gaps are left out', async () => {
    const {count, warnings} = await rows('a,b\n1,2\n3,\nx,4\n5,6\n');
    expect(count).toBe(2);
    expect(warnings).toEqual(['Rows left out, as numbers are missing in them: 2.']);
  });

  it('fill samples of several dimensions, and of open length', async () => {
    expect((await rows('1,2,3,4,5,6\n', wanted([null, 3, 2]))).columns[0]!.shape).toEqual([3, 2]);
    expect((await rows('1,2,3,4,5,6\n', wanted([null, null, 2]))).columns[0]!.shape).toEqual([3, 2]);
  });

  it('that do not fit are refused in words', async () => {
    await expectAsync(rows('1,2,3,4\n')).toBeRejectedWithError(
      /takes samples of shape \[2\] \(2 numbers\), but t\.csv has 4 columns of numbers/,
    );
    await expectAsync(rows('')).toBeRejectedWithError(/t\.csv is empty/);
    await expectAsync(rows('a,b\n')).toBeRejectedWithError(/no rows/);
    await expectAsync(rows('1,2\n', undefined, 'c')).toBeRejectedWithError(/no column "c"/);
    await expectAsync(rows('1,"2\n3,4')).toBeRejectedWithError(/quotes/i);
    await expectAsync(rows('a,b\nx,1\ny,2\n')).toBeRejectedWithError(/column "a" holds "x"/);
  });
});

describe('Arrays', () => {
  const six = wanted([null, 3], 3);

  it('of every kind of number are what numpy holds', async () => {
    const kinds = ['u1', 'i1', 'u2', 'i2', 'u4', 'i4', 'u8', 'i8', 'f2', 'f4', 'f8'] as const;
    for (const kind of kinds) {
      const {columns, count} = await readArrays([npy('x.npy', kind)], six);
      expect([...columns[0]!.values])
        .withContext(kind)
        .toEqual([0, 1, 2, 3, 100, 7]);
      expect(columns[0]!.values instanceof Uint8Array)
        .withContext(kind)
        .toBe(kind === 'u1');
      expect(count).toBe(2);
    }
    expect([...(await readArrays([npy('x.npy', 'bool')], six)).columns[0]!.values]).toEqual([0, 0, 0, 1, 1, 1]);
  });

  it('have classes beside them, as integers or one-hot', async () => {
    for (const [path, name] of [
      ['y.npy', 'labels'],
      ['labels_test.npy', 'one_hot'],
    ] as const) {
      const {labels} = await readArrays([npy('x.npy', 'f4'), npy(path, name)], six);
      expect([...labels!]).toEqual([2, 0]);
    }
  });

  it('may be one sample, or lack a channel', async () => {
    expect((await readArrays([npy('x.npy', 'one')], wanted([null, 4]))).count).toBe(1);
    const images = await readArrays([npy('x.npy', 'images')], wanted([null, 4, 4, 1]));
    expect([images.count, images.columns[0]!.shape]).toEqual([2, [4, 4, 1]]);
  });

  it('go to inputs by name', async () => {
    const two = {
      inputs: [port([null, 3], 'float32', 'left:0'), port([null, 3], 'int32', 'right')],
      classes: undefined,
      labels: undefined,
    };
    const {columns} = await readArrays([npy('right.npy', 'f4'), npy('left_0.npy', 'u1')], two);
    expect(columns.map(({values}) => values.constructor.name)).toEqual(['Uint8Array', 'Int32Array']);
    await expectAsync(readArrays([npy('right.npy', 'f4')], two)).toBeRejectedWithError(/2 inputs.*left:0\.npy/);
  });

  it('with values that are no numbers are left out', async () => {
    const bytes = Uint8Array.from(Buffer.from(arrays.f4, 'base64'));
    const view = new DataView(bytes.buffer);
    view.setFloat32(bytes.length - 4, NaN, true);
    const {columns, labels, warnings} = await readArrays([file('x.npy', bytes), npy('y.npy', 'labels')], six);
    expect([[...columns[0]!.values], [...labels!]]).toEqual([[0, 1, 2], [2]]);
    expect(warnings).toEqual([jasmine.stringMatching(/NaN or infinite: 1/)]);
    view.setFloat32(bytes.length - 24, Infinity, true);
    await expectAsync(readArrays([file('x.npy', bytes)], six)).toBeRejectedWithError(/All samples hold values/);
  });

  it('that do not fit are refused in words', async () => {
    const read = (name: keyof typeof arrays, to = six) => readArrays([npy('x.npy', name)], to);
    await expectAsync(read('fortran')).toBeRejectedWithError(/np\.ascontiguousarray/);
    await expectAsync(read('complex')).toBeRejectedWithError(/not numbers/);
    await expectAsync(read('text')).toBeRejectedWithError(/x\.npy/);
    await expectAsync(read('f4', wanted([null, 5]))).toBeRejectedWithError(/shape \[5\].*has the shape \[2, 3\]/);
    await expectAsync(readArrays([file('x.npy', 'nonsense')], six)).toBeRejectedWithError(/np\.save/);
    const whole = Buffer.from(arrays.f4, 'base64');
    const cut = file('x.npy', Uint8Array.from(whole.subarray(0, whole.length - 8)));
    await expectAsync(readArrays([cut], six)).toBeRejectedWithError(/x\.npy/);
    await expectAsync(readArrays([npy('x.npy', 'f4'), npy('y.npy', 'one')], six)).toBeRejectedWithError(
      /there are 2 samples/,
    );
    await expectAsync(readArrays([npy('a.npy', 'f4'), npy('z.npy', 'f4')], six)).toBeRejectedWithError(/2 arrays/);
    expect((await readArrays([npy('x.npy', 'f4'), npy('z.npy', 'f4')], six)).warnings).toEqual([
      jasmine.stringMatching(/z\.npy/),
    ]);
  });
});

describe('Samples', () => {
  it('of archives lie in folders of their names, which may be classes; those of numpy are archives', async () => {
    const pictures = zipSync({'0.png': Uint8Array.of(1)});
    const both = [file('Cat-samples.zip', pictures), file('dog.zip', zipSync({'dog-samples.zip': pictures}))];
    const placed = placedFiles(await unpacked(both, new Job()), ['cat', 'dog']);
    expect(placed.map(({className}) => className)).toEqual(['Cat-samples', 'dog']);
    const content = (name: keyof typeof arrays) => Uint8Array.from(Buffer.from(arrays[name], 'base64'));
    const archive = file('mnist.npz', zipSync({'x_train.npy': content('f4'), 'y_train.npy': content('labels')}));
    const {count, labels} = await readSamples([archive], wanted([null, 3], 3), undefined, new Job());
    expect([count, [...labels!].sort()]).toEqual([2, [0, 2]]);
  });

  it('of no known kind are refused in words', async () => {
    const read = (files: readonly GivenFile[]) => readSamples(files, wanted([null, 2]), undefined, new Job());
    await expectAsync(read([file('a.txt')])).toBeRejectedWithError(/a\.txt.*Give images/);
    await expectAsync(read([file('.DS_Store')])).toBeRejectedWithError(/no files/);
    await expectAsync(read([file('a.png')])).toBeRejectedWithError(/shape \[2\], which images are not/);
    const {warnings} = await read([file('t.csv', '1,2\n'), file('notes.md'), file('u.csv', '1,2\n')]);
    expect(warnings).toEqual([jasmine.stringMatching(/notes\.md, u\.csv/)]);
  });

  it('of noise are pixels, or integers that have a meaning', () => {
    const of = (shape: readonly (number | null)[], dtype: string, vocabulary?: number) =>
      noise(50, {inputs: [port(shape, dtype)], classes: undefined, labels: undefined}, [vocabulary]).columns[0]!.values;
    const highest = (values: ArrayLike<number>) => Math.max(...Array.from(values));
    expect(highest(of([null, 8, 8, 3], 'int32'))).toBeGreaterThan(200);
    expect(highest(of([null, 9], 'float32', 5))).toBe(4);
    expect(highest(of([null, 9], 'int32'))).toBe(1);
    expect(of([null, 7], 'float32')).toBeInstanceOf(Float32Array);
  });

  it('are mixed, each once, with all that belongs to them', async () => {
    expect([...mixedOrder(50)].sort((a, b) => a - b)).toEqual([...Array(50).keys()]);
    const set = await readRows(file('t.csv', '1,2,0\n3,4,1\n5,6,0\n'), wanted([null, 2], 2), undefined);
    const {columns, labels, count} = picked(set, Uint32Array.from([2, 1]));
    expect([[...columns[0]!.values], [...labels!], count]).toEqual([[5, 6, 3, 4], [0, 1], 2]);
  });

  it('are scaled as the formulas say', () => {
    const bytes = Uint8Array.from([0, 51, 255]);
    const of = (...args: Parameters<typeof scaled>) => Array.from(scaled(...args), value => Number(value.toFixed(6)));
    expect(of(bytes, {kind: 'raw'}, 1, false)).toEqual([0, 51, 255]);
    expect(of(bytes, {kind: 'raw'}, 1, true)).toEqual([255, 204, 0]);
    expect(of(bytes, {kind: 'unit'}, 1, false)).toEqual([0, 0.2, 1]);
    expect(of(bytes, {kind: 'symmetric'}, 1, false)).toEqual([-1, -0.6, 1]);
    expect(of(bytes, {kind: 'standard', mean: [0.5, 0, 0.2], deviation: [0.5, 0.1, 0.4]}, 3, false)).toEqual([
      -1, 2, 2,
    ]);
    expect(of(Float32Array.from([3, 5]), {kind: 'standard', mean: [3], deviation: [2]}, 1, false)).toEqual([0, 1]);
    expect(scalingProblem({kind: 'standard', mean: [1, 2], deviation: [1]}, 3)).toMatch(
      /mean must be one number, or 3/,
    );
    expect(scalingProblem({kind: 'standard', mean: [1], deviation: [0]}, 3)).toMatch(/above 0/);
  });
});
