/**
 * Quantized models as .tflite files, for LiteRT, LiteRT.js and TensorFlow Lite for Microcontrollers.
 *
 * @packageDocumentation
 */
export {type ExportProgress, toTFLite, type TFLiteOptions} from './to_tflite';
export type {PortType} from './emit';
