/** Runs ONNX files in onnxruntime-web, in a page: what ort.mjs calls. */
import {env, InferenceSession, Tensor} from 'onnxruntime-web/wasm';

env.wasm.wasmPaths = '/wasm/';
env.wasm.numThreads = 1;
env.logLevel = 'error';

const TYPES = {float32: Float32Array, int32: Int32Array, bool: Uint8Array};

function bytesOf(text) {
  return Uint8Array.from(globalThis.atob(text), char => char.charCodeAt(0));
}

function textOf({buffer, byteOffset, byteLength}) {
  let text = '';
  for (const byte of new Uint8Array(buffer, byteOffset, byteLength)) text += String.fromCharCode(byte);
  return globalThis.btoa(text);
}

globalThis.runModel = async ({model, inputs}) => {
  const session = await InferenceSession.create(bytesOf(model), {executionProviders: ['wasm']});
  try {
    const feeds = session.inputMetadata.map(({name, type}, i) => {
      const {shape, values} = inputs[i];
      return [name, new Tensor(type, TYPES[type].from(new Float32Array(bytesOf(values).buffer)), shape)];
    });
    const results = await session.run(Object.fromEntries(feeds));
    const outputs = session.outputNames.map(name => {
      const {type, dims, data} = results[name];
      return {name, type, shape: [...dims], values: textOf(data)};
    });
    return {outputs};
  } finally {
    await session.release();
  }
};
