/** What a saved layer's config is checked against, so that a damaged file is told by the layer and the place. */
import {bits, flag, integer, must, oneOf, type Rule, throwProblems} from '../check';
import {RULES} from './fake_quantizer';
import type {Layer} from './graph';
import {type Config, layerFrom} from './layer_wrapper';
import {count, isRecord, range} from './rules';

type FileRules = Readonly<Record<string, Rule>>;

/** A value as it stands in a file. */
function shown(value: unknown): string {
  return JSON.stringify(value ?? null).slice(0, 60);
}

/** A problem without what the value was. */
function wish(problem: string): string {
  return problem.slice(0, problem.lastIndexOf(', but was '));
}

/** A rule of options, for what a file holds. */
function inFile(rule: Rule): Rule {
  return (value, path) => rule(value, path).map(problem => `${wish(problem)}, but was ${shown(value)}.`);
}

const object = must('an object', isRecord, shown);
const list = must('a list', Array.isArray, shown);
const text = must('a string', value => typeof value === 'string' && value !== '', shown);

/** What may be null. */
function orNull(rule: Rule): Rule {
  return (value, path) => (value === null ? [] : rule(value, path));
}

function listOf(rule: Rule): Rule {
  return (value, path) =>
    Array.isArray(value) ? value.flatMap((each, i) => rule(each, `${path}[${i}]`)) : list(value, path);
}

/** What must be there, and what may be; other names are what tfjs or a later version saves. */
function objectOf(needed: FileRules, others: FileRules = {}): Rule {
  return (value, path) => {
    if (!isRecord(value)) return object(value, path);
    return Object.entries({...needed, ...others}).flatMap(([name, rule]) => {
      const at = path ? `${path}.${name}` : name;
      if (value[name] !== undefined) return rule(value[name], at);
      return Object.hasOwn(needed, name) ? [`${at} is missing: ${wish(rule(undefined, 'it')[0]!)}.`] : [];
    });
  };
}

const bool = inFile(flag);
const named = objectOf({name: text});
const version = {version: inFile(count)};

/** A quantizer's options, as a wrapper saves them. */
const OPTIONS = Object.fromEntries(Object.entries(RULES).map(([name, rule]) => [name, inFile(rule)]));
const QUANTIZER = objectOf(
  {numBits: inFile(bits)},
  {
    ...OPTIONS,
    fixed: inFile(range),
    pinned: bool,
    perChannel: bool,
    observing: bool,
    quantizing: bool,
    levels: bool,
  },
);

const SERIALIZED = objectOf({className: text, config: objectOf({}, {name: text})});

/** An activation: by name, or as tfmot wraps it. */
const activation: Rule = (value, path) => {
  if (typeof value === 'string') return [];
  const problems = SERIALIZED(value, path);
  const isWrapped = isRecord(value) && value['className'] === 'QuantizeAwareActivation';
  return isWrapped && problems.length === 0 ? objectOf({activation})(value['config'], `${path}.config`) : problems;
};

/** The configs of the layers that round, by class. */
const LAYERS = {
  QuantizedInput: objectOf({name: text, quantizer: QUANTIZER}, version),
  QuantizedLayer: objectOf(
    {name: text, layer: SERIALIZED},
    {
      ...version,
      weights: orNull(QUANTIZER),
      before: orNull(QUANTIZER),
      between: orNull(QUANTIZER),
      output: orNull(QUANTIZER),
      allOutputs: bool,
      reason: orNull(named),
      leftOut: listOf(named),
      customWeights: orNull(listOf(objectOf({name: text}, {axis: orNull(inFile(integer))}))),
      folds: orNull(
        must(
          'a boolean or the name of a layer',
          value => typeof value === 'boolean' || named(value, '').length === 0,
          shown,
        ),
      ),
    },
  ),
  QuantizeWrapper: objectOf({
    name: text,
    layer: objectOf({className: text, config: objectOf({}, {name: text, activation})}),
    quantizeConfig: SERIALIZED,
  }),
  QuantizeLayer: objectOf(
    {name: text},
    {
      quantizer: orNull(
        objectOf({
          className: inFile(oneOf('LastValueQuantizer', 'MovingAverageQuantizer', 'AllValuesQuantizer')),
          config: objectOf({}, {numBits: inFile(bits), symmetric: bool, narrowRange: bool}),
        }),
      ),
    },
  ),
};

/** Says what is wrong with a saved layer, and which it is. */
export function refuseSaved(name: unknown, problems: readonly string[]): void {
  throwProblems(`Layer ${String(name)} cannot be loaded`, problems);
}

/** Checks a saved layer's config; says all that is wrong with it at once. */
export function checkSaved(layer: keyof typeof LAYERS, config: Config): void {
  refuseSaved(config['name'], LAYERS[layer](config, ''));
}

/** The layer inside a saved one. */
export function savedLayer(name: unknown, saved: {readonly className: string; readonly config: Config}): Layer {
  try {
    return layerFrom(saved);
  } catch (error) {
    throw new Error(`Layer ${String(name)} cannot be loaded: ${(error as Error).message}`, {cause: error});
  }
}
