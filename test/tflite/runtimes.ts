/** Google's runtimes, in a Python process that runs as long as the specs do (serve.py). In Node only. */
import type {ChildProcessWithoutNullStreams} from 'node:child_process';

/** The TensorFlow Lite interpreter with reference kernels, with XNNPACK, and the one for microcontrollers. */
export type Runtime = 'reference' | 'xnnpack' | 'micro';

export interface SchemaTensor {
  readonly name: string;
  readonly type: string;
  readonly shape: number[];
  readonly signature: number[];
  readonly scale: number[];
  readonly zeroPoint: number[];
  readonly axis: number;
  readonly bytes: number;
}

/** A file as a reader of the published schema sees it. */
export interface SchemaModel {
  readonly version: number;
  readonly identified: boolean;
  readonly description: string;
  readonly operators: readonly {readonly name: string; readonly version: number; readonly inputs: number[]; readonly outputs: number[]}[];
  readonly tensors: readonly SchemaTensor[];
  readonly metadata: readonly string[];
}

type Numbers = Float32Array | Int8Array | Uint8Array | Int16Array | Int32Array;

const ARRAYS = {
  float32: Float32Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  int32: Int32Array,
} as const;

interface Answer {
  readonly error?: string;
}

interface Outputs extends Answer {
  readonly outputs: string[][];
  readonly types: (keyof typeof ARRAYS)[];
  readonly signatures?: unknown;
}

let server: ChildProcessWithoutNullStreams | undefined;
const waiting: ((line: string) => void)[] = [];

async function start(): Promise<ChildProcessWithoutNullStreams> {
  const {spawn} = await import('node:child_process');
  const {createInterface} = await import('node:readline');
  const python = process.env['TFLITE_PYTHON'];
  if (!python) throw new Error('TFLITE_PYTHON names no Python with the runtimes of test/tflite/requirements.txt.');
  const child = spawn(python, ['test/tflite/serve.py'], {stdio: ['pipe', 'pipe', 'pipe']});
  let said = '';
  child.stderr.on('data', chunk => (said = `${said}${String(chunk)}`.slice(-2000)));
  createInterface(child.stdout).on('line', line => waiting.shift()?.(line));
  child.on('exit', code => {
    server = undefined;
    const error = `the runtime ended with ${String(code)}: ${said}`;
    for (const answer of waiting.splice(0)) answer(JSON.stringify({error}));
  });
  return child;
}

async function ask<T extends Answer>(request: object): Promise<T> {
  server ??= await start();
  const line = await new Promise<string>(resolve => {
    waiting.push(resolve);
    server!.stdin.write(`${JSON.stringify(request)}\n`);
  });
  const answer = JSON.parse(line) as T;
  if (answer.error) throw new Error(answer.error);
  return answer;
}

/** Ends the process; the next request starts another. */
export function stopRuntimes(): void {
  server?.kill();
  server = undefined;
}

const base64 = ({buffer, byteOffset, byteLength}: Uint8Array | Numbers) =>
  Buffer.from(buffer, byteOffset, byteLength).toString('base64');

/** Runs a file: for each list of inputs, the outputs. */
export async function run(
  model: Uint8Array,
  runtime: Runtime,
  runs: readonly (readonly Numbers[])[],
  batch?: number,
): Promise<Numbers[][]> {
  const inputs = runs.map(each => each.map(base64));
  const {outputs, types} = await ask<Outputs>({model: base64(model), runtime, inputs, ...(batch && {batch})});
  return outputs.map(each =>
    each.map((text, i) => {
      const bytes = Buffer.from(text, 'base64');
      return new ARRAYS[types[i]!](bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
    }),
  );
}

/** The signatures that the interpreter finds in a file. */
export async function signaturesOf(model: Uint8Array): Promise<unknown> {
  return (await ask<Outputs>({model: base64(model), runtime: 'reference', inputs: []})).signatures;
}

/** What a reader of the published schema finds in a file. */
export async function parse(model: Uint8Array): Promise<SchemaModel> {
  return ask<SchemaModel & Answer>({model: base64(model), runtime: 'schema'});
}

/** What a reader of zip archives finds in a file. */
export async function filesIn(model: Uint8Array): Promise<{files: Record<string, string>; broken: string | null}> {
  return ask<{files: Record<string, string>; broken: string | null} & Answer>({model: base64(model), runtime: 'archive'});
}
