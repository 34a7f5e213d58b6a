/** Arrays of numpy as samples. */
import {parse} from 'npyjs';
import type {GivenFile, PortInfo} from '../contract';
import {nameOf, someOf} from '../files';
import {matchClasses} from './classes';
import {
  type Column,
  picked,
  type SampleSet,
  shapeOfSize,
  shownShape,
  sizeOf,
  type Values,
  type Wanted,
} from './sample_set';

const LABELS = /^(y|labels?|targets?|classes)([_-]\w+)?$/i;

interface NumberArray {
  readonly name: string;
  readonly values: Values;
  readonly shape: readonly number[];
}

const stem = (path: string) => nameOf(path).replace(/\.npy$/i, '');

/** An array of any numbers: bytes stay bytes, integers that fit are int32, all else is float32. */
async function arrayOf({path, data}: GivenFile): Promise<NumberArray> {
  const name = nameOf(path);
  let array: ReturnType<typeof parse>;
  try {
    array = parse(await data.arrayBuffer());
  } catch (error) {
    throw new Error(
      `${name} cannot be read as an array of numpy (${(error as Error).message}). Write it by np.save("${name}", x.astype("float32")).`,
      {cause: error},
    );
  }
  const {dtype, fortranOrder, shape} = array;
  if (fortranOrder && shape.length > 1) {
    throw new Error(
      `${name} holds its columns first (Fortran's order). Write it by np.save("${name}", np.ascontiguousarray(x)).`,
    );
  }
  if (!/^[biuf]\d$/.test(dtype)) {
    throw new Error(`${name} holds ${dtype}, not numbers. Write it by np.save("${name}", x.astype("float32")).`);
  }
  const values = numbersOf(array.data as unknown as ArrayLike<number | bigint>, dtype);
  if (values.length < sizeOf(shape))
    throw new Error(`${name} is cut off: of ${sizeOf(shape)} numbers ${values.length} are there. Copy it again.`);
  return {name: stem(path), values, shape};
}

function numbersOf(data: ArrayLike<number | bigint>, dtype: string): Values {
  if (dtype === 'u1') return data as Uint8Array;
  if (dtype === 'f4') return data as Float32Array;
  const isInteger = /^[biu]/.test(dtype);
  return isInteger ? Int32Array.from(data, Number) : Float32Array.from(data, Number);
}

/** Which array is for which input: by name, or the one there is for the one input. */
function assigned(arrays: readonly NumberArray[], {inputs}: Wanted): NumberArray[] {
  const named = inputs.map(({name}) => arrays.find(array => plainName(array.name) === plainName(name)));
  if (named.every(array => array !== undefined)) return named;
  if (inputs.length === 1 && arrays.length === 1) return [...arrays];
  const names = inputs.map(({name}) => `${name}.npy`);
  throw new Error(
    inputs.length === 1
      ? `There are ${arrays.length} arrays (${someOf(arrays.map(({name}) => name))}), but the model has one input. Give one, and labels.npy with the classes if you have them.`
      : `The model has ${inputs.length} inputs. Give an array for each, called ${someOf(names)}; there are ${someOf(arrays.map(({name}) => `${name}.npy`)) || 'none'}.`,
  );
}

/** Names of nodes have what file names cannot have. */
const plainName = (name: string) => name.toLowerCase().replace(/[^a-z0-9]+/g, '_');

/** How many samples an array holds for an input: along its first dimension, or it is one. */
function fitted({name, shape, values}: NumberArray, port: PortInfo): {count: number; column: Column} {
  const without = (dims: readonly (number | null)[]) => dims.filter(dim => dim !== 1);
  const own = port.shape.slice(1);
  const isLike = (dims: readonly number[]) => {
    const [given, expected] = [without(dims), without(own)];
    return given.length === expected.length && given.every((dim, i) => expected[i] === null || expected[i] === dim);
  };
  const isOne = shape.length <= own.length && isLike(shape);
  const count = isOne ? 1 : (shape[0] ?? 1);
  const one = isOne ? shape : shape.slice(1);
  const size = sizeOf(one);
  const fits = isLike(one)
    ? shape.length - (isOne ? 0 : 1) === own.length
      ? one
      : shapeOfSize(port, size)
    : undefined;
  if (count === 0) throw new Error(`${name}.npy holds no samples: its shape is [${shape.join(', ')}].`);
  if (!fits) {
    throw new Error(
      `Input ${port.name} takes samples of shape ${shownShape(port)}, an array of shape [samples, …]; but ${name}.npy has the shape [${shape.join(', ')}].`,
    );
  }
  const integers = port.dtype === 'int32' && !(values instanceof Int32Array);
  return {count, column: {shape: fits, values: integers ? Int32Array.from(values) : values}};
}

/** The class of each sample: integers, or one 1 in each row. */
function classesOf({name, values, shape}: NumberArray, count: number, {classes}: Wanted): string[] {
  const isOneHot = shape.length === 2 && classes !== undefined && classes > 1 && shape[1] === classes;
  if (shape[0] !== count || (!isOneHot && sizeOf(shape) !== count)) {
    throw new Error(
      `${name}.npy has the shape [${shape.join(', ')}], but there are ${count} samples. Give the class of each, as integers.`,
    );
  }
  if (!isOneHot) return Array.from(values.subarray(0, count), String);
  return Array.from({length: count}, (_, i) => {
    const row = Array.from(values.subarray(i * classes, (i + 1) * classes));
    return String(row.indexOf(Math.max(...row)));
  });
}

/** Reads arrays: one for each input, and one with the classes if there is one. */
export async function readArrays(files: readonly GivenFile[], wanted: Wanted): Promise<SampleSet> {
  const arrays = await Promise.all(files.map(arrayOf));
  const isInput = (array: NumberArray) => wanted.inputs.some(({name}) => plainName(name) === plainName(array.name));
  const labelArray =
    arrays.length > wanted.inputs.length ? arrays.find(each => LABELS.test(each.name) && !isInput(each)) : undefined;
  const given = assigned(
    arrays.filter(array => array !== labelArray),
    wanted,
  );
  const fits = given.map((array, i) => fitted(array, wanted.inputs[i]!));
  const [{count}] = fits as [(typeof fits)[0]];
  const other = fits.findIndex(each => each.count !== count);
  if (other > 0) {
    throw new Error(
      `Inputs must have as many samples each, but ${given[0]!.name}.npy has ${count} and ${given[other]!.name}.npy ${fits[other]!.count}.`,
    );
  }
  const names = labelArray ? classesOf(labelArray, count, wanted) : [];
  const others = arrays.filter(array => array !== labelArray && !given.includes(array)).map(({name}) => `${name}.npy`);
  // Numbers are the model's classes themselves, whatever it calls them.
  const {classOf, warnings} = matchClasses(names, {...wanted, labels: undefined});
  const set: SampleSet = {
    of: 'arrays',
    count,
    columns: fits.map(({column}) => column),
    labels: classOf && Int32Array.from(names, name => classOf.get(name)!),
    isTest: undefined,
    columnNames: undefined,
    labelColumn: undefined,
    warnings: [
      ...warnings,
      ...(others.length > 0 ? [`Left out, as no input has such a name: ${someOf(others)}.`] : []),
    ],
  };
  return withoutNaN(set);
}

/** Ranges cannot be found with samples that hold what is no number. */
function withoutNaN(set: SampleSet): SampleSet {
  const isFinite = ({values, shape}: Column, row: number) =>
    values.subarray(row * sizeOf(shape), (row + 1) * sizeOf(shape)).every(Number.isFinite);
  const rows = Uint32Array.from({length: set.count}, (_, row) => row).filter(row =>
    set.columns.every(column => isFinite(column, row)),
  );
  if (rows.length === set.count) return set;
  if (rows.length === 0)
    throw new Error('All samples hold values that are NaN or infinite. Look at how they are made, or scaled.');
  const warning = `Samples left out, as they hold values that are NaN or infinite: ${set.count - rows.length}.`;
  return {...picked(set, rows), warnings: [...set.warnings, warning]};
}
