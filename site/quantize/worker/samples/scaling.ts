/** From values as they are kept to what the model is given. */
import type {Scaling} from '../contract';
import type {Values} from './sample_set';

/** The factor and the offset of each channel: value * factor + offset. */
interface Line {
  readonly factor: number;
  readonly offset: number;
}

/** Bytes are brought to 0..1 before a mean is taken away; other numbers are taken as they are. */
function lineOf(scaling: Scaling, isBytes: boolean, channel: number): Line {
  switch (scaling.kind) {
    case 'raw':
      return {factor: 1, offset: 0};
    case 'unit':
      return {factor: 1 / 255, offset: 0};
    case 'symmetric':
      return {factor: 1 / 127.5, offset: -1};
    case 'standard': {
      const {mean, deviation} = scaling;
      const by = deviation[channel % deviation.length]!;
      return {factor: (isBytes ? 1 / 255 : 1) / by, offset: -mean[channel % mean.length]! / by};
    }
  }
}

/** What is wrong with a scaling for so many channels; undefined if nothing is. */
export function scalingProblem(scaling: Scaling, channels: number): string | undefined {
  if (scaling.kind !== 'standard') return undefined;
  for (const [name, values] of Object.entries({mean: scaling.mean, deviation: scaling.deviation})) {
    if (values.length !== 1 && values.length !== channels) {
      const wanted = channels === 1 ? 'one number' : `one number, or ${channels}, one for each channel`;
      return `The ${name} must be ${wanted}, but there are ${values.length}.`;
    }
    if (!values.every(value => Number.isFinite(value) && (name === 'mean' || value > 0))) {
      return `The ${name} must be ${name === 'mean' ? 'numbers' : 'numbers above 0'}, but was ${values.join(', ')}.`;
    }
  }
  return undefined;
}

/** Scales values, of which channels follow each other. Inverted, a byte is what is missing to 255. */
export function scaled(values: Values, scaling: Scaling, channels: number, isInverted: boolean): Float32Array {
  const isBytes = values instanceof Uint8Array;
  const lines = Array.from({length: channels}, (_, channel) => lineOf(scaling, isBytes, channel));
  const result = new Float32Array(values.length);
  for (let i = 0; i < values.length; ++i) {
    const {factor, offset} = lines[channels === 1 ? 0 : i % channels]!;
    result[i] = (isInverted ? 255 - values[i]! : values[i]!) * factor + offset;
  }
  return result;
}
