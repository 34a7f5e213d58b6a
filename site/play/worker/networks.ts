/** Networks that read digits, each made when it is first asked for. */
import * as tf from 'tfjs-quantization/tf';
import {accuracyOf, type Split} from '../../../lab/examples';
import {SAMPLES} from '../training/compare';
import {digitNet, quantized, rounded, setNumbers} from '../training/network';
import type {NetworkName, Reading, Trained} from './contract';

interface Network {
  readonly model: tf.LayersModel;
  readonly accuracy: number;
}

export class Networks {
  readonly #made = new Map<string, Promise<Network>>();
  readonly #trained: Trained;
  readonly #digits: Split;
  readonly #float = digitNet(0);

  constructor(trained: Trained, digits: Split) {
    this.#trained = trained;
    this.#digits = digits;
    setNumbers(this.#float, this.#numbersOf({method: 'float', bits: undefined}));
  }

  async read(pixels: Float32Array, name: NetworkName): Promise<Reading> {
    const {model, accuracy} = await this.#network(name);
    const shares = tf.tidy(() => tf.softmax(model.predict(tf.tensor(pixels, [1, 8, 8, 1])) as tf.Tensor));
    const values = await shares.data();
    shares.dispose();
    return {shares: [...values], accuracy};
  }

  /** Waits for what goes on. */
  async dispose(): Promise<void> {
    for (const made of await Promise.allSettled(this.#made.values())) {
      if (made.status === 'fulfilled' && made.value.model !== this.#float) made.value.model.dispose();
    }
    this.#float.dispose();
  }

  #network(name: NetworkName): Promise<Network> {
    const key = `${name.method} ${name.bits}`;
    const network = this.#made.get(key) ?? this.#make(name);
    this.#made.set(key, network);
    return network;
  }

  async #make(name: NetworkName): Promise<Network> {
    const model = await this.#modelOf(name);
    return {model, accuracy: await accuracyOf(model, this.#digits.test)};
  }

  async #modelOf(name: NetworkName): Promise<tf.LayersModel> {
    const {method, bits} = name;
    if (bits === undefined) return this.#float;
    if (method === 'QAT') {
      const model = rounded(this.#float, bits);
      setNumbers(model, this.#numbersOf(name));
      return model;
    }
    const samples = this.#digits.train.images.slice(0, SAMPLES);
    const model = await quantized(this.#float, bits, samples, 'minMax');
    samples.dispose();
    return model;
  }

  #numbersOf({method, bits}: NetworkName): Float32Array {
    const found = this.#trained.find(each => each.method === method && each.bits === bits);
    if (!found) throw new Error(`No network was trained as ${method} of ${bits} bits.`);
    return found.numbers;
  }
}
