/** Fetches the files of a model: tells which is not there or no such file, and how much has come. */
import {util} from '@tensorflow/tfjs-core';
import {noWeights, parseModelJson} from './model_json';

/** A weight file that has come. */
export interface FetchedFile {
  readonly url: string;
  readonly length: number;
}

/** The body, counted while it comes; one buffer of the length that is announced, if that is true. */
async function bytesOf(response: Response, onRead: (share: number) => void): Promise<ArrayBuffer> {
  const announced = Number(response.headers.get('content-length'));
  if (!response.body || !(announced > 0)) return Response.prototype.arrayBuffer.call(response);
  // Whatever a header says, memory follows what comes.
  let bytes = new Uint8Array(Math.min(announced, 2 ** 28));
  let length = 0;
  const reader = response.body.getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    const end = length + read.value.length;
    // Compressed on its way, it is longer than announced.
    if (end > bytes.length) {
      const larger = new Uint8Array(Math.max(2 * bytes.length, end));
      larger.set(bytes.subarray(0, length));
      bytes = larger;
    }
    bytes.set(read.value, length);
    length = end;
    onRead(Math.min(1, length / announced));
  }
  return length === bytes.length ? bytes.buffer : bytes.buffer.slice(0, length);
}

/** Fetches the files of one model. */
export class FileFetcher {
  readonly #caller: string;
  readonly #fetch: typeof fetch;
  readonly #onProgress: ((fraction: number) => void) | undefined;
  /** How much of each weight file has come. */
  readonly #shares: number[] = [];
  readonly #files: FetchedFile[] = [];

  /** @param onProgress - is given what part of the weight files has come, in (0, 1]. */
  constructor(caller: string, fetchFunc: unknown, onProgress: ((fraction: number) => void) | undefined) {
    this.#caller = caller;
    this.#fetch = (fetchFunc ?? util.fetch) as typeof fetch;
    this.#onProgress = onProgress;
  }

  /** The weight files that have come, in the order that they were asked for. */
  get files(): readonly FetchedFile[] {
    return this.#files.filter(Boolean);
  }

  /** For tfjs, as its `fetchFunc`: it asks for the model.json first, then for all weight files at once. */
  readonly fetch = async (url: string, init?: RequestInit, options?: {isBinary?: boolean}): Promise<Response> => {
    const index = options?.isBinary ? this.#shares.push(0) - 1 : undefined;
    const response = await this.#ask(url, init, index !== undefined);
    // What else a fetchFunc may give is tfjs's to read.
    if (typeof Response === 'undefined' || !(response instanceof Response)) return response;
    if (index !== undefined) return Object.assign(response, {arrayBuffer: () => this.#weights(url, response, index)});
    // At once, since tfjs has an error of its own for what json() throws.
    const json = await this.#json(url, response);
    return Object.assign(response, {json: () => Promise.resolve(json)});
  };

  #error(url: string, problem: string, cause?: unknown): Error {
    return new Error(`${this.#caller}: '${url}' ${problem}`, {cause});
  }

  async #ask(url: string, init: RequestInit | undefined, isWeights: boolean): Promise<Response> {
    let response: Response;
    try {
      response = await this.#fetch(url, init);
    } catch (error) {
      // The caller's own signal.
      if (init?.signal?.aborted) throw error;
      const remedy = 'Check the URL. Of files in Node, give [JSON.parse(text), new Uint8Array(bytes).buffer].';
      throw this.#error(url, `could not be fetched: ${reasonOf(error)}. ${remedy}`, error);
    }
    if (response.ok) return response;
    const remedy = isWeights
      ? 'The model.json names that weight file; weightPathPrefix or weightUrlConverter tell where else it lies.'
      : 'Check the URL: it must be that of a model.json.';
    throw this.#error(url, `could not be fetched: HTTP ${response.status} ${response.statusText}. ${remedy}`);
  }

  async #json(url: string, response: Response): Promise<unknown> {
    const bytes = await this.#read(url, response, () => undefined);
    try {
      return parseModelJson(bytes);
    } catch (error) {
      throw this.#error(url, (error as Error).message, error);
    }
  }

  async #weights(url: string, response: Response, index: number): Promise<ArrayBuffer> {
    const bytes = await this.#read(url, response, share => this.#count(index, share));
    const problem = noWeights(bytes);
    if (problem) throw this.#error(url, problem);
    this.#files[index] = {url, length: bytes.byteLength};
    this.#count(index, 1);
    return bytes;
  }

  async #read(url: string, response: Response, onRead: (share: number) => void): Promise<ArrayBuffer> {
    try {
      return await bytesOf(response, onRead);
    } catch (error) {
      throw this.#error(url, `broke off while it came: ${reasonOf(error)}. Load it again.`, error);
    }
  }

  #count(index: number, share: number): void {
    this.#shares[index] = share;
    this.#onProgress?.(this.#shares.reduce((sum, each) => sum + each, 0) / this.#shares.length);
  }
}

/** The message of an error, and of what Node's fetch says is behind it. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
