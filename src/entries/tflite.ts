/**
 * Quantized models as .tflite files, for LiteRT, LiteRT.js and TensorFlow Lite for Microcontrollers.
 *
 * @packageDocumentation
 */
export {type ExportProgress, toTFLite, type TFLiteOptions} from '../export/tflite/to_tflite';
export {packInt4} from '../inference/int4';
export type {PortType} from '../export/tflite/storage';
