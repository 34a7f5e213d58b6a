/** What distil makes of BatchNormalization's statistics. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {distil, quantizeModel} from '../../src/entries/qat';
import {needsSpeed, needsTraining, scoped} from '../support/scoped';

const {layers} = tfl;

describe("distil and BatchNormalization's statistics", () => {
  scoped();

  beforeEach(() => {
    needsTraining();
  });

  /** One that is as well normalized by its statistics, of mean 0 and variance 1, as its samples are not. */
  function network(): tfl.LayersModel {
    const kernel = (seed: number) => tfl.initializers.heNormal({seed});
    return tfl.sequential({
      layers: [
        layers.dense({inputShape: [4], units: 8, kernelInitializer: kernel(1)}),
        layers.batchNormalization({name: 'norm'}),
        layers.reLU(),
        layers.dense({units: 3, activation: 'softmax', kernelInitializer: kernel(2)}),
      ],
    });
  }

  const samples = () => tf.randomNormal([64, 4], 2, 3, 'float32', 3);

  async function statisticsOf(model: tfl.LayersModel): Promise<number[]> {
    const {weights} = model.getLayer('norm');
    const moving = weights.filter(({name}) => name.includes('moving'));
    expect(moving.length).toBe(2);
    return (await Promise.all(moving.map(each => each.read().data()))).flatMap(each => [...each]);
  }

  it('keeps them where it is told so, in training too, and learns', async () => {
    needsSpeed();
    const [model, x] = [network(), samples()];
    const q = quantizeModel(model, {weights: {numBits: 2}});
    const warn = console.warn as jasmine.Spy;
    const {loss} = await distil(q, model, x, {
      steps: 20,
      batchSize: 32,
      learningRate: 0.01,
      reestimateBatchNorm: false,
    });
    expect(loss.after).toBeLessThan(loss.before);
    const own = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1];
    expect(await statisticsOf(q)).toEqual(own);
    expect(await statisticsOf(model)).toEqual(own);
    expect(warn).not.toHaveBeenCalled();
  });

  it("tells where the float model's own lead to other decisions, and leaves them to it", async () => {
    const [model, x] = [network(), samples()];
    const q = quantizeModel(model);
    const warn = console.warn as jasmine.Spy;
    await distil(q, model, x, {steps: 1, learningRate: 1e-6});
    expect(warn.calls.allArgs().join()).toMatch(/decides otherwise .* for \d+ % .*reestimateBatchNorm: false/);
    expect(new Set(await statisticsOf(model))).toEqual(new Set([0, 1]));
    expect(new Set(await statisticsOf(q)).size).toBeGreaterThan(2);
  });
});
