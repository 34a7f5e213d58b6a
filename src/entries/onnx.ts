/**
 * Models as ONNX files, for onnxruntime, onnxruntime-web and whatever else reads them.
 *
 * @packageDocumentation
 */
export {type ONNXOptions, toONNX} from '../export/onnx/to_onnx';
