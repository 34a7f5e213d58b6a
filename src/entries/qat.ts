/**
 * Quantization-aware training of tfjs-layers models. Importing this registers the classes of quantized layers, so that
 * saved models load.
 *
 * @packageDocumentation
 */
import '../qat/quantized_layers/layer_classes';
import './index';

export type {Grid} from '../../kernels/grid';
export {analyzeQuantization, type AnalyzeOptions, type QuantizationReport} from '../qat/analysis/analyze_quantization';
export type {BitChoice, BitPoint, BitRow} from '../qat/bits/choice';
export {chooseBits} from '../qat/bits/choose_bits';
export type {ChooseBitsOptions} from '../qat/bits/options';
export {distil} from '../qat/distillation/distil';
export type {RateKind} from '../qat/distillation/learning_rate';
export type {DistilLoss, DistilLosses} from '../qat/distillation/loss_option';
export type {DistilOptions, DistilProgress, DistilResult, SampleFunction} from '../qat/distillation/options';
export type {LayerReport, Loss} from '../qat/analysis/report';
export type {TensorHistogram} from '../qat/analysis/tensor_histogram';
export type {TensorReport} from '../qat/analysis/tensor_report';
export type {Agreement, ClassAgreement} from '../qat/outputs/agreement';
export type {OutputLoss} from '../qat/outputs/losses';
export {freezeBatchNorm, reestimateBatchNorm, type ReestimateOptions} from '../qat/tools/batch_norm';
export {
  calibrate,
  type CalibrateOptions,
  type CalibrationMethod,
  type CalibrationProgress,
} from '../qat/tools/calibrate';
export {freezeRanges, type QuantizerSelection, setFakeQuant} from '../qat/tools/control';
export {dequantizeModel} from '../qat/tools/dequantize';
export {describeQuantization, type QuantizationDescription, type QuantizationRow} from '../qat/tools/describe';
export {FakeQuantizer} from '../quantizer/fake_quantizer';
export type {FakeQuantizerOptions, Observer, QuantizerOptions} from '../quantizer/options';
export type {RangeSnapshot, RangeValues} from '../quantizer/range';
export {mseRange, type MseRangeOptions, percentileRange, type PercentileRangeOptions} from '../quantizer/fit_range';
export type {CustomLayers, CustomWeights} from '../layers/weights';
export type {
  ActivationOptions,
  LayerOptions,
  QuantizeOptions,
  Recipe,
  TfmotOptions,
  WeightOptions,
} from '../qat/options/options';
export {quantizeModel} from '../qat/quantize_model';
export {packInt4} from '../inference/int4';
export {
  type QuantizedActivation,
  type QuantizedNumbers,
  type QuantizedValues,
  quantizedValues,
  type QuantizedWeight,
  quantizedWeights,
  type SignedGrid,
} from '../inference/quantized_weights';
export {type QuantizedSaveOptions, quantizedSaveHandler} from '../export/tfjs/save_handler';
export type {Batch, BatchedDataset, Inputs, Samples} from '../qat/tools/samples';
export {quantizationSchedule, type ScheduledReestimate, type ScheduleOptions} from '../qat/tools/schedule';
