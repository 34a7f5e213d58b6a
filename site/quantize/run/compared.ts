/** What a file gave for samples, beside what the models gave. */
import type {RunSamples} from '../worker/contract';
import type {FileRun} from './contract';

export interface Comparison {
  readonly samples: number;
  /** Of how many samples two say the same class; undefined where outputs are not classes. */
  readonly sameClass:
    {readonly fileQuantized: number; readonly fileFloat: number; readonly quantizedFloat: number} | undefined;
  /** The largest difference of an output between the file and the quantized model. */
  readonly difference: number;
  /** The same in levels of the grid that the file's outputs lie on; undefined where they lie on none. */
  readonly levels: number | undefined;
  readonly milliseconds: {readonly tfjs: number; readonly file: number};
}

function product(shape: readonly number[]): number {
  return shape.reduce((size, dimension) => size * dimension, 1);
}

export function samplesIn({inputs, inputShape}: RunSamples): number {
  return inputs.length / product(inputShape);
}

export function compared(
  given: RunSamples,
  {outputs, millisecondsPerSample}: FileRun,
  areClasses: boolean,
): Comparison {
  const {float, quantized} = given;
  const size = product(given.outputShape);
  const difference = outputs.reduce((most, value, i) => Math.max(most, Math.abs(value - quantized[i]!)), 0);
  const step = stepOf(outputs);
  return {
    samples: samplesIn(given),
    // Of maps of classes no sample is of one.
    sameClass:
      areClasses && size === given.outputShape.at(-1)
        ? {
            fileQuantized: alike(outputs, quantized, size),
            fileFloat: alike(outputs, float, size),
            quantizedFloat: alike(quantized, float, size),
          }
        : undefined,
    difference,
    levels: step && Math.round(difference / step),
    milliseconds: {tfjs: given.millisecondsPerSample, file: millisecondsPerSample},
  };
}

/** Of how many samples two say the same class. */
function alike(a: Float32Array, b: Float32Array, size: number): number {
  const other = classesOf(b, size);
  return classesOf(a, size).filter((each, i) => each === other[i]).length;
}

/** The highest class of each sample; of a single number the side of ½ on which it lies. */
function classesOf(outputs: Float32Array, size: number): number[] {
  return Array.from({length: outputs.length / size}, (_, sample) => {
    const values = outputs.subarray(sample * size, (sample + 1) * size);
    return size === 1 ? Number(values[0]! > 0.5) : values.indexOf(values.reduce((a, b) => Math.max(a, b)));
  });
}

/** More values tell nothing more. */
const ENOUGH_VALUES = 100_000;
/** No file rounds outputs more finely. */
const MOST_LEVELS = 2 ** 16;
/** How far from whole a number of steps may be, by the rounding of float32. */
const TOLERANCE = 0.02;

/**
 * How far apart the levels are that outputs lie on. Files do not tell LiteRT.js: it is the smallest difference of two outputs,
 * if all others are multiples of it. Undefined if not.
 */
export function stepOf(outputs: Float32Array): number | undefined {
  const values = Float64Array.from(new Set(outputs.subarray(0, ENOUGH_VALUES))).sort();
  if (values.length < 2) return undefined;
  const [lowest = 0] = values;
  const step = values.slice(1).reduce((least, value, i) => Math.min(least, value - values[i]!), Infinity);
  const areMultiples = values.every(value => {
    const steps = (value - lowest) / step;
    return steps < MOST_LEVELS && Math.abs(steps - Math.round(steps)) < TOLERANCE;
  });
  return areMultiples ? step : undefined;
}
