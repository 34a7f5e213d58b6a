/** What each row of a whole model runs: a step of training, or a call, and what that is measured by. */
import * as tf from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {
  analyzeQuantization,
  calibrate,
  type CalibrateOptions,
  chooseBits,
  quantizeModel,
  type QuantizeOptions,
} from '../src/entries/qat';
import {sharesOf} from '../src/qat/distillation/learning_rate';
import {outputsOf, Student} from '../src/qat/distillation/student';
import {Training} from '../src/qat/distillation/training';
import {lossFor} from '../src/qat/outputs/losses';
import type {CallName, Case, ModelRowName, NetworkCallName} from './catalogue';
import type {Contestant, Contestants} from './contestants';
import {resident, values} from './data';
import {MODELS} from './models';
import {contestantsOfNetwork} from './network_rows';

/** Models and a batch for them. */
interface Setting {
  readonly float: LayersModel;
  readonly q: LayersModel;
  /** How q is quantized. */
  readonly options: QuantizeOptions | undefined;
  readonly x: tf.Tensor;
  /** What is to be learnt of x. */
  readonly y: tf.Tensor;
}

type Contest = Omit<Contestants, 'dispose'> & Partial<Pick<Contestants, 'dispose'>>;

type Call = (setting: Setting) => Promise<unknown>;

/** Adam's. */
const RATE = 1e-3;

const CALLS: Readonly<Record<CallName, Call>> = {
  calibrate: setting => calibrateAnew(setting, {}),
  'calibrate-statistics': setting => calibrateAnew(setting, {reestimateBatchNorm: true}),
  analyze: ({q, float, x}) => analyzeQuantization(q, float, x),
  'choose-bits': ({float, x}) => chooseBits(float, x, {bitsPerWeight: 4}),
};

/** The first calibration of a model finds ranges for its weights too. */
async function calibrateAnew({float, options, x}: Setting, how: CalibrateOptions): Promise<void> {
  const q = quantizeModel(float, options);
  await calibrate(q, x, how);
  q.dispose();
}

function isCall(row: ModelRowName): row is CallName {
  return row in CALLS;
}

function isOfNetwork(row: ModelRowName): row is NetworkCallName {
  return !(row in MODELS);
}

export async function contestantsOfModel(row: ModelRowName, each: Case): Promise<Contestants> {
  if (isOfNetwork(row)) return contestantsOfNetwork(row, each);
  const {shape} = each;
  const {make, options, targets, loss} = MODELS[row];
  const float = make(shape.slice(1));
  const x = resident(values(tf.util.sizeFromShape([...shape]), 1), shape);
  const setting = {float, q: quantizeModel(float, options), options, x, y: targets(shape)};
  // As distil does before it trains, and its user before the report.
  if (isCall(row) || row === 'step-distil') await calibrate(setting.q, x);
  const contest = isCall(row)
    ? callOf(CALLS[row], setting)
    : row === 'step-distil'
      ? distilOf(setting, loss)
      : stepOf(setting, loss);
  return {
    ...contest,
    dispose() {
      contest.dispose?.();
      setting.q.dispose();
      float.dispose();
      tf.dispose([x, setting.y]);
    },
  };
}

/** A step that trains, and gives the loss. */
type Step = () => Promise<number>;

function withLabels(model: LayersModel, {x, y}: Setting, loss: string): Step {
  model.compile({optimizer: tf.train.adam(RATE), loss});
  return async () => (await model.trainOnBatch(x, y)) as number;
}

/** A quantized model and the float one that it was made from, trained on the same batch. */
function stepOf(setting: Setting, loss: string): Contest {
  return raceOf(withLabels(setting.q, setting, loss), withLabels(setting.float, setting, loss));
}

/** A quantized model, trained on what the float one says, and on labels. */
function distilOf(setting: Setting, loss: string): Contest {
  const {q, float, x} = setting;
  const student = new Student(q, [lossFor('softmax', 1)], sharesOf(q, 'absolute'), false);
  const said = outputsOf(float, [x]);
  let told = NaN;
  const training = new Training(student, {
    steps: 1,
    learningRate: RATE,
    onStep: (_, given) => (told = given),
    onUndone: () => undefined,
    signal: undefined,
  });
  const step = async () => {
    await training.run(() => Promise.resolve({inputs: [tf.clone(x)], targets: said.map(each => tf.clone(each))}));
    return told;
  };
  return {
    ...raceOf(step, withLabels(q, setting, loss)),
    dispose() {
      training.dispose();
      student.dispose();
      tf.dispose(said);
    },
  };
}

function raceOf(ours: Step, yardstick: Step): Contest {
  return {
    ours: ended(ours),
    yardstick: ended(yardstick),
    check: async () => {
      for (const step of [ours, yardstick]) await checkTrains(step);
    },
  };
}

/** The same, of which only that it ends is wanted. */
function ended(run: () => Promise<unknown>): Contestant {
  return async () => {
    await run();
  };
}

/** Throws unless the loss falls. */
async function checkTrains(step: Step): Promise<void> {
  const losses: number[] = [];
  for (let i = 0; i < 4; ++i) losses.push(await step());
  if (!(losses.at(-1)! < losses[0]!)) throw new Error(`the model does not train: its losses are ${losses.join(', ')}`);
}

/** A call, and what the float model takes to predict the same samples. */
function callOf(call: Call, setting: Setting): Contest {
  const {float, x} = setting;
  const ours = ended(() => call(setting));
  return {ours, yardstick: () => tf.dispose(float.predict(x)), check: async () => ours()};
}
