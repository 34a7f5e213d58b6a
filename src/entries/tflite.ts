/**
 * Quantized models as .tflite files, for LiteRT, LiteRT.js and TensorFlow Lite for Microcontrollers.
 *
 * @packageDocumentation
 */
// What is exported may have been saved, and loads where the layers are registered.
import './qat';

export {type ExportProgress, toTFLite, type TFLiteOptions} from '../export/tflite/to_tflite';
export {packInt4} from '../integer/int4';
export type {PortType} from '../export/tflite/storage';
