/** What is measured on the way, for people to read: out/site_measured.json. */
import {mkdirSync, writeFileSync} from 'node:fs';

const all: Record<string, number> = {};

export function measured(what: string, value: number): void {
  all[what] = value;
  mkdirSync('out', {recursive: true});
  writeFileSync('out/site_measured.json', `${JSON.stringify(all, undefined, 2)}\n`);
}
