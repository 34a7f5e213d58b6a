/** Arithmetic with constants: what multiplies and adds the same everywhere, or for each channel. */
import type {Constant} from '../../../graph_model/node_run';
import type {Edge, GraphNode, Known, Shape} from '../graph_reader';
import {type Chain, layoutOf} from './parts';

/** A value and a constant that are combined. */
export interface WithConstant {
  readonly value: Edge;
  readonly constant: Constant;
  readonly isFirst: boolean;
}

/** The value of a node of two inputs of which one is a constant. */
export function withConstant({inputs}: GraphNode, known: Known): WithConstant | undefined {
  const [a, b] = inputs;
  if (!a || !b) return undefined;
  const second = known.constant(b);
  if (second) return known.constant(a) ? undefined : {value: a, constant: second, isFirst: false};
  const first = known.constant(a);
  return first && {value: b, constant: first, isFirst: true};
}

/** Numbers for all channels, or one for each along an axis. */
interface Spread {
  readonly axis?: number;
  readonly values: ArrayLike<number>;
}

/** How a constant spreads over a value; undefined if it is not one number, or one per channel, the last dimension or the first. */
export function spreadOf({shape, values}: Constant, over: Shape): Spread | undefined {
  if (shape.length > over.length) return undefined;
  if (values.length === 1) return {values};
  const wide = shape.flatMap((dim, i) => (dim === 1 ? [] : [i + over.length - shape.length]));
  const [axis] = wide;
  const isChannel = wide.length === 1 && (axis === over.length - 1 || axis === 1) && axis > 0;
  return isChannel && over[axis] === values.length ? {axis, values} : undefined;
}

/** Its axis of channels is said by the op alone. */
function biasSpread(node: GraphNode, {values}: Constant, over: Shape): Spread | undefined {
  const axis = layoutOf(node, over.length)?.channelAxis;
  return axis !== undefined && over[axis] === values.length ? {axis, values} : undefined;
}

/** x * scale + offset, in numbers finer than the graph's so that folding several steps rounds once. */
export class Affine {
  readonly #over: Shape;
  #axis: number | undefined;
  #scale: number[] = [1];
  #offset: number[] = [0];
  #adds = false;

  /**
   * @param over - the shape of the value.
   * @param axis - the only one that constants may differ along; undefined for the first that they do.
   */
  constructor(over: Shape, axis?: number) {
    this.#over = over;
    this.#axis = axis;
  }

  /** The axis that constants differ along. */
  get axis(): number | undefined {
    return this.#axis;
  }

  /** One number, or one per channel. */
  get scale(): readonly number[] {
    return this.#scale;
  }

  get offset(): readonly number[] {
    return this.#offset;
  }

  get adds(): boolean {
    return this.#adds;
  }

  /** Takes up a node; false if it does something else. */
  then(node: GraphNode, known: Known): boolean {
    if (node.op === 'Neg') return this.#multiply({values: [-1]}, false);
    const found = withConstant(node, known);
    if (!found || found.constant.dtype !== 'float32') return false;
    const {constant, isFirst} = found;
    const spread = node.op === 'BiasAdd' ? biasSpread(node, constant, this.#over) : spreadOf(constant, this.#over);
    if (!spread) return false;
    switch (node.op) {
      case 'Add':
      case 'AddV2':
      case 'AddN':
      case 'BiasAdd':
        return this.add(spread);
      case 'Sub':
        if (!isFirst) return this.add(spread, -1);
        return this.#multiply({values: [-1]}, false) && this.add(spread);
      case 'Mul':
        return this.#multiply(spread, false);
      case 'Div':
      case 'RealDiv':
        return !isFirst && this.#multiply(spread, true);
      default:
        return false;
    }
  }

  /** Takes up all that the chain goes on with. */
  followed(chain: Chain, known: Known): void {
    for (let path = chain.next(); path && this.then(path.at(-1)!, known); path = chain.next()) chain.take(path);
  }

  add(spread: Spread, sign = 1): boolean {
    if (!this.#spreads(spread)) return false;
    const {values} = spread;
    this.#offset = this.#offset.map((each, i) => each + sign * values[values.length === 1 ? 0 : i]!);
    this.#adds = true;
    return true;
  }

  #multiply(spread: Spread, divides: boolean): boolean {
    const factors = Array.from(spread.values, each => (divides ? 1 / each : each));
    if (!factors.every(Number.isFinite) || !this.#spreads(spread)) return false;
    const factor = (i: number) => factors[factors.length === 1 ? 0 : i]!;
    this.#scale = this.#scale.map((each, i) => each * factor(i));
    this.#offset = this.#offset.map((each, i) => each * factor(i));
    return true;
  }

  /** Makes room for a number per channel. */
  #spreads({axis, values}: Spread): boolean {
    if (axis === undefined) return true;
    if (this.#axis === undefined) this.#axis = axis;
    if (axis !== this.#axis) return false;
    const repeated = (list: readonly number[]) =>
      list.length === values.length ? [...list] : new Array<number>(values.length).fill(list[0]!);
    this.#scale = repeated(this.#scale);
    this.#offset = repeated(this.#offset);
    return true;
  }
}

/** Numbers as a constant of floats: one per channel. */
export function perChannel(list: readonly number[], channels: number): Constant {
  const values = Float32Array.from({length: channels}, (_, i) => list[list.length === 1 ? 0 : i]!);
  return {dtype: 'float32', shape: [channels], values};
}
