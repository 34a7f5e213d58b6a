/** What a saved layer's config is checked against, so that a damaged file is told by the layer and the place. */
import {
  bits,
  count,
  flag,
  integer,
  isRecord,
  listOf,
  must,
  number,
  objectOf,
  oneOf,
  orNull,
  range,
  type Rule,
  text,
  throwProblems,
} from '../../check/rules';
import type {Layer} from '../../layers/graph';
import {type Config, layerFrom} from '../../layers/serialization';
import {FAKE_QUANTIZER} from '../../quantizer/options';

/** The version of the saved configs. */
export const VERSION = 1;

/** In front of class names, as Keras has it: who loads a model without this package is told what is missing. */
export const PACKAGE = 'tfjs-quantization';

const named = objectOf({name: text});
const folded = objectOf({name: text}, {gain: listOf(number)});

const QUANTIZER = objectOf(
  {numBits: bits},
  {...FAKE_QUANTIZER, perChannel: flag, fixed: range, pinned: flag, observing: flag, quantizing: flag, levels: flag},
);

const SERIALIZED = objectOf({className: text, config: objectOf({}, {name: text})});

/** An activation: by name, or as tfmot wraps it. */
const activation: Rule = (value, path) => {
  if (typeof value === 'string') return [];
  const problems = SERIALIZED(value, path);
  const isWrapped = isRecord(value) && value['className'] === 'QuantizeAwareActivation';
  return isWrapped && problems.length === 0 ? objectOf({activation})(value['config'], `${path}.config`) : problems;
};

const TFMOT_QUANTIZER = oneOf('LastValueQuantizer', 'MovingAverageQuantizer', 'AllValuesQuantizer');

/** The configs of the layers that round, by class. */
const LAYERS = {
  QuantizedInput: objectOf({name: text, quantizer: QUANTIZER}, {version: count}),
  QuantizedLayer: objectOf(
    {name: text, layer: SERIALIZED},
    {
      version: count,
      weights: orNull(QUANTIZER),
      before: orNull(QUANTIZER),
      between: orNull(QUANTIZER),
      output: orNull(QUANTIZER),
      allOutputs: flag,
      states: flag,
      reason: orNull(named),
      leftOut: listOf(named),
      customWeights: orNull(listOf(objectOf({name: text}, {axis: orNull(integer)}))),
      folds: orNull(
        must(
          'true, false or the name of a layer',
          value => typeof value === 'boolean' || folded(value, '').length === 0,
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
          className: TFMOT_QUANTIZER,
          config: objectOf({}, {numBits: bits, symmetric: flag, narrowRange: flag}),
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

/** Refuses a layer that a version to come has saved otherwise. */
export function checkVersion(name: unknown, version: unknown): void {
  if (typeof version !== 'number' || version <= VERSION) return;
  throw new Error(
    `Layer ${String(name)} was saved by a newer version of tfjs-quantization (format ${version}, this one reads up to ` +
      `${VERSION}). Update tfjs-quantization to load it.`,
  );
}
