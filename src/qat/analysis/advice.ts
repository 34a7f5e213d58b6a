/** What to do about what rounding does to a tensor, in words. */
import type {Histogram} from '../../quantizer/histogram';
import type {IntegerGrid} from '../../quantizer/levels';
import {stepsOf} from '../../quantizer/range';
import type {Rounding} from '../quantized_layers/quantizing';
import type {Measured} from './tensor_errors';
import {percent, short} from './words';

/** What advice depends on beside the errors. */
export interface Circumstances {
  /** The name of the layer. */
  readonly layer: string;
  readonly rounding: Rounding;
  readonly grid: IntegerGrid | undefined;
  /** The ends of the grid. */
  readonly range: readonly [min: number, max: number] | undefined;
  /** Whether the model has a BatchNormalization, which takes up what moves a mean. */
  readonly hasBatchNorm: boolean;
  /** How many times more the tensor costs than its noise lets expect; undefined where its cost alone was not measured. */
  readonly excess: number | undefined;
}

/** Above it, in dB, an error is under a thousandth of the signal's power: nothing that is done about it will be seen. */
const GOOD_SNR = 30;
/** What another range has to gain, in dB, to be worth a call: half of the error. */
const WORTHWHILE = 3;
/**
 * The share of the error from which on it is clipping that makes it. At the range of least squared error, of Gaussian values and 2 to
 * 8 bits, it is less than a third.
 */
const MOSTLY_CLIPPED = 0.5;
/** A range twice as wide as its values wastes a bit. */
const TOO_WIDE = 2;
/** How much of the error is to lie in few channels to speak of them, and how few they are to be: evenly, 90 % lie in 90 %. */
const MOST = 0.9;
const FEW_CHANNELS = 1 / 8;
/** Channels as small as this, by the largest, have so few levels that their noise, in dB, is a part of the signal. */
const SMALL = {reach: 1 / 16, snr: 15} as const;
/** How much more than usual a layer costs where channels count that its signal to noise says nothing of. */
const UNEXPLAINED = 10;
/** Rounding by itself moves no mean: of many values its bias is next to none of the error. */
const BIASED = 0.25;
/** Wasted levels: two bits' worth. */
const FEW_LEVELS = 1 / 4;
/** Beyond so many steps the range of least squared error is not looked for: the histogram is too coarse to tell. */
const MOST_STEPS = 511;

/** Where nothing else is wrong. The same for all, so that a report says it once. */
const TOO_FEW_BITS =
  "the range suits the values, so the bits are too few. Give the costliest more (quantizeModel's option layers), or call " +
  "distil(q, model, samples), by which layers make up for each other's errors.";

function span([low, high]: readonly [number, number]): string {
  return `[${short(low)}, ${short(high)}]`;
}

/** Channels by number, the first few of them. */
function named(channels: readonly number[]): string {
  return channels.slice(0, 5).join(', ') + (channels.length > 5 ? ', …' : '');
}

/** As few channels as hold most of the error, the worst first. */
function worstChannels(shares: readonly number[]): number[] {
  const order = [...shares.keys()].sort((a, b) => shares[b]! - shares[a]!);
  let held = 0;
  return order.slice(0, order.findIndex(channel => (held += shares[channel]!) >= MOST) + 1);
}

/** How a layer is given more bits: what to write among quantizeModel's options. */
function moreBits(layer: string, {of, quantizer: {numBits}}: Rounding): string {
  const wider = [3, 4, 8].find(bits => bits > numBits);
  const options = wider ? `{numBits: ${wider}}` : 'false';
  return `quantizeModel's option layers: {'${layer}': {${of}: ${options}}}`;
}

/** What a better range would gain, and which it is. */
function betterRange(histogram: Histogram, {rounding, range}: Circumstances) {
  const {options} = rounding.quantizer;
  const steps = stepsOf(options);
  if (steps > MOST_STEPS || histogram.max < histogram.min || !range) return undefined;
  const [low, high] = [Math.min(histogram.min, 0), Math.max(histogram.max, 0)];
  const reach = Math.max(-low, high);
  const {symmetric} = options;
  const best = histogram.mseRange(symmetric ? [-reach, reach] : [low, high], {steps, symmetric});
  const [before, after] = [histogram.squaredError(range, steps), histogram.squaredError(best, steps)];
  // Of an empty range nothing is left.
  const gain = Number.isNaN(before) ? Infinity : 10 * Math.log10(before / after);
  return gain >= WORTHWHILE ? {best, gain} : undefined;
}

function onRange(measured: Measured, histogram: Histogram, about: Circumstances): string[] {
  const {rounding, range, layer} = about;
  const better = betterRange(histogram, about);
  if (!better || !range) return [];
  const {best, gain} = better;
  const gained = `${span(best)} would take ${gain === Infinity ? 'all' : `${gain.toFixed(0)} dB`} off it`;
  const clipped = measured.clipped.below + measured.clipped.above;
  const calls = rounding.fixed
    ? `It is fixed: give quantizeModel ranges: {'${layer}': ${span(best)}}, or leave it out there`
    : "Call calibrate(q, samples, {method: 'mse'})";
  if (measured.clippedError >= MOSTLY_CLIPPED) {
    const held = `${percent(clipped)} of the values lie outside of the range ${span(range)}, with ${percent(measured.clippedError)} of the error`;
    return [`${held}; ${gained}. ${calls}${rounding.fixed ? '' : ' with more samples, like these'}.`];
  }
  const values = `the range ${span(range)} is wider than suits its values, which lie in ${span(histogram.minMax())}`;
  return [`${values}; ${gained}. ${calls}.`];
}

function onWeightRange(measured: Measured, {grid}: Circumstances): string[] {
  const {scale, lowest, highest, axis} = grid!;
  const ends = Array.from(scale, (unit, i) => Math.max(-lowest[i]!, highest[i]!) * unit);
  const anew = 'Make the model anew with quantizeModel, whose ranges are those of the weights';
  const reach = axis === undefined ? [Math.max(0, ...measured.reach)] : measured.reach;
  const ratios = reach.map((each, channel) => (each > 0 ? ends[channel]! / each : 1));
  const wide = [...ratios.keys()].filter(channel => ratios[channel]! > TOO_WIDE);
  const clipped = measured.clipped.below + measured.clipped.above;
  const advice: string[] = [];
  if (measured.clippedError >= MOSTLY_CLIPPED) {
    advice.push(
      `${percent(clipped)} of the weights lie outside of their range, with ${percent(measured.clippedError)} of the error. ${anew}.`,
    );
  }
  if (wide.length > 0) {
    const most = short(Math.max(...ratios));
    const which =
      axis === undefined
        ? 'the range is'
        : `the ranges of ${wide.length} of ${ratios.length} channels (${named(wide)}) are up to`;
    advice.push(`${which} ${most} times as wide as the weights. ${anew}.`);
  }
  if (measured.zeroed.length > 0 && wide.length === 0) {
    const lost = `${measured.zeroed.length} of ${measured.reach.length} channels (${named(measured.zeroed)}) are rounded to 0`;
    const remedy = axis === undefined ? 'weights: {perChannel: true} gives each a range' : 'More bits keep them';
    advice.push(`${lost}. ${remedy}${axis === undefined ? ', an option of quantizeModel' : ''}.`);
  }
  return advice;
}

function onChannels({errorByChannel}: Measured, {rounding, layer}: Circumstances): string[] {
  const worst = worstChannels(errorByChannel);
  if (worst.length === 0 || worst.length > errorByChannel.length * FEW_CHANNELS) return [];
  const held = `${worst.length} of ${errorByChannel.length} channels (${named(worst)}) hold ${percent(MOST)} of the error`;
  return [`${held}: their values are much larger than the others'. More bits help: ${moreBits(layer, rounding)}.`];
}

/** Channels whose values are lost among those of others, on a range for all of them. */
function onSmallChannels(measured: Measured, {rounding, layer, grid, excess = 0}: Circumstances): string[] {
  const {reach, snrByChannel} = measured;
  const largest = Math.max(...reach);
  const small = [...reach.keys()].filter(c => reach[c]! <= largest * SMALL.reach && snrByChannel[c]! < SMALL.snr);
  if (small.length === 0 || grid!.scale.length > 1 || excess < UNEXPLAINED) return [];
  const least = Math.max(...small.map(channel => reach[channel]!));
  const which = `${small.length} of ${reach.length} channels (${named(small)})`;
  const steps = `${short(least / (grid!.scale[0]! * grid!.spacing))} of the ${stepsOf(rounding.quantizer.options)} steps`;
  const remedy =
    rounding.of === 'weights'
      ? 'weights: {perChannel: true}, an option of quantizeModel, gives each a range'
      : 'Scale up what makes them and down the weights that read them, by as much; a BatchNormalization there does so in ' +
        `training. Or more bits: ${moreBits(layer, rounding)}`;
  return [
    `${which} are ${short(largest / least)} times smaller than the others and reach over ${steps} of their common range, but ` +
      `outputs hang on them: rounding here costs ${short(excess)} times what its noise lets expect. ${remedy}.`,
  ];
}

function onMean({bias, biasShare}: Measured, {hasBatchNorm}: Circumstances): string[] {
  if (biasShare < BIASED) return [];
  const remedy = hasBatchNorm
    ? 'Call reestimateBatchNorm(q, samples), which takes it up, and calibrate(q, samples) after it'
    : 'Call distil(q, model, samples), which takes it up';
  return [
    `rounding moves the mean by ${short(bias)} standard deviations, ${percent(biasShare)} of the error. ${remedy}.`,
  ];
}

function onLevels({levelsUsed}: Measured, {rounding, layer}: Circumstances): string[] {
  const all = stepsOf(rounding.quantizer.options) + 1;
  if (levelsUsed > all * FEW_LEVELS) return [];
  return [
    `only ${levelsUsed} of ${all} levels are used: a few values are much larger than all others. More bits help: ${moreBits(layer, rounding)}.`,
  ];
}

/** What is wrong with how a tensor is rounded, and what to do about it, the cause before what follows of it. */
export function adviceOn(
  measured: Measured | undefined,
  histogram: Histogram | undefined,
  about: Circumstances,
): string[] {
  const {rounding, grid} = about;
  if (!rounding.quantizer.quantizing) {
    const unset = grid ? '' : ', and no range is set. Call calibrate(q, samples)';
    return [`its rounding is switched off${unset}. Call setFakeQuant(q, true).`];
  }
  if (!measured || !histogram) return ['no range is set, so its values pass as they are. Call calibrate(q, samples).'];
  const {nonFinite, snr} = measured;
  const strange =
    nonFinite > 0
      ? [`${nonFinite} of its values are NaN or infinite. Look for it in the samples and in the weights.`]
      : [];
  const small = onSmallChannels(measured, about);
  if (snr >= GOOD_SNR) return [...strange, ...small];
  const isWeight = rounding.of === 'weights';
  const range = isWeight ? onWeightRange(measured, about) : onRange(measured, histogram, about);
  const others =
    range.length > 0 ? [] : [...onChannels(measured, about), ...small, ...onLevels(measured, about)].slice(0, 1);
  const found = [...strange, ...range, ...others, ...(range.length > 0 ? [] : onMean(measured, about))];
  return found.length > 0 ? found : [TOO_FEW_BITS];
}
