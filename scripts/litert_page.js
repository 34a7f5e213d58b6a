/** Runs .tflite files in LiteRT.js, in a page: what litert.mjs calls. */
import {loadAndCompile, loadLiteRt, Tensor} from '@litertjs/core';

const started = loadLiteRt('/wasm/');

const TYPES = {float32: Float32Array, int32: Int32Array};

function bytesOf(text) {
  return Uint8Array.from(globalThis.atob(text), char => char.charCodeAt(0));
}

function textOf({buffer, byteOffset, byteLength}) {
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return globalThis.btoa(text);
}

async function outputsOf(model, inputs) {
  const tensors = model.getInputDetails().map(({dtype, shape}, i) => {
    return new Tensor(new TYPES[dtype](bytesOf(inputs[i]).buffer), Array.from(shape));
  });
  const outputs = await model.run(tensors);
  const values = outputs.map(output => output.toTypedArray());
  const answer = {
    types: values.map(each => each.constructor.name.replace('Array', '').toLowerCase()),
    texts: values.map(textOf),
  };
  for (const tensor of [...tensors, ...outputs]) tensor.delete();
  return answer;
}

globalThis.runModel = async ({model: text, inputs}) => {
  await started;
  const model = await loadAndCompile(bytesOf(text), {accelerator: 'wasm'});
  const runs = [];
  for (const each of inputs) runs.push(await outputsOf(model, each));
  model.delete();
  return {outputs: runs.map(({texts}) => texts), types: runs[0]?.types ?? []};
};
