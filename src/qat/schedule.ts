/** What changes while a quantized model trains. */
import {Callback, type LayersModel} from '@tensorflow/tfjs-layers';
import {anything, must, type Rule, type Rules} from '../check';
import {freezeBatchNorm, reestimateBatchNorm} from './batch_norm';
import {freezeRanges, setFakeQuant} from './control';
import {checkOptions} from './rules';
import type {Samples} from './samples';

/** What happens after how many steps, counted from the first of the first `fit` that the schedule is given to. */
export interface ScheduleOptions {
  /** Steps that train float, while ranges are measured; rounds from the start by default. */
  readonly quantizeAfter?: number;
  /** Steps after which activations' ranges stay as they are; never by default. */
  readonly freezeRangesAfter?: number;
  /** Steps after which BatchNormalization's statistics stay as they are; never by default. */
  readonly freezeBatchNormAfter?: number;
  /** Training samples on which BatchNormalization's statistics are measured anew at the end of each `fit`; none by default. */
  readonly reestimateBatchNorm?: Samples;
}

const STEPS: Rule = must('a number of steps, 0 or more', (value: number) => Number.isSafeInteger(value) && value >= 0);

const SCHEDULE: Rules<ScheduleOptions> = {
  quantizeAfter: STEPS,
  freezeRangesAfter: STEPS,
  freezeBatchNormAfter: STEPS,
  reestimateBatchNorm: anything,
};

class QuantizationSchedule extends Callback {
  readonly #actions: {readonly after: number; readonly act: (model: LayersModel) => void}[];
  readonly #delays: boolean;
  readonly #samples: Samples | undefined;
  #steps = 0;

  constructor({quantizeAfter, freezeRangesAfter, freezeBatchNormAfter, reestimateBatchNorm: samples}: ScheduleOptions) {
    super();
    this.#samples = samples;
    this.#delays = quantizeAfter !== undefined;
    const actions = [
      {after: quantizeAfter, act: (model: LayersModel) => setFakeQuant(model, true)},
      {after: freezeRangesAfter, act: (model: LayersModel) => freezeRanges(model)},
      {after: freezeBatchNormAfter, act: (model: LayersModel) => freezeBatchNorm(model)},
    ];
    this.#actions = actions.flatMap(({after, act}) => (after === undefined ? [] : [{after, act}]));
  }

  override onTrainBegin(): Promise<void> {
    if (this.#delays && this.#steps === 0) setFakeQuant(this.model, false);
    this.#act();
    return Promise.resolve();
  }

  override onBatchEnd(): Promise<void> {
    this.#steps++;
    this.#act();
    return Promise.resolve();
  }

  override async onTrainEnd(): Promise<void> {
    if (this.#samples) await reestimateBatchNorm(this.model, this.#samples);
  }

  #act(): void {
    for (const {after, act} of this.#actions) if (after === this.#steps) act(this.model);
  }
}

/**
 * A callback for `fit` and `fitDataset` that starts rounding late, freezes ranges and BatchNormalization's statistics, or measures those anew
 * at the end.
 *
 * @param options - after how many steps each happens; what is left out does not.
 * @returns the callback. Given to several fits it counts on.
 * @throws if a number of steps is negative or no integer.
 */
export function quantizationSchedule(options: ScheduleOptions): Callback {
  checkOptions('quantizationSchedule', options, SCHEDULE);
  return new QuantizationSchedule(options);
}
