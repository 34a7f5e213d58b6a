/** Runs the quantized model's file in LiteRT.js, and compares what it gives with the models in tfjs. */
import {comparison, written} from '../results';
import {bench, perform, say, scores} from '../state';
import type {OnProgress, RunSamples} from '../worker/contract';
import {compared, samplesIn} from './compared';
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
    const areClasses = scores.value?.sameClass !== undefined;
    return compared(given, await runFile(given, onProgress), areClasses);
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
