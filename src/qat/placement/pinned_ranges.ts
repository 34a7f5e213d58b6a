/** The ranges that the options pin: to which layer's rounding each belongs, and what is wrong with others. */
import {isInput, type Layer} from '../../layers/graph';
import {activationOf} from '../../layers/kinds';
import type {QuantizeOptions} from '../options/options';
import type {PlacedModel} from './placed_model';

type Range = readonly [number, number];

/** What is of a measured range. */
const OF_MEASURED = ['symmetric', 'observer', 'decay'];

/** Ranges by the layer or the input whose rounding has them, and the problems of those that nobody can have. */
export function pinnedRanges(placed: PlacedModel): {
  readonly ranges: ReadonlyMap<Layer, Range>;
  readonly problems: readonly string[];
} {
  const ranges = new Map<Layer, Range>();
  const namedBy = new Map<Layer, string>();
  const problems: string[] = [];
  const asked = Object.entries(placed.options.ranges ?? {}) as [string, Range | undefined][];
  for (const [name, range] of asked) {
    if (!range) continue;
    const target = pinnable(placed, name);
    if (typeof target === 'string') {
      problems.push(`ranges.${name}: ${target}`);
      continue;
    }
    problems.push(...zeroProblems(name, range));
    const other = ranges.get(target);
    if (other && (other[0] !== range[0] || other[1] !== range[1])) {
      problems.push(
        `ranges.${namedBy.get(target)!} and ranges.${name} are of one output, which is rounded once, after ` +
          `${target.name}, but differ. Leave one out.`,
      );
    }
    problems.push(...measuredProblems(name, target, placed.options));
    ranges.set(target, range);
    namedBy.set(target, name);
  }
  return {ranges, problems};
}

function zeroProblems(name: string, [min, max]: Range): string[] {
  if (min <= 0 && max >= 0) return [];
  const held = `[${Math.min(min, 0)}, ${Math.max(max, 0)}]`;
  return [`ranges.${name} must hold 0, which integers need a level for, but was [${min}, ${max}]. Give it ${held}.`];
}

/** Options of a layer that say how its range is measured. */
function measuredProblems(name: string, {name: layer}: Layer, {layers}: QuantizeOptions): string[] {
  const own = layers?.[layer];
  const idle = Object.keys((own && own.activations) || {}).filter(key => OF_MEASURED.includes(key));
  return idle.map(
    key =>
      `layers.${layer}.activations.${key} is of a range that is measured, but ranges.${name} pins it. Leave one out.`,
  );
}

/** The layer or input whose rounding has the range that is asked for by a name; or why there is none. */
function pinnable(placed: PlacedModel, name: string): Layer | string {
  const all = placed.named;
  const layer = all.find(each => each.name === name);
  if (!layer) return `there is no layer or input ${name}. The model has: ${all.map(each => each.name).join(', ')}.`;
  const isRounded = placed.isRoundedInput(layer);
  if (isInput(layer) && !isRounded) {
    return 'nobody computes with this input in integers, so that it is not rounded there. Name the layer behind it that rounds, or leave it out.';
  }
  const target = isRounded ? layer : roundedFor(placed, layer);
  if (typeof target === 'string' || placed.configsOf(target).activations) return target;
  return `the options leave the activations of ${target.name} out. Quantize them, or leave the range out.`;
}

/** The layer after which the output of another is rounded; or why it is not. */
function roundedFor(placed: PlacedModel, layer: Layer): Layer | string {
  const found = placed.placeOf(layer);
  if (!found) return 'it is a model. Name the layer in it that gives its output.';
  const {kind, output, later, by, reason} = found;
  if (output === 'fixed' || later === 'fixed') {
    return `the range of ${activationOf(layer)} is fixed, as runtimes have it. Leave it out.`;
  }
  if (output === 'measured' || later) return layer;
  if (kind === 'passing') return 'the layer moves values only. Name the layer, or the input, that they come from.';
  if (!by) return `its output is not rounded: ${reason}. Leave it out.`;
  const isConcat = placed.placeOf(by)?.kind === 'concat';
  return isConcat ? `it is rounded together with others, after ${by.name}. Name ${by.name}.` : roundedFor(placed, by);
}
