/** Runs the quantized model's file in LiteRT.js, and compares what it gives with the models in tfjs. */
import {comparison, type Comparison, written} from '../results';
import {bench, perform, say, scores} from '../state';
import type {OnProgress, RunSamples} from '../worker/contract';
import type {FileRun} from './contract';
import {interpret, stopInterpreter} from './interpreter';

/** Opens the file in LiteRT.js, which is loaded first. */
export async function openFile(onProgress: OnProgress): Promise<void> {
  const {data} = await written('tflite', onProgress);
  await interpret(async (interpreter, folder) => {
    await interpreter.load(folder, onProgress);
    onProgress({doing: 'Opening the file', done: 0, total: undefined});
    await interpreter.open(data);
  });
}

/** What the file says of samples. */
export async function runFile(given: RunSamples, onProgress?: OnProgress): Promise<FileRun> {
  return interpret(interpreter => interpreter.run(given.inputs, samplesIn(given), onProgress));
}

export async function compare(count: number): Promise<void> {
  const work = async (onProgress: OnProgress) => {
    await openFile(onProgress);
    onProgress({doing: 'Running the models in tfjs', done: 0, total: undefined});
    const given = await bench.runSamples(count);
    return compared(given, await runFile(given, onProgress));
  };
  const found = await perform('run', 'Writing the file', work, stop);
  if (!found) return;
  comparison.value = found;
  say('The file was run.');
}

/** Stops both workers: which of them is at work is not known here. */
export function stop(): void {
  stopInterpreter();
  void bench.cancel();
}

function product(shape: readonly number[]): number {
  return shape.reduce((size, dimension) => size * dimension, 1);
}

function samplesIn({inputs, inputShape}: RunSamples): number {
  return inputs.length / product(inputShape);
}

/** The highest class of each sample. */
export function classesOf(outputs: Float32Array, classes: number): number[] {
  return Array.from({length: outputs.length / classes}, (_, sample) => {
    const values = outputs.subarray(sample * classes, (sample + 1) * classes);
    // Of a single number, the side of ½ on which it lies.
    return classes === 1 ? Number(values[0]! > 0.5) : values.indexOf(Math.max(...values));
  });
}

function alike(a: readonly number[], b: readonly number[]): number {
  return a.filter((each, i) => each === b[i]).length;
}

function compared(given: RunSamples, {outputs, millisecondsPerSample}: FileRun): Comparison {
  const size = product(given.outputShape);
  const [float, quantized, file] = [given.float, given.quantized, outputs].map(each => classesOf(each, size)) as [
    number[],
    number[],
    number[],
  ];
  const difference = outputs.reduce((most, value, i) => Math.max(most, Math.abs(value - given.quantized[i]!)), 0);
  const hasClasses = scores.value?.sameClass !== undefined;
  return {
    samples: samplesIn(given),
    sameClass: hasClasses
      ? {
          fileQuantized: alike(file, quantized),
          fileFloat: alike(file, float),
          quantizedFloat: alike(quantized, float),
        }
      : undefined,
    difference,
    levels: undefined,
    milliseconds: {tfjs: given.millisecondsPerSample, file: millisecondsPerSample},
  };
}
