/** Training leaks nothing and compiles nothing twice, and an op is as few device programs as promised. */
import * as tf from '@tensorflow/tfjs-core';
import {
  fakeQuant,
  fakeQuantWithLearnedScale,
  fakeQuantWithMinMaxArgs,
  fakeQuantWithMinMaxVarsPerChannel,
  minMax,
  quantizeAndDequantizeV4,
} from '../../src/entries/index';
import {extremesOfParts, fakeQuantWithLearnedGrid, fakeQuantWithMovingRange, learnedGrid} from '../../src/ops/training';
import {initializers, layers, type LayersModel, sequential} from '@tensorflow/tfjs-layers';
import {digitClassifier} from '../../lab/digit_classifier';
import {isQuantizing} from '../../src/qat/quantized_layers/quantizing';
import {quantizeModel} from '../../src/entries/qat';
import {type Counts, probe, type Probe} from '../../bench/probe';
import {onSecondWebGL, onWebGL, onWebGPU, valuesOf} from '../support/environment';
import {RESIDENCIES, type Residency, tensorAt} from '../support/residency';

function held() {
  const {numTensors, numDataBuffers} = tf.memory();
  return {numTensors, numDataBuffers};
}

/** A tensor and the variable that starts from it are two. */
function variable(values: number[], shape: number[]): tf.Variable {
  return tf.tidy(() => tf.variable(tf.tensor(values, shape)));
}

/** A small model with every way to quantize, whose ranges are trained too. */
class Model {
  readonly #weights = variable([0.3, -0.8, 0.5, 1.2, -0.1, 0.7], [3, 2]);
  readonly #min = variable([-0.2], []);
  readonly #max = variable([1], []);
  readonly #lows = variable([-1, -1], [2]);
  readonly #highs = variable([0.4, 1], [2]);
  readonly #scales = variable([0.1, 0.2], [2]);
  readonly #inputs = tf.tensor2d([1, 0.5, -0.3, 0.2, 0.9, -1.1], [2, 3]);
  readonly #optimizer = tf.train.sgd(0.01);

  step(numBits: number): void {
    const loss = this.#optimizer.minimize(() => this.#loss(numBits), true);
    loss?.dispose();
  }

  values(): Promise<Float32Array[]> {
    return Promise.all([this.#weights, this.#min, this.#highs, this.#scales].map(valuesOf));
  }

  dispose(): void {
    tf.dispose([this.#weights, this.#min, this.#max, this.#lows, this.#highs, this.#scales, this.#inputs]);
    this.#optimizer.dispose();
  }

  #loss(numBits: number): tf.Scalar {
    const weights = fakeQuantWithMinMaxVarsPerChannel(
      this.#weights as tf.Tensor,
      this.#lows as tf.Tensor as tf.Tensor1D,
      this.#highs as tf.Tensor as tf.Tensor1D,
      {numBits},
    );
    const x = quantizeAndDequantizeV4(this.#inputs, undefined, undefined, {numBits});
    const learned = fakeQuantWithLearnedScale(weights, this.#scales, {numBits, symmetric: true, axis: 1});
    const hidden = fakeQuant(tf.matMul(x, learned as tf.Tensor2D), this.#min as tf.Tensor, this.#max as tf.Tensor, {
      numBits,
    });
    return tf.sum(tf.square(tf.sub(fakeQuantWithMinMaxArgs(hidden, {min: -2, max: 2, numBits}), 1)));
  }
}

describe('training', () => {
  it('holds no more tensors and buffers after 100 steps than after one', async () => {
    const model = new Model();
    model.step(8);
    const [before, first] = [held(), await model.values()];
    for (let i = 0; i < 100; ++i) model.step(8);
    expect(held()).toEqual(before);
    const last = await model.values();
    first.forEach((values, i) => expect(last[i]).not.toEqual(values));
    model.dispose();
  });
});

/** How many programs the backend has compiled. */
function compiled(): number {
  const caches = tf.backend() as unknown as {binaryCache: object; pipelineCache: object};
  return Object.keys(onWebGPU ? caches.pipelineCache : caches.binaryCache).length;
}

const SHAPE = [6, 10, 7];

function valuesFor(shape: readonly number[]): Float32Array {
  return Float32Array.from({length: tf.util.sizeFromShape([...shape])}, (_, i) => Math.sin(i) * 3);
}

type Quantize = (x: tf.Tensor, min: tf.Tensor, max: tf.Tensor) => tf.Tensor;

interface Row {
  readonly name: string;
  readonly quantize: Quantize;
  readonly rangeShape: readonly number[];
  /** Which inputs but x have a gradient: 1 is the first bound, 2 the second. */
  readonly trained: readonly number[];
}

const rowsOf = (shape: readonly number[]): readonly Row[] => [
  {name: 'Args', quantize: x => fakeQuantWithMinMaxArgs(x), rangeShape: [], trained: []},
  {name: 'Vars', quantize: (x, min, max) => fakeQuant(x, min, max), rangeShape: [], trained: [1, 2]},
  ...shape.map((channels, axis) => ({
    name: `PerChannel along axis ${axis}`,
    quantize: (x: tf.Tensor, min: tf.Tensor, max: tf.Tensor) => fakeQuant(x, min, max, {axis}),
    rangeShape: [channels],
    trained: [1, 2],
  })),
  {
    name: 'a learned scale',
    quantize: (x, _, scale) => fakeQuantWithLearnedScale(x, scale, {symmetric: true}),
    rangeShape: [],
    trained: [2],
  },
  {
    name: 'a learned scale and low end',
    quantize: (x, offset, scale) => fakeQuantWithLearnedScale(x, scale, {offset}),
    rangeShape: [],
    trained: [1, 2],
  },
  {
    name: 'a learned grid in one tensor',
    quantize: (x, _, grid) =>
      fakeQuantWithLearnedGrid(x, grid, true, {numBits: 8, narrowRange: false, symmetric: false}),
    rangeShape: [2],
    trained: [2],
  },
  ...shape.map((channels, axis) => ({
    name: `learned scales along axis ${axis}`,
    quantize: (x: tf.Tensor, _: tf.Tensor, scale: tf.Tensor) => fakeQuantWithLearnedScale(x, scale, {axis, numBits: 2}),
    rangeShape: [channels],
    trained: [2],
  })),
  {
    name: 'V4 of a given range',
    quantize: (x, min, max) => quantizeAndDequantizeV4(x, min, max, {rangeGiven: true}),
    rangeShape: [],
    trained: [],
  },
];

const ROWS = rowsOf(SHAPE);

const MEASURED: Row = {
  name: 'V4',
  quantize: x => quantizeAndDequantizeV4(x),
  rangeShape: [],
  trained: [],
};

const MOVING: Row = {
  ...MEASURED,
  rangeShape: [3],
  quantize: (x, range) => {
    const rule = {observer: 'movingAverage', decay: 0.99, debias: true, symmetric: false} as const;
    return fakeQuantWithMovingRange(x, range, {...rule, numBits: 8, narrowRange: false})[0];
  },
};

/** What a GPU's backend is seen to do, programs of tfjs itself included: repacking and copying count. */
type Cost = Pick<Counts, 'dispatches' | 'read' | 'written'>;

/** Counts what work costs the second time. */
async function costOf(device: Probe, work: () => tf.Tensor): Promise<Cost> {
  tf.dispose(tf.tidy(work));
  return device.count(() => tf.dispose(tf.tidy(work)));
}

/** The inputs of a row, and what comes back to its output. */
function operandsOf({rangeShape}: Row, residency: Residency, shape: readonly number[]) {
  const size = tf.util.sizeFromShape([...rangeShape]);
  const inputs = [
    tensorAt(residency, valuesFor(shape), shape),
    tensorAt(residency, new Float32Array(size).fill(-1), rangeShape),
    tensorAt(residency, new Float32Array(size).fill(1), rangeShape),
  ] as const;
  return {inputs, dy: tensorAt(residency, valuesFor(shape), shape)};
}

/** The cost of an op, or of the backward pass to one of its inputs. */
async function rowCost(device: Probe, row: Row, residency: Residency, wrt?: number, shape = SHAPE): Promise<Cost> {
  const {inputs, dy} = operandsOf(row, residency, shape);
  const forward = await costOf(device, () => row.quantize(...inputs));
  const both = async (index: number) =>
    costOf(device, () =>
      tf.grad(wanted => {
        const [x, min, max] = inputs.map((input, i) => (i === index ? wanted : input));
        return row.quantize(x!, min!, max!);
      })(inputs[index]!, dy),
    );
  const cost = wrt === undefined ? forward : difference(await both(wrt), forward);
  tf.dispose([...inputs, dy]);
  return cost;
}

function difference(a: Cost, b: Cost): Cost {
  return {dispatches: a.dispatches - b.dispatches, read: a.read - b.read, written: a.written - b.written};
}

/** The cost of one pass over a tensor's memory: of tfjs's relu, which leaves the tensor as it lies. */
async function passOver(device: Probe, residency: Residency, shape: readonly number[]): Promise<Cost> {
  const packs = onWebGL && tf.env().getBool('WEBGL_PACK_UNARY_OPERATIONS');
  if (onWebGL) tf.env().set('WEBGL_PACK_UNARY_OPERATIONS', residency === 'packed');
  const x = tensorAt(residency, valuesFor(shape), shape);
  const cost = await costOf(device, () => tf.relu(x));
  if (onWebGL) tf.env().set('WEBGL_PACK_UNARY_OPERATIONS', packs);
  x.dispose();
  return cost;
}

/** Large enough that ranges and partial sums are next to nothing. */
const LARGE = [64, 32, 66];

function defineProgramSpecs(): void {
  let device: Probe;

  beforeAll(() => {
    device = probe();
  });

  for (const residency of RESIDENCIES.filter(each => each !== 'host')) {
    for (const row of ROWS) {
      it(`of ${row.name}, inputs ${residency}: one forward, one for dx`, async () => {
        expect((await rowCost(device, row, residency)).dispatches)
          .withContext('forward')
          .toBe(1);
        expect((await rowCost(device, row, residency, 0)).dispatches)
          .withContext('dx')
          .toBe(1);
      });
    }

    for (const row of ROWS.filter(({trained}) => trained.length > 0)) {
      it(`of ${row.name}, inputs ${residency}: one or two for the gradient of each that is trained`, async () => {
        for (const wrt of row.trained)
          expect([1, 2]).toContain((await rowCost(device, row, residency, wrt)).dispatches);
      });
    }

    it(`of minMax, inputs ${residency}: two at most`, async () => {
      for (const axis of [undefined, 0, 1, 2]) {
        const row = {...MEASURED, quantize: (x: tf.Tensor) => minMax(x, axis)};
        expect([1, 2])
          .withContext(`axis ${axis}`)
          .toContain((await rowCost(device, row, residency)).dispatches);
      }
    });

    it(`of a learned range's grid, inputs ${residency}: one, and one for its gradient`, async () => {
      for (const [steps, rangeShape] of [
        [0, [5]],
        [15, [2]],
        [15, [2, 5]],
      ] as const) {
        const grid = (trained: tf.Tensor, last: tf.Tensor) => learnedGrid(trained, last, {speed: 10, steps});
        const row = {...MEASURED, rangeShape, quantize: (_: tf.Tensor, last: tf.Tensor) => grid(last, last)};
        expect((await rowCost(device, row, residency)).dispatches).toBe(1);
        const [first, last, dy] = [1, 2, 3].map(value =>
          tensorAt(residency, new Float32Array(tf.util.sizeFromShape([...rangeShape])).fill(value), rangeShape),
        ) as [tf.Tensor, tf.Tensor, tf.Tensor];
        const both = await costOf(device, () => tf.grad(trained => grid(trained, last))(first, dy));
        expect(both.dispatches).toBe(2);
        tf.dispose([first, last, dy]);
      }
    });

    it(`of the extremes of parts, inputs ${residency}: one`, async () => {
      const row = {...MEASURED, quantize: (x: tf.Tensor) => extremesOfParts(x)};
      expect((await rowCost(device, row, residency)).dispatches).toBe(1);
    });

    it(`of a step of a moving range, inputs ${residency}: four at most, three on WebGL`, async () => {
      // There the range moves where it is measured; on WebGPU a small tensor is measured in one.
      expect(onWebGL ? [3] : [3, 4]).toContain((await rowCost(device, MOVING, residency)).dispatches);
    });

    it(`of V4 of a measured range, inputs ${residency}: two at most to measure`, async () => {
      expect([2, 3]).toContain((await rowCost(device, MEASURED, residency)).dispatches);
    });

    // A small part more is for ranges, grids and partial results.
    const inPasses = async (row: Row, wrt?: number) => {
      const pass = await passOver(device, residency, LARGE);
      const {read, written} = await rowCost(device, row, residency, wrt, LARGE);
      return {read: read / pass.read, written: written / pass.written};
    };

    it(`read and write ${residency} tensors no more often than they must`, async () => {
      const within = (cost: {read: number; written: number}, read: number, written: number, what: string) => {
        for (const [way, passes, most] of [
          ['read', cost.read, read],
          ['written', cost.written, written],
        ] as const) {
          expect(passes).withContext(`${what}, ${way}`).toBeLessThan(most);
        }
        expect(cost.read)
          .withContext(what)
          .toBeGreaterThan(0.95 * Math.floor(read));
      };
      for (const row of rowsOf(LARGE)) {
        within(await inPasses(row), 1.05, 1.05, row.name);
        within(await inPasses(row, 0), 2.05, 1.05, `dx of ${row.name}`);
        for (const wrt of row.trained) within(await inPasses(row, wrt), 2.2, 0.2, `sums of ${row.name}`);
      }
      within(await inPasses({...MEASURED, quantize: x => minMax(x)}), 1.05, 0.05, 'minMax');
      within(await inPasses(MEASURED), 2.05, 1.05, 'V4 of a measured range');
      within(await inPasses(MOVING), 2.05, 1.05, 'a step of a moving range');
    });
  }

  it('of a step of a quantized model: five more for each weight and activation that it rounds', async () => {
    const model = sequential({
      layers: [
        layers.conv2d({inputShape: [6, 6, 2], filters: 4, kernelSize: 3, useBias: false}),
        layers.batchNormalization(),
        layers.reLU(),
        layers.depthwiseConv2d({kernelSize: 2, activation: 'relu'}),
        layers.flatten(),
        layers.dense({units: 3, activation: 'softmax'}),
      ],
    });
    const quantized = quantizeModel(model);
    const x = tf.randomNormal([4, 6, 6, 2], 0, 1, 'float32', 1);
    const y = tf.tidy(() => tf.oneHot([0, 1, 2, 0], 3).toFloat());
    const optimizer = tf.train.sgd(0.01);
    const programsOfStep = async (each: LayersModel) => {
      each.compile({optimizer, loss: 'categoricalCrossentropy'});
      await each.trainOnBatch(x, y);
      return (
        await device.count(async () => {
          await each.trainOnBatch(x, y);
        })
      ).dispatches;
    };
    const roundings = quantized.layers.flatMap(layer => (isQuantizing(layer) ? layer.roundings : []));
    expect(roundings.length).toBe(7);
    const [float, ours] = [await programsOfStep(model), await programsOfStep(quantized)];
    expect(float).toBeGreaterThan(0);
    // To measure two, the second of which moves the range on WebGL, to move it, to round, and one for the gradient.
    expect(ours - float).toBeLessThanOrEqual((onWebGL ? 4 : 5) * roundings.length);
    expect(ours - float).toBeGreaterThan(0);
    model.dispose();
    quantized.dispose();
    optimizer.dispose();
    tf.dispose([x, y]);
  });

  it('of a step of Adam: with learned ranges six more for each, and for all together as many as for a few variables', async () => {
    const model = digitClassifier(() => initializers.glorotNormal({seed: 1}));
    const few = {numBits: 4};
    const quantized = quantizeModel(model, {weights: few, activations: few});
    const x = tf.randomNormal([128, 8, 8, 1], 0, 1, 'float32', 1);
    const y = tf.tidy(() => tf.oneHot(tf.range(0, 128).toInt().mod(10).toInt(), 10).toFloat());
    const optimizers: tf.Optimizer[] = [];
    const programsOfStep = async (each: LayersModel) => {
      const optimizer = tf.train.adam(0.001);
      optimizers.push(optimizer);
      each.compile({optimizer, loss: 'categoricalCrossentropy'});
      // The first step makes what an optimizer keeps of each variable, the second what is the device's from then on.
      for (let i = 0; i < 2; ++i) await each.trainOnBatch(x, y);
      return (
        await device.count(async () => {
          await each.trainOnBatch(x, y);
        })
      ).dispatches;
    };
    const roundings = quantized.layers.flatMap(layer => (isQuantizing(layer) ? layer.roundings : []));
    expect(roundings.length).toBe(11);
    const [float, ours] = [await programsOfStep(model), await programsOfStep(quantized)];
    // The grid, rounding, and for gradients: dx, two to sum, one for the logarithm. WebGPU has no slices without a copy.
    expect(ours - float).toBeLessThanOrEqual(6 * roundings.length + (onWebGPU ? 60 : 35));
    expect(ours).toBeLessThanOrEqual(660);
    expect(ours - float).toBeGreaterThan(0);
    tf.dispose([x, y]);
    [model, quantized, ...optimizers].forEach(each => each.dispose());
  });

  it('are not compiled anew for other ranges and widths', () => {
    const model = new Model();
    model.step(8);
    const x = tensorAt(RESIDENCIES[1]!, valuesFor(SHAPE), SHAPE);
    const quantize = (max: number, numBits: number) =>
      tf.tidy(() => {
        fakeQuant(x, -1, max, {numBits});
        fakeQuant(x, tf.scalar(-1), tf.scalar(max), {numBits});
        fakeQuantWithLearnedScale(x, max, {numBits});
      });
    quantize(1, 8);
    const before = compiled();
    expect(before).toBeGreaterThan(0);
    for (const numBits of [2, 4, 16]) {
      model.step(numBits);
      quantize(numBits / 3, numBits);
    }
    expect(compiled()).toBe(before);
    model.dispose();
    x.dispose();
  });
}

// The other backends run no programs on a device.
if ((onWebGL && !onSecondWebGL) || onWebGPU) describe('device programs', defineProgramSpecs);
