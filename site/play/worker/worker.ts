/** A worker of the page: reads digits on the cpu backend, which is the fastest for one image, or trains. */
import {expose} from 'comlink';
import * as tf from 'tfjs-quantization/tf';
import '@tensorflow/tfjs-backend-webgpu';
import {openBackend} from '../../../lab/backend';
import {loadDigits} from '../../../lab/digits';
import {hastenCpu} from '../../../lab/fast_cpu';
import {compare, timeStep} from '../training/compare';
import type {DigitsWorker} from './contract';
import {Networks} from './networks';

const BACKENDS = ['webgpu', 'webgl', 'cpu'];

/** Makes the asked-for backend tfjs's own, or for `auto` the one that trains fastest here. */
async function chooseBackend(asked: string): Promise<string> {
  const names = asked === 'auto' ? BACKENDS : [asked];
  const times = new Map<string, number>();
  for (const name of names) {
    // WebGPU on a renderer that is no GPU takes more than twice as long as WebGL there.
    if (await openBackend(name)) times.set(name, names.length > 1 ? await timeStep() : 0);
  }
  const [fastest] = [...times].sort(([, one], [, other]) => one - other);
  if (!fastest) throw new Error(`This browser offers no ${asked} backend. Choose another, or auto.`);
  await tf.setBackend(fastest[0]);
  return fastest[0];
}

/** The images, once they are asked for; on the backend that is then tfjs's own. */
let loaded: ReturnType<typeof loadDigits> | undefined;
const digits = async () => {
  await tf.setBackend('cpu');
  return (loaded ??= loadDigits());
};

let networks: Promise<Networks> | undefined;

const worker: DigitsWorker = {
  open(trained) {
    const before = networks;
    networks = digits().then(split => new Networks(trained, split));
    void before?.then(each => each.dispose());
  },

  async read(pixels, name) {
    const asked = networks;
    const reading = await asked?.then(each => each.read(pixels, name));
    return asked === networks ? reading : undefined;
  },

  async testImages() {
    const {test} = await digits();
    const pixels = await test.images.data<'float32'>();
    const classes = test.labels.argMax(1);
    const labels = [...(await classes.data())];
    classes.dispose();
    const size = pixels.length / labels.length;
    return {labels, images: labels.map((_, i) => pixels.slice(i * size, (i + 1) * size))};
  },

  async train(plan, asked, onBackend, onScore) {
    await onBackend(await chooseBackend(asked));
    const before = tf.memory().numTensors;
    for await (const score of compare(plan)) await onScore(score);
    const leaked = tf.memory().numTensors - before;
    if (leaked > 0) throw new Error(`${leaked} tensors were not disposed.`);
  },
};

hastenCpu();
expose(worker);
