/** Where a quantized model loses accuracy, tensor by tensor and layer by layer. */
import type {LayersModel} from '@tensorflow/tfjs-layers';
import type {Samples} from '../tools/samples';

/** How {@link analyzeQuantization} goes about it. */
export interface AnalyzeOptions {
  /** How many samples to look at; 128 by default. */
  readonly samples?: number;
  /** Samples at a time, where tensors are given; 32 by default. */
  readonly batchSize?: number;
  /** Which sensitivities to measure: 'only' and 'without' take a pass for each layer; 'both' by default. */
  readonly sensitivity?: 'only' | 'without' | 'both' | 'none';
  /** Called after each pass. Nobody by default. */
  readonly onProgress?: (progress: {readonly done: number; readonly total: number}) => void;
  /** Stops it; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** What {@link analyzeQuantization} found. */
export interface QuantizationReport {
  readonly rows: readonly unknown[];
}

export async function analyzeQuantization(
  _q: LayersModel,
  _model: LayersModel,
  _samples: Samples,
  _options: AnalyzeOptions = {},
): Promise<QuantizationReport> {
  return Promise.reject(new Error('not yet'));
}
