/** The API reference says what there is to say, and its examples run as they are printed. */
import {execFile} from 'node:child_process';
import {promisify} from 'node:util';

/** Of test/docs/api.mjs. */
interface Checked {
  readonly missing: readonly string[];
  readonly astray: readonly string[];
  readonly refused: readonly string[];
  readonly stale: readonly string[];
  readonly ran: readonly {readonly name: string; readonly problem?: string}[];
}

/** Longer than it takes on two busy cores. */
const PATIENCE_MS = 10 * 60_000;

describe('API reference', () => {
  let checked: Checked;

  beforeAll(async () => {
    const {stdout} = await promisify(execFile)(process.execPath, ['test/docs/api.mjs'], {maxBuffer: 2 ** 26});
    checked = JSON.parse(stdout) as Checked;
  }, PATIENCE_MS);

  it('describes all exports, with their members and parameters, and has an example of each', () => {
    expect(checked.missing).toEqual([]);
  });

  it('has links that lead somewhere', () => expect(checked.astray).toEqual([]));

  it('has examples that compile', () => expect(checked.refused).toEqual([]));

  it('has examples that run, and print what they say', () => {
    expect(checked.ran.length).toBeGreaterThan(100);
    const failed = checked.ran.filter(({problem}) => problem !== undefined);
    expect(failed.map(({name, problem}) => `${name}: ${problem!}`)).toEqual([]);
  });

  it('names none as not to be run that is not there', () => expect(checked.stale).toEqual([]));
});
