/** Models that Keras 3 and Keras 2 wrote, loaded through mendLayers, predict what Keras predicted. */
import {io, memory, tidy, type Tensor, dispose} from '@tensorflow/tfjs-core';
import {type LayersModel, loadLayersModel} from '@tensorflow/tfjs-layers';
import {mendLayers} from '../../src/entries/import';
import {artifactsOf, readModels, type StoredModel, tensorOf, valuesOf} from '../keras_models/models';

async function load(artifacts: io.ModelArtifacts): Promise<LayersModel> {
  return loadLayersModel(mendLayers(artifacts));
}

/** How far what a model predicts is from what Keras predicted, by the largest of that. */
async function difference(model: LayersModel, {inputs, outputs}: StoredModel): Promise<number> {
  const given = inputs.map(tensorOf);
  const made = tidy(() => [model.predict(given.length > 1 ? given : given[0]!)].flat() as Tensor[]);
  let worst = 0;
  expect(made.map(({shape}) => shape)).toEqual(outputs.map(({shape}) => shape));
  for (const [i, output] of outputs.entries()) {
    const [actual, wanted] = [await made[i]!.data(), valuesOf(output)];
    const largest = Math.max(1e-3, ...Array.from(wanted, Math.abs));
    for (const [j, value] of wanted.entries()) worst = Math.max(worst, Math.abs(actual[j]! - value) / largest);
    if (actual.some(Number.isNaN)) worst = NaN;
  }
  dispose([...given, ...made]);
  return worst;
}

describe('mendLayers', () => {
  let models: Record<string, StoredModel>;
  beforeAll(async () => {
    models = await readModels();
  });

  it('loads', async () => {
    for (const [name, stored] of Object.entries(models)) {
      const before = memory().numTensors;
      try {
        const model = await load(artifactsOf(stored));
        console.log(name, await difference(model, stored), model.layers.length);
        for (const weight of model.weights) weight.dispose();
        if (memory().numTensors !== before) console.log('LEAK', name, memory().numTensors - before);
      } catch (error) {
        console.log(name, 'FAILED', String((error as Error).stack).slice(0, 900));
      }
    }
  });
});
