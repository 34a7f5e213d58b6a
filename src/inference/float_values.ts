/** What of a graph is neither computed in integers, nor in float as graph segments are. */
import {inputOf, type InferenceGraph, type LayerProblem, typeOf, type Value} from './graph';
import type {Operator} from './operators';

/** Operators that take an input as it is given. */
const TAKES_INPUTS: ReadonlySet<Operator> = new Set([
  'lookup',
  'requantize',
  'reshape',
  'reverse',
  'slice',
  'transpose',
]);

/** Values without a grid, but for inputs whose numbers are only moved, or the numbers of rows. */
export function floatProblems({nodes, outputs}: InferenceGraph): LayerProblem[] {
  const isUnrounded = (value: Value) => !value.grid && !typeOf(value);
  // Moved floats are a tensor as good as any.
  const given = outputs.filter(({value}) => inputOf(value) && !(typeOf(value) && value.producer));
  const without = [...nodes.map(({output}) => output), ...outputs.map(({value}) => value)].filter(
    value => isUnrounded(value) && !inputOf(value),
  );
  const layers = [...new Set(without.map(({layer}) => layer))];
  const computing = nodes
    .filter(({operator}) => !TAKES_INPUTS.has(operator))
    .flatMap(({layer, inputs}) =>
      inputs.flatMap(x => (isUnrounded(x) && inputOf(x) ? [{layer, input: inputOf(x)!.layer}] : [])),
    );
  const lookups = nodes.filter(
    ({operator, inputs}) => operator === 'lookup' && !typeOf(inputs[0]!) && !inputOf(inputs[0]!),
  );
  return [
    ...lookups.map(({layer}) => ({
      layer,
      problem:
        `layer ${layer}: it looks rows up by numbers that are computed, or rounded. Give it an input of the model, at most ` +
        'reshaped or permuted, and quantize the model anew.',
    })),
    ...given.map(({name, value}) => ({
      layer: value.layer,
      problem: `output ${name}: it is an input as it is given. Build the model without it: whoever runs the file has it.`,
    })),
    ...layers.map(layer => ({
      layer,
      problem: `layer ${layer}: its output has no range, so it is no integer. Quantize its activations: quantizeModel's activations.`,
    })),
    ...computing.map(({layer, input}) => ({
      layer,
      problem: `input ${input}: it is computed with, but has no range, so it is no integer. Quantize it: quantizeModel's activations.`,
    })),
  ];
}
