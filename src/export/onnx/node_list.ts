/** The nodes of a file and what they are given, in the order in which they come, each tensor with a name of its own. */
import type {ValueType} from '../../inference/operators';
import type {Attributes, ElementType, Initializer, OnnxNode} from './model_proto';

/** Constants up to so many bytes are there once, however often they are taken. */
const SMALL = 64;

type Values = Float32Array | Int8Array | Uint8Array | Int16Array | Int32Array | BigInt64Array;

const bytesOf = ({buffer, byteOffset, byteLength}: Values) => new Uint8Array(buffer, byteOffset, byteLength);

export class NodeList {
  readonly opset: number;
  readonly initializers: Initializer[] = [];
  /** The layer that nodes and tensors are named after. */
  layer = '';
  readonly #nodes: OnnxNode[] = [];
  /** How often each name was asked for. */
  readonly #names: Map<string, number>;
  readonly #small = new Map<string, string>();
  /** Tensors that go out under other names. */
  readonly #ports = new Map<string, string>();

  constructor(opset: number, ports: readonly string[]) {
    this.opset = opset;
    this.#names = new Map(ports.map(name => [name, 1]));
  }

  /** A node of one output, which it gives. */
  add(op: string, inputs: readonly string[], attributes: Attributes = {}): string {
    return this.several(op, inputs, 1, attributes)[0]!;
  }

  several(op: string, inputs: readonly string[], count: number, attributes: Attributes = {}): string[] {
    const outputs = Array.from({length: count}, () => this.#unique(op));
    this.#nodes.push({op, name: outputs[0]!, inputs, outputs, attributes});
    return outputs;
  }

  /** A tensor whose bytes are made when the file is. */
  tensor(what: string, tensor: Omit<Initializer, 'name'>): string {
    const name = this.#unique(what);
    this.initializers.push({name, ...tensor});
    return name;
  }

  constant(type: ElementType, values: Values, shape: readonly number[] = [values.length]): string {
    const {byteLength: size} = values;
    const made = () => this.tensor('constant', {type, shape, size, bytes: () => bytesOf(values)});
    if (size > SMALL) return made();
    const key = `${type} ${shape.join()} ${bytesOf(values).join()}`;
    const known = this.#small.get(key) ?? made();
    this.#small.set(key, known);
    return known;
  }

  floats(values: Iterable<number>, shape?: readonly number[]): string {
    return this.constant('float32', Float32Array.from(values), shape);
  }

  float(value: number): string {
    return this.floats([value], []);
  }

  ints(values: readonly number[], shape?: readonly number[]): string {
    return this.constant('int64', BigInt64Array.from(values, BigInt), shape);
  }

  cast(x: string, from: ElementType, to: ValueType | 'int64'): string {
    return from === to ? x : this.add('Cast', [x], {to: {float32: 1, int32: 6, int64: 7, bool: 9}[to]});
  }

  /** Over some dimensions, which older operators have in an attribute. */
  reduced(op: string, x: string, axes: readonly number[], keepdims: number): string {
    const isInput = this.opset >= 18 || op === 'ReduceSum';
    return isInput ? this.add(op, [x, this.ints(axes)], {keepdims}) : this.add(op, [x], {axes, keepdims});
  }

  /** Has a tensor go out under a name. */
  output(tensor: string, name: string): void {
    const isComputed = this.#nodes.some(({outputs}) => outputs.includes(tensor));
    if (isComputed && !this.#ports.has(tensor)) this.#ports.set(tensor, name);
    else this.#ports.set(this.add('Identity', [tensor]), name);
  }

  nodes(): OnnxNode[] {
    const renamed = (names: readonly string[]) => names.map(name => this.#ports.get(name) ?? name);
    return this.#nodes.map(node => ({...node, inputs: renamed(node.inputs), outputs: renamed(node.outputs)}));
  }

  #unique(what: string): string {
    const base = `${this.layer}/${what}`;
    for (;;) {
      const count = this.#names.get(base) ?? 0;
      this.#names.set(base, count + 1);
      if (count === 0) return base;
      const name = `${base}_${count}`;
      if (this.#names.has(name)) continue;
      this.#names.set(name, 1);
      return name;
    }
  }
}
