/** What the page asks of the worker that runs .tflite files, in LiteRT.js. */
import type {OnProgress} from '../worker/contract';

export interface FileRun {
  /** Of the file's only output, one sample after the other. */
  readonly outputs: Float32Array;
  /** Of those after the first, which sets out memory. */
  readonly millisecondsPerSample: number;
}

export interface Interpreter {
  /** Loads LiteRT.js from a folder of the site, once. */
  load(folder: string, onProgress: OnProgress): Promise<void>;
  /** Opens a file in the place of the last one. */
  open(file: Blob): Promise<void>;
  /** Runs so many samples, that lie one after the other. */
  run(inputs: Float32Array, count: number, onProgress?: OnProgress): Promise<FileRun>;
}
