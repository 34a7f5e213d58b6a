/**
 * All entries in one script, for pages without a bundler: everything in `tf.quantization`, and in `tf` itself what the
 * scripts of the ops and of graph models put there.
 *
 * @packageDocumentation
 */
import * as graphModel from './graph_model';
import * as imports from './import';
import * as ops from './index';
import * as onnx from './onnx';
import * as qat from './qat';
import * as tflite from './tflite';

export * from './graph_model';
export * from './index';
export const quantization = {...ops, ...graphModel, ...imports, ...onnx, ...qat, ...tflite};
