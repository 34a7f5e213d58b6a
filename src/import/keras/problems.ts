/** What is wrong with a file, all of it, to be told at once. */
import {throwProblems} from '../../check/rules';

/** A broken file may be so in thousands of places. */
const MOST = 20;

export class Problems {
  readonly #told: string[] = [];
  #count = 0;

  /** How many there are. */
  get count(): number {
    return this.#count;
  }

  /** Adds one, for a caller that has nothing to return then. */
  add(problem: string): undefined {
    this.#count++;
    if (this.#told.length < MOST) this.#told.push(problem);
    return undefined;
  }

  /** Throws if there are any. */
  refuse(caller: string): void {
    const more = this.#count - this.#told.length;
    throwProblems(caller, more > 0 ? [...this.#told, `and ${more} more.`] : this.#told);
  }
}
