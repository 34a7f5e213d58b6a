/** What a saved layer's config is checked against, so that a damaged file is told by the layer and the place. */
import type {Layer} from './graph';
import {type Config, layerFrom} from './layer_wrapper';
import {throwProblems} from '../check';

/** Tells what is wrong with a value. */
type Check = (where: string, value: unknown) => string[];

function must(wanted: string, is: (value: unknown) => boolean): Check {
  return (where, value) => {
    if (is(value)) return [];
    if (value === undefined) return [`${where} is missing: it must be ${wanted}`];
    return [`${where} must be ${wanted}, but was ${JSON.stringify(value).slice(0, 60)}`];
  };
}

const optional =
  (check: Check): Check =>
  (where, value) =>
    value === undefined ? [] : check(where, value);

/** What may be left out, and be null. */
const orNull =
  (check: Check): Check =>
  (where, value) =>
    value === undefined || value === null ? [] : check(where, value);

const oneOf = (...values: readonly unknown[]) =>
  must(values.map(value => JSON.stringify(value)).join(' or '), value => values.includes(value));

const list = must('a list', Array.isArray);
const listOf =
  (check: Check): Check =>
  (where, value) =>
    Array.isArray(value) ? value.flatMap((each, i) => check(`${where}[${i}]`, each)) : list(where, value);

const isObject = (value: unknown): value is Config =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const object = must('an object', isObject);
const objectOf =
  (checks: Readonly<Record<string, Check>>): Check =>
  (where, value) =>
    isObject(value)
      ? Object.entries(checks).flatMap(([name, check]) => check((where && `${where}.${name}`) || name, value[name]))
      : object(where, value);

const isNumber = (value: unknown): value is number => typeof value === 'number';
const text = must('a string', value => typeof value === 'string' && value !== '');
const integer = must('an integer', Number.isInteger);
const bool = oneOf(true, false);
const named = objectOf({name: text});
const folded = objectOf({name: text, gain: optional(listOf(must('a number', isNumber)))});

const GRID = {
  numBits: must(
    'an integer from 2 to 16',
    value => Number.isInteger(value) && isNumber(value) && value >= 2 && value <= 16,
  ),
  symmetric: optional(bool),
  narrowRange: optional(bool),
};

const QUANTIZER = objectOf({
  ...GRID,
  perChannel: optional(bool),
  observer: optional(oneOf('movingAverage', 'lastValue', 'allValues', 'learned')),
  decay: optional(must('a number in [0, 1)', value => isNumber(value) && value >= 0 && value < 1)),
  debias: optional(bool),
  nonNegative: optional(bool),
  start: optional(oneOf('minMax', 'mse')),
  learningRateScale: optional(must('a number above 0', value => isNumber(value) && value > 0)),
  fixed: optional(
    must('two numbers, the lower first', value => {
      const [low, high, ...more] = Array.isArray(value) ? (value as unknown[]) : [];
      return isNumber(low) && isNumber(high) && low < high && more.length === 0;
    }),
  ),
  pinned: optional(bool),
  offTies: optional(bool),
  observing: optional(bool),
  quantizing: optional(bool),
  levels: optional(bool),
});

const SERIALIZED = objectOf({className: text, config: object});
const VERSION = optional(
  must('an integer of 1 or more', value => Number.isInteger(value) && isNumber(value) && value >= 1),
);

/** The configs of the layers that round, by class. */
const LAYERS = {
  QuantizedInput: objectOf({name: text, version: VERSION, quantizer: QUANTIZER}),
  QuantizedLayer: objectOf({
    name: text,
    version: VERSION,
    layer: SERIALIZED,
    weights: orNull(QUANTIZER),
    before: orNull(QUANTIZER),
    between: orNull(QUANTIZER),
    output: orNull(QUANTIZER),
    allOutputs: optional(bool),
    reason: orNull(named),
    leftOut: optional(listOf(named)),
    customWeights: orNull(listOf(objectOf({name: text, axis: orNull(integer)}))),
    folds: orNull(
      must(
        'a boolean or the name of a layer',
        value => value === true || value === false || folded('', value).length === 0,
      ),
    ),
  }),
  QuantizeWrapper: objectOf({name: text, layer: SERIALIZED, quantizeConfig: SERIALIZED}),
  QuantizeLayer: objectOf({
    name: text,
    quantizer: orNull(
      objectOf({
        className: oneOf('LastValueQuantizer', 'MovingAverageQuantizer', 'AllValuesQuantizer'),
        config: objectOf({...GRID, numBits: optional(GRID.numBits)}),
      }),
    ),
  }),
};

/** Says what is wrong with a saved layer, and which it is. */
export function refuseSaved(name: unknown, problems: readonly string[]): void {
  throwProblems(`Layer ${String(name)} cannot be loaded`, problems);
}

/** Checks a saved layer's config; says all that is wrong with it at once. */
export function checkSaved(layer: keyof typeof LAYERS, config: Config): void {
  refuseSaved(config['name'], LAYERS[layer]('', config));
}

/** The layer inside a saved one. */
export function savedLayer(name: unknown, saved: {readonly className: string; readonly config: Config}): Layer {
  try {
    return layerFrom(saved);
  } catch (error) {
    throw new Error(`Layer ${String(name)} cannot be loaded: ${(error as Error).message}`, {cause: error});
  }
}
