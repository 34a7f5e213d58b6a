/** What changes while a quantized model trains. */
import {Callback, CustomCallback, type LayersModel} from '@tensorflow/tfjs-layers';
import {checkOptions, optionProblems, remedyFor} from '../../check/options';
import {isRecord, must, type Rule, type Rules} from '../../check/rules';
import {type Callbacks, isTraining, onCallbackList, trainBeginOf} from '../../layers/tfjs_internals';
import {freezeBatchNorm, REESTIMATE, reestimateBatchNorm, type ReestimateOptions, SAMPLES} from './batch_norm';
import {freezeRanges, setFakeQuant} from './control';
import {checkSamples, isTensor, isWhole, sampleRule, type Samples} from './samples';
import {quantizingLayers} from '../quantized_layers/quantizing';

/**
 * Training samples for {@link ScheduleOptions.reestimateBatchNorm}, and how many of them are measured.
 *
 * @example
 * ```js
 * import {quantizationSchedule} from 'tfjs-quantization/qat';
 *
 * q.compile({optimizer: 'adam', loss: 'categoricalCrossentropy'});
 * const reestimateBatchNorm = {data: images, samples: 128, batchSize: 32};
 * const callbacks = quantizationSchedule({reestimateBatchNorm});
 * await q.fit(images, labels, {epochs: 1, callbacks, verbose: 0});
 * ```
 */
export interface ScheduledReestimate extends ReestimateOptions {
  /** The samples. */
  readonly data: Samples;
}

/**
 * What happens after how many steps, counted from the first of the first `fit` that the schedule is given to.
 *
 * @example
 * ```js
 * import {quantizationSchedule} from 'tfjs-quantization/qat';
 *
 * q.compile({optimizer: 'adam', loss: 'categoricalCrossentropy'});
 * const callbacks = quantizationSchedule({freezeBatchNormAfter: 2, freezeRangesAfter: 4});
 * await q.fit(images, labels, {epochs: 2, callbacks, verbose: 0});
 * ```
 */
export interface ScheduleOptions {
  /** Steps that train float, while ranges are measured; rounds from the start by default. */
  readonly quantizeAfter?: number;
  /** Steps after which activations' ranges stay as they are; never by default. */
  readonly freezeRangesAfter?: number;
  /** Steps after which BatchNormalization's statistics stay as they are; never by default. */
  readonly freezeBatchNormAfter?: number;
  /**
   * Training samples on which BatchNormalization's statistics are measured anew at the end of each `fit`, as by
   * `reestimateBatchNorm`; or those as `data`, with its options. None by default.
   */
  readonly reestimateBatchNorm?: Samples | ScheduledReestimate;
}

const STEPS: Rule = must('a number of steps, 0 or more', (value: number) => Number.isSafeInteger(value) && value >= 0);

const SCHEDULED: Rules<ScheduledReestimate> = {data: sampleRule, ...REESTIMATE};

/** Whether it is samples with options, and not samples: an input, too, may be called 'data'. */
function isScheduled(given: unknown): given is ScheduledReestimate {
  if (!isRecord(given) || !isWhole(given) || 'xs' in given || 'ys' in given) return false;
  const values = Object.values(given);
  if (!values.some(isTensor)) return true;
  const areOptions = Object.keys(given).every(name => Object.hasOwn(SCHEDULED, name));
  return 'data' in given && (areOptions || !values.every(isTensor));
}

const SCHEDULE: Rules<ScheduleOptions> = {
  quantizeAfter: STEPS,
  freezeRangesAfter: STEPS,
  freezeBatchNormAfter: STEPS,
  reestimateBatchNorm: (value, path) => {
    if (!isScheduled(value)) return sampleRule(value, `${path}: samples`);
    const missing = value.data === undefined ? sampleRule(undefined, `${path}.data`) : [];
    return [...missing, ...optionProblems(value, SCHEDULED, path, remedyFor)];
  },
};

class QuantizationSchedule extends Callback {
  readonly #actions: {readonly after: number; readonly act: (model: LayersModel) => void}[];
  readonly #options: ScheduleOptions;
  readonly #reestimate: ScheduledReestimate | undefined;
  /** Of each model that the schedule was given to. */
  readonly #steps = new WeakMap<LayersModel, number>();

  constructor(options: ScheduleOptions) {
    super();
    this.#options = options;
    const {quantizeAfter, freezeRangesAfter, freezeBatchNormAfter, reestimateBatchNorm: given} = options;
    this.#reestimate = given === undefined || isScheduled(given) ? given : {data: given};
    const actions = [
      {after: quantizeAfter, act: (model: LayersModel) => setFakeQuant(model, true)},
      {after: freezeRangesAfter, act: (model: LayersModel) => freezeRanges(model)},
      {after: freezeBatchNormAfter, act: (model: LayersModel) => freezeBatchNorm(model)},
    ];
    this.#actions = actions.flatMap(({after, act}) => (after === undefined ? [] : [{after, act}]));
    // Its own, as tfjs-layers calls the functions of plain objects without their `this`.
    const begin = () => this.#begin();
    this.onTrainBegin = begin;
    SCHEDULES.set(begin, this);
    haveCallbacksMixed();
  }

  override setModel(model: LayersModel): void {
    const before = this.model as LayersModel | null;
    if (before && before !== model && isTraining(before)) {
      throw new Error(
        `quantizationSchedule: the schedule is at work in a fit of model ${before.name}. Make one for model ${model.name}, too.`,
      );
    }
    super.setModel(model);
  }

  override onBatchEnd(): Promise<void> {
    this.#steps.set(this.model, this.#done + 1);
    this.#act();
    return Promise.resolve();
  }

  override async onTrainEnd(): Promise<void> {
    if (!this.#reestimate) return;
    const {data, ...options} = this.#reestimate;
    await reestimateBatchNorm(this.model, data, options);
  }

  #begin(): Promise<void> {
    const {quantizeAfter, freezeRangesAfter} = this.#options;
    if (quantizeAfter !== undefined || freezeRangesAfter !== undefined) {
      quantizingLayers('quantizationSchedule', this.model);
    }
    // Rather now than after all the training.
    if (this.#reestimate) {
      const {data, samples = SAMPLES} = this.#reestimate;
      checkSamples('quantizationSchedule: reestimateBatchNorm', this.model, data, samples);
    }
    if (quantizeAfter !== undefined && this.#done === 0) setFakeQuant(this.model, false);
    this.#act();
    return Promise.resolve();
  }

  /** Steps of this model so far. */
  get #done(): number {
    return this.#steps.get(this.model) ?? 0;
  }

  #act(): void {
    for (const {after, act} of this.#actions) if (after === this.#done) act(this.model);
  }
}

/** The schedules, by what tfjs-layers takes of them where it takes them for plain objects. */
const SCHEDULES = new WeakMap<object, QuantizationSchedule>();

/** The callback, or the schedule that it calls without its `this` and its model, as a plain object's functions. */
function asGiven(callback: Callbacks[number]): Callbacks[number] {
  return SCHEDULES.get(trainBeginOf(callback) ?? callback) ?? callback;
}

let areMixed = false;

/**
 * tfjs-layers takes callbacks either all for plain objects or all for instances, as the first of them is: beside a plain
 * object it would call a schedule without its `this` and its model; behind a schedule, a plain object fails. Has lists that
 * hold a schedule see to that before they are used.
 */
function haveCallbacksMixed(): void {
  if (areMixed) return;
  areMixed = true;
  onCallbackList(callbacks => {
    const given = callbacks.map(asGiven);
    if (!given.some(each => each instanceof QuantizationSchedule)) return callbacks;
    return given.map(each => ('setParams' in each ? each : new CustomCallback(each)));
  });
}

/**
 * A callback for `fit` and `fitDataset` that starts rounding late, freezes ranges and BatchNormalization's statistics, or
 * measures those anew at the end. It goes by itself and with other callbacks, plain objects too.
 *
 * @param options - after how many steps each happens; what is left out does not.
 * @returns the callback. Given to several fits of a model it counts on; each model has a count of its own.
 * @throws if a number of steps is negative or no integer, or if samples are none. `fit` is rejected at its begin if the
 * model is not quantized, if the samples do not fit it, or if the schedule is at work in a fit of another model; at its end
 * if statistics cannot be measured.
 *
 * @example
 * ```js
 * import {quantizationSchedule, quantizeModel} from 'tfjs-quantization/qat';
 *
 * const q = quantizeModel(model, {weights: {numBits: 4}});
 * q.compile({optimizer: 'adam', loss: 'categoricalCrossentropy'});
 * const callbacks = quantizationSchedule({
 *   quantizeAfter: 4, // steps
 *   freezeRangesAfter: 8,
 *   reestimateBatchNorm: images,
 * });
 * await q.fit(images, labels, {epochs: 3, callbacks, verbose: 0});
 * ```
 */
export function quantizationSchedule(options: ScheduleOptions): Callback {
  checkOptions('quantizationSchedule', options, SCHEDULE);
  return new QuantizationSchedule(options);
}
