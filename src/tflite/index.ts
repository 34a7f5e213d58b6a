/**
 * Quantized models as .tflite files, for LiteRT, LiteRT.js and TensorFlow Lite for Microcontrollers.
 *
 * @packageDocumentation
 */
export {type ExportProgress, toTFLite, type TFLiteOptions} from './to_tflite';
export {packInt4} from '../qat/quantized_weights';
export type {PortType} from './emit';
