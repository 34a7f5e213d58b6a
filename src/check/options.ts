/** Options against the rules that stand beside their types. */
import {isRecord, type Rule, type Rules, shown, throwProblems} from './rules';

/** What is wrong with an object of options, which is found at `path`. */
export function optionProblems(
  options: unknown,
  rules: Readonly<Record<string, Rule>>,
  path = '',
  remedyFor = (_: string, known: readonly string[]) => `Options are: ${known.join(', ')}.`,
): string[] {
  if (!isRecord(options)) {
    return [`${path || 'options'} must be an object, but was ${shown(options)}. ${remedyFor('', Object.keys(rules))}`];
  }
  const problems: string[] = [];
  for (const key in options) {
    const value = options[key];
    const at = path ? `${path}.${key}` : key;
    if (!Object.hasOwn(rules, key)) problems.push(`${at} is no option. ${remedyFor(key, Object.keys(rules))}`);
    else if (value !== undefined) problems.push(...rules[key]!(value, at));
  }
  return problems;
}

/** The options that are given, so that `{...defaults, ...given}` is whole. Throws if they are not as their rules say. */
export function givenOptions<T extends object>(caller: string, options: T, rules: Rules<T>): T {
  throwProblems(caller, optionProblems(options, rules));
  const given = {} as T;
  for (const key in options) if (options[key] !== undefined) given[key] = options[key];
  return given;
}

/** For options by names of the user's: `rule` holds for each. */
export function byName(what: string, rule: Rule): Rule {
  return (value, path) => {
    if (!isRecord(value)) return [`${path} must be an object by ${what}, but was ${shown(value)}.`];
    return Object.entries(value).flatMap(([name, each]) => (each === undefined ? [] : rule(each, `${path}.${name}`)));
  };
}

/** For options that may be false instead. */
export function orFalse(rules: Readonly<Record<string, Rule>>): Rule {
  return (value, path) => (value === false ? [] : optionProblems(value, rules, path, remedyFor));
}

/** Throws if options are not as their rules say. */
export function checkOptions<T>(caller: string, options: T, rules: Rules<T>): void {
  throwProblems(caller, optionProblems(options, rules, '', remedyFor));
}

/** The name that was meant if one is much like it, else all that there are. */
export function remedyFor(name: string, known: readonly string[]): string {
  const plain = name.replace(/_/g, '').toLowerCase();
  const near = known.find(each => missing(plain, each.toLowerCase()) + missing(each.toLowerCase(), plain) < 3);
  return near ? `Did you mean ${near}?` : `Options are: ${known.join(', ')}.`;
}

/** How many letters of `word` are not in `other`. */
function missing(word: string, other: string): number {
  return Array.from(other).reduce((rest, letter) => rest.replace(letter, ''), word).length;
}
