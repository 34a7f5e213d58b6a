/** One thing that the bench is asked to do, and how it is told apart from the next. */
import type {OnProgress} from './contract';

export class Job {
  readonly #controller = new AbortController();
  readonly #onProgress: OnProgress;
  /** What the package warned of. */
  readonly warnings: string[] = [];

  constructor(onProgress: OnProgress = () => undefined) {
    this.#onProgress = onProgress;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  tell(doing: string, done: number, total: number | undefined): void {
    this.#onProgress({doing, done, total});
  }

  cancel(): void {
    this.#controller.abort();
  }

  /** Lets messages come in, a cancellation among them: what computes on the processor would keep them waiting. Throws if it came. */
  async turn(): Promise<void> {
    await new Promise(resolve => setTimeout(resolve));
    this.signal.throwIfAborted();
  }
}
