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
  /** The same in levels of the output's grid; undefined where the output is float. */
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
    levels: given.step && Math.round(difference / given.step),
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
