/** Models as their files hold them. */
import {io} from '@tensorflow/tfjs-core';
import {type LayersModel, loadLayersModel} from '@tensorflow/tfjs-layers';
import {type QuantizedSaveOptions, quantizedSaveHandler} from '../../src/entries/qat';

/** What a model's files hold, small ones if there are options for that. */
export async function artifactsOf(model: LayersModel, small?: QuantizedSaveOptions): Promise<io.ModelArtifacts> {
  let saved: io.ModelArtifacts | undefined;
  const handler = io.withSaveHandler(artifacts => {
    saved = artifacts;
    return Promise.resolve({modelArtifactsInfo: {dateSaved: new Date(0), modelTopologyType: 'JSON'}});
  });
  await model.save(small ? quantizedSaveHandler(handler, small) : handler);
  const {weightData, ...others} = saved!;
  return {...(JSON.parse(JSON.stringify(others)) as io.ModelArtifacts), ...(weightData && {weightData})};
}

/** A model through its files. */
export async function reloaded(model: LayersModel, small?: QuantizedSaveOptions): Promise<LayersModel> {
  return loadLayersModel(io.fromMemory(await artifactsOf(model, small)));
}
