/**
 * Quantization-aware training of tfjs-layers models. Importing this registers the classes of quantized layers, so that
 * saved models load.
 *
 * @packageDocumentation
 */
import '../index';

export type {MovingRangeOptions} from '../range';
export {
  type Batch,
  calibrate,
  type CalibrateOptions,
  type CalibrationMethod,
  type CalibrationProgress,
  type Samples,
} from './calibrate';
export {freezeBatchNorm, freezeRanges, type QuantizerSelection, reestimateBatchNorm, setFakeQuant} from './control';
export {dequantizeModel} from './dequantize';
export {describeQuantization, type QuantizationDescription, type QuantizationRow} from './describe';
export {
  FakeQuantizer,
  type FakeQuantizerOptions,
  type Observer,
  type RangeSnapshot,
  type RangeValues,
} from './fake_quantizer';
export type {CustomLayers, CustomWeights} from './kinds';
export type {ActivationOptions, LayerOptions, QuantizeOptions, WeightOptions} from './options';
export {quantizeModel} from './quantize_model';
export {quantizationSchedule, type ScheduleOptions} from './schedule';
