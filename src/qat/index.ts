/**
 * Quantization-aware training of tfjs-layers models. Importing this registers the classes of quantized layers, so that
 * saved models load.
 *
 * @packageDocumentation
 */
import '../index';
// By themselves, as bundlers leave out what only passes through modules that have no effects of their own.
import './quantized_layer';
import './tfmot';

export type {Grid} from '../../kernels/grid';
export {freezeBatchNorm, reestimateBatchNorm, type ReestimateOptions} from './batch_norm';
export {calibrate, type CalibrateOptions, type CalibrationMethod, type CalibrationProgress} from './calibrate';
export {freezeRanges, type QuantizerSelection, setFakeQuant} from './control';
export {dequantizeModel} from './dequantize';
export {describeQuantization, type QuantizationDescription, type QuantizationRow} from './describe';
export {
  FakeQuantizer,
  type FakeQuantizerOptions,
  type Observer,
  type QuantizerOptions,
  type RangeSnapshot,
  type RangeValues,
} from './fake_quantizer';
export {mseRange, type MseRangeOptions, percentileRange, type PercentileRangeOptions} from './fit_range';
export type {CustomLayers, CustomWeights} from './kinds';
export type {ActivationOptions, LayerOptions, QuantizeOptions, Recipe, TfmotOptions, WeightOptions} from './options';
export {quantizeModel} from './quantize_model';
export {
  packInt4,
  type QuantizedActivation,
  type QuantizedNumbers,
  type QuantizedValues,
  quantizedValues,
  type QuantizedWeight,
  quantizedWeights,
  type SignedGrid,
} from './quantized_weights';
export {quantized, type SmallModelOptions} from './small_model';
export type {Batch, BatchedDataset, Inputs, Samples} from './samples';
export {quantizationSchedule, type ScheduledReestimate, type ScheduleOptions} from './schedule';
