/**
 * Models as .tflite files, for LiteRT, LiteRT.js and TensorFlow Lite for Microcontrollers, and what the last needs of any such
 * file: C++, its operators, its memory.
 *
 * @packageDocumentation
 */
export {type ExportProgress, toTFLite, type TFLiteOptions} from '../export/tflite/to_tflite';
export {packInt4} from '../inference/int4';
export type {PortType} from '../export/tflite/storage';
export type {WeightType} from '../export/tflite/weights';
export {arduinoSketch} from '../export/microcontrollers/arduino_sketch';
export {arenaSize, type ArenaSize} from '../export/microcontrollers/arena_size';
export {cSource, type CSourceOptions} from '../export/microcontrollers/c_source';
export {operatorsOf, type OperatorUse} from '../export/microcontrollers/operators_of';
