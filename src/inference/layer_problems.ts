/** What is against computing layers in integers, told for all of them at once. */
import type {Shape} from '@tensorflow/tfjs-layers';
import {type Layer, steppedLayer} from '../layers/graph';
import {unwrapped} from '../layers/layer_wrapper';
import {cellStatesOf} from '../layers/outputs';
import {isWholeLSTM} from '../layers/recurrent';
import {attributesOf} from '../layers/tfjs_internals';
import {slotsOf} from '../layers/weights';
import {isQuantizing, QuantizingWrapper} from '../qat/quantized_layers/quantizing';
import type {IntegerGrid} from '../quantizer/levels';
import type {LayerProblem} from './graph';
import {fitsInt8, fitsIntegers, valueGridOf} from './grids';
import {loweringOf, objectionTo} from './lowerings';
import type {LayerNumbers} from './read_layers';

/** Layers without operators; `inFloat`: floats are as good as integers. */
export function classProblems(layers: readonly Layer[], inFloat: boolean): LayerProblem[] {
  return layers.flatMap(layer => {
    const {name} = layer;
    const objection = objectionTo(unwrapped(layer), inFloat);
    return objection === undefined ? [] : [{layer: name, problem: `layer ${name}: ${objection}.`}];
  });
}

/** Layers that are written step by step, for a number of steps that is open. `hasLSTM`: an LSTM is one operator, where it can be. */
export function openStepProblems(layers: readonly Layer[], hasLSTM: boolean): string[] {
  return layers.flatMap(layer => {
    const inner = unwrapped(layer);
    const axis = steppedLayer(inner) ? 2 : 1;
    const isOpen = layer.inboundNodes.some(({inputShapes: [shape]}) => (shape as Shape)[axis] === null);
    const isApart = cellStatesOf(inner).some(
      ({cell, owner}) => !hasLSTM || !isWholeLSTM(cell) || attributesOf(owner).returnState,
    );
    if (!isOpen || !isApart) return [];
    return [
      `layer ${layer.name}: it is written step by step, but how many steps there are is open. Build the model with an inputShape ` +
        'of numbers.',
    ];
  });
}

/** Weights that stay float, and quantizers that are switched off. */
export function quantizerProblems(layers: readonly Layer[]): LayerProblem[] {
  return layers.flatMap(layer => {
    const {name} = layer;
    const inner = unwrapped(layer);
    const rounded = layer instanceof QuantizingWrapper ? layer.roundedWeights().map(weight => weight.name) : [];
    // A class that cannot be computed needs no other remedy.
    const weights = loweringOf(inner) ? slotsOf(inner, undefined).map(slot => slot.name) : [];
    const float = weights.filter(weight => !rounded.includes(weight));
    const off = isQuantizing(layer) ? layer.roundings.filter(({quantizer}) => !quantizer.quantizing) : [];
    const problems = [
      ...float.map(
        weight =>
          `its ${weight} is not quantized. Quantize it: quantizeModel's weights; or have it computed in float: floatFallback: true.`,
      ),
      ...off.map(({what}) => `the rounding of its ${what} is off. Switch it on: setFakeQuant(q, true).`),
    ];
    return problems.map(problem => ({layer: name, problem: `layer ${name}: ${problem}`}));
  });
}

/** Ranges of activations that are not set. */
export function unsetProblems(grids: ReadonlyMap<Layer, ReadonlyMap<string, IntegerGrid | undefined>>): string[] {
  const unset = [...grids].flatMap(([{name}, all]) =>
    [...all].filter(([, grid]) => !grid).map(([what]) => `${name} (${what})`),
  );
  if (unset.length === 0) return [];
  return [`these ranges were never set: ${unset.join(', ')}. Train a step, or call calibrate(q, samples) first.`];
}

/** Levels that int8 weights, and grids that int16 activations do not hold. */
export function levelProblems({name}: Layer, {weights, grids}: LayerNumbers): LayerProblem[] {
  const large = [...weights].filter(([, {levels}]) => !fitsInt8(levels));
  const long = [...grids].filter(([, grid]) => !fitsIntegers(valueGridOf(grid)));
  const problems = [
    ...large.map(
      ([attribute]) =>
        `levels of its ${attribute} do not fit int8 weights, which are symmetric: -127 to 127. ` +
        'Quantize weights with numBits of 8 or fewer, symmetric and narrowRange.',
    ),
    ...long.map(
      ([what]) =>
        `the grid of its ${what} does not fit int16, which has 0 in its middle. ` +
        'Quantize activations with numBits of 15 or fewer, or symmetric.',
    ),
  ];
  return problems.map(problem => ({layer: name, problem: `layer ${name}: ${problem}`}));
}
