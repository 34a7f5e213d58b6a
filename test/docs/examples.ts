/** Runs the examples of the API, in a process of their own. */

import {randoms} from '../../lab/examples';

/** An example, and what it says that it prints, in this order. */
interface Example {
  readonly name: string;
  readonly says: readonly string[];
  readonly run: () => Promise<unknown>;
}

/** What is printed, in one line; of a tensor its numbers. */
function inOneLine(values: readonly unknown[]): string {
  const text = values.map(value => (typeof value === 'string' ? value : JSON.stringify(value))).join(' ');
  return text
    .replace(/^Tensor\s+/, '')
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/\[ | (?=[\],])/g, found => found.trim());
}

/** Runs them, and prints for each its name and what went wrong, if anything. What is random is the same each time. */
export async function runExamples(examples: readonly Example[]): Promise<void> {
  const random = randoms(1);
  Math.random = () => random.next().value;
  const ran: {readonly name: string; readonly problem: string | undefined}[] = [];
  for (const {name, says, run} of examples) {
    const printed: string[] = [];
    console.log = (...values: unknown[]) => void printed.push(inOneLine(values));
    let problem = await run().then(
      () => undefined,
      (error: unknown) => (error as Error).stack,
    );
    let from = 0;
    for (const said of says) {
      const at = printed.indexOf(said, from);
      if (at < 0) problem ??= `says that it prints ${said}, but printed ${printed.slice(from).join('\n')}`;
      from = at + 1;
    }
    ran.push({name, problem});
  }
  process.stdout.write(JSON.stringify(ran));
}
