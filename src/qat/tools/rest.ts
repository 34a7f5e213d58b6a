/** Turns for others, as a page has more to do than what is at work here. */

/** For how long others may wait, in ms. */
const PATIENCE = 50;

/** Gives others a turn where they have waited long enough. */
export class Rest {
  #last = performance.now();

  async take(): Promise<void> {
    if (performance.now() - this.#last < PATIENCE) return;
    await new Promise(resolve => setTimeout(resolve));
    this.#last = performance.now();
  }
}
