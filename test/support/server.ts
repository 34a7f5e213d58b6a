/** Runtimes in processes of their own, for specs in Node. */
import type {ChildProcessWithoutNullStreams} from 'node:child_process';

export interface Answer {
  readonly error?: string;
}

/** A process that answers each line with one. */
export class Server {
  readonly #command: () => Promise<readonly [program: string, ...args: string[]]>;
  #child: ChildProcessWithoutNullStreams | undefined;
  readonly #waiting: ((line: string) => void)[] = [];

  constructor(command: () => Promise<readonly [program: string, ...args: string[]]>) {
    this.#command = command;
  }

  async ask<T extends Answer>(request: object): Promise<T> {
    this.#child ??= await this.#start();
    const line = await new Promise<string>(resolve => {
      this.#waiting.push(resolve);
      this.#child!.stdin.write(`${JSON.stringify(request)}\n`);
    });
    const answer = JSON.parse(line) as T;
    if (answer.error) throw new Error(answer.error);
    return answer;
  }

  /** Ends the process; the next request starts another. */
  stop(): void {
    this.#child?.stdin.end();
    this.#child = undefined;
  }

  async #start(): Promise<ChildProcessWithoutNullStreams> {
    const {spawn} = await import('node:child_process');
    const {createInterface} = await import('node:readline');
    const [program, ...args] = await this.#command();
    const child = spawn(program, args, {stdio: ['pipe', 'pipe', 'pipe']});
    let said = '';
    child.stderr.on('data', chunk => (said = `${said}${String(chunk)}`.slice(-2000)));
    createInterface(child.stdout).on('line', line => this.#waiting.shift()?.(line));
    child.on('exit', code => {
      if (this.#child === child) this.#child = undefined;
      const error = `the runtime ended with ${String(code)}: ${said}`;
      for (const answer of this.#waiting.splice(0)) answer(JSON.stringify({error}));
    });
    return child;
  }
}

export const base64 = ({buffer, byteOffset, byteLength}: ArrayBufferView) =>
  Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength).toString('base64');
