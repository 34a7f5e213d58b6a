/** The models of this folder, each with what Keras predicts. */
import {io, type Tensor, tensor} from '@tensorflow/tfjs-core';
import {readFile} from '../support/environment';

export interface Stored {
  readonly shape: number[];
  readonly dtype: 'float32' | 'int32';
  /** In base64. */
  readonly data: string;
}

/** A model as the converter wrote it. */
export interface StoredModel {
  readonly json: io.ModelJSON;
  readonly weights: string;
  readonly inputs: readonly Stored[];
  readonly outputs: readonly Stored[];
}

function bytesOf(base64: string): ArrayBuffer {
  return Uint8Array.from(atob(base64), each => each.charCodeAt(0)).buffer;
}

/** All of them, by 'framework/network.suffix', and three that Keras 3.15.1 wrote elsewhere. */
export async function readModels(): Promise<Record<string, StoredModel>> {
  const texts = await Promise.all(['models', 'given'].map(name => readFile(`test/keras_models/${name}.json.gz`)));
  const read = texts.map(text => JSON.parse(new TextDecoder().decode(text)) as Record<string, StoredModel>);
  return Object.assign({}, ...read) as Record<string, StoredModel>;
}

/** What loads a model's files, as they are. */
export function artifactsOf({json, weights}: StoredModel): io.ModelArtifacts {
  const copy = JSON.parse(JSON.stringify(json)) as io.ModelJSON;
  return io.getModelArtifactsForJSONSync(copy, io.getWeightSpecs(copy.weightsManifest), bytesOf(weights));
}

export function valuesOf({dtype, data}: Stored): Float32Array | Int32Array {
  return dtype === 'int32' ? new Int32Array(bytesOf(data)) : new Float32Array(bytesOf(data));
}

export function tensorOf(stored: Stored): Tensor {
  return tensor(valuesOf(stored), stored.shape, stored.dtype);
}
