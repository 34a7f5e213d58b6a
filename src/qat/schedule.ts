/** What changes while a quantized model trains. */
import {Callback, type LayersModel} from '@tensorflow/tfjs-layers';
import {freezeBatchNorm, freezeRanges, setFakeQuant} from './control';

/** After how many steps, counted from the first of the first `fit` that the schedule is given to. */
export interface ScheduleOptions {
  /** Trains float until then, while ranges are measured. */
  readonly quantizeAfter?: number;
  /** Activations' ranges stay as they are from then on. */
  readonly freezeRangesAfter?: number;
  /** BatchNormalization's statistics stay as they are from then on. */
  readonly freezeBatchNormAfter?: number;
}

class QuantizationSchedule extends Callback {
  readonly #actions: {readonly after: number; readonly act: (model: LayersModel) => void}[];
  readonly #delays: boolean;
  #steps = 0;

  constructor({quantizeAfter, freezeRangesAfter, freezeBatchNormAfter}: ScheduleOptions) {
    super();
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

  #act(): void {
    for (const {after, act} of this.#actions) if (after === this.#steps) act(this.model);
  }
}

/**
 * A callback for `fit` and `fitDataset` that starts rounding late, or freezes ranges and BatchNormalization's statistics.
 *
 * @param options - after how many steps each happens; what is left out does not.
 * @returns the callback. Given to several fits it counts on.
 * @throws if a number of steps is negative or no integer.
 */
export function quantizationSchedule(options: ScheduleOptions): Callback {
  for (const [name, steps] of Object.entries(options) as [string, number | undefined][]) {
    if (steps === undefined || (Number.isInteger(steps) && steps >= 0)) continue;
    throw new Error(`quantizationSchedule: ${name} must be a number of steps, 0 or more, but was ${String(steps)}.`);
  }
  return new QuantizationSchedule(options);
}
