/** How the weights of a small model are stored: as the codes that tfjs's manifest knows. */
import type {LayersModel, LayerVariable} from '@tensorflow/tfjs-layers';
import {spanOf} from '../../quantizer/levels';

/** How a variable is stored: as codes, of which tfjs makes code * scale + min in float64 and rounds once. */
export interface Stored {
  readonly quantization: {readonly dtype: 'uint8' | 'uint16'; readonly scale: number; readonly min: number};
  readonly codes: Uint8Array | Uint16Array;
}

/** A small model, and how its variables are stored; the others as they are. */
export interface SmallModel {
  readonly model: LayersModel;
  readonly stored: ReadonlyMap<LayerVariable, Stored>;
}

/** Integers from `low` to `high` as codes, of a step each. */
export function storedLevels(levels: ArrayLike<number>, low: number, high: number, scale = 1): Stored {
  const dtype = high - low < 256 ? 'uint8' : 'uint16';
  const codes = dtype === 'uint8' ? new Uint8Array(levels.length) : new Uint16Array(levels.length);
  for (let i = 0; i < codes.length; ++i) codes[i] = levels[i]! - low;
  return {codes, quantization: {dtype, scale, min: scale * low}};
}

/** The nearest of 256 values: for weights with a step for each channel where nothing after them can take the steps. */
export function nearest(values: ArrayLike<number>): Stored {
  const [low, high] = spanOf(values);
  const scale = (high - low) / 255 || 1;
  const codes = new Uint8Array(values.length);
  for (let i = 0; i < codes.length; ++i) codes[i] = Math.round((values[i]! - low) / scale);
  return {codes, quantization: {dtype: 'uint8', scale, min: low}};
}
