/** Which tensors of a file hold each value of a graph: as floats, in one form or both, made when somebody takes them. */
import {type InferenceGraph, inputOf, mixedInputs, typeOf, type Value} from '../../inference/graph';
import {EVERYTHING, type Interval, type ValueGrid} from '../../inference/grids';
import type {ValueType} from '../../inference/operators';
import {between, type Form, type Held, inForm, isFormless} from './forms';
import type {NodeList} from './node_list';
import {boundsOn, storageOf, stored} from './storage';

/**
 * What was done to numbers on grids: new ones were computed, and are not rounded if they are passing; they were moved, or
 * only brought to another grid.
 */
export type Change = 'computed' | 'passing' | 'moved' | 'rounded';

export class Values {
  readonly #list: NodeList;
  readonly #isOpen: boolean;
  readonly #mixed: ReadonlySet<Value>;
  readonly #held = new Map<Value, Map<Form, string>>();
  /** Those on grids that are floats here. */
  readonly #unrounded = new Set<Value>();
  /** Inputs as they come in. */
  readonly #given = new Map<Value, Held>();

  /** `isOpen`: whether the batch may be of any size. */
  constructor(list: NodeList, graph: InferenceGraph, isOpen: boolean) {
    this.#list = list;
    this.#mixed = mixedInputs(graph);
    this.#isOpen = isOpen;
  }

  /** What a value's tensors are of. Numbers of rows are whole, unless others compute with them. */
  typeOf(value: Value): ValueType {
    if (value.grid) return 'float32';
    return typeOf(value) ?? (this.#mixed.has(inputOf(value)!) ? 'float32' : 'int32');
  }

  /** A shape that a tensor is to have. */
  dims(shape: readonly number[], form: Form = 'last'): string {
    const dims = inForm(shape, form);
    return this.#list.ints(this.#isOpen && dims.length > 0 ? [-1, ...dims.slice(1)] : dims);
  }

  input(value: Value, held: Held): void {
    this.#given.set(value, held);
  }

  /** The form in which most of the values are there. */
  commonForm(values: readonly Value[]): Form {
    const strict = values.filter(({shape}) => !isFormless(shape));
    const asked = strict.length > 0 ? strict : values.filter(({shape}) => shape.length > 2);
    const first = asked.filter(value => this.#isIn('first', value)).length;
    const last = asked.filter(value => this.#isIn('last', value)).length;
    return first >= last && first > 0 ? 'first' : 'last';
  }

  /** The tensor of a value in a form. */
  take(value: Value, form: Form): string {
    const forms = this.#forms(value);
    const known = forms.get(this.#formOf(value, form));
    if (known !== undefined) return known;
    const given = this.#given.get(value);
    if (given && forms.size === 0) {
      this.give(value, {name: this.#brought(value, given, form), form});
    } else {
      // Between roundings, as runtimes want whatever is to be computed on integers.
      const name = this.#brought(value, this.#any(value), form);
      const grid = this.#gridOfTensor(value);
      forms.set(form, grid ? this.#rounded(name, grid) : name);
    }
    return this.take(value, form);
  }

  /** The same for whoever runs the file. */
  goingOut(value: Value, form: Form): string {
    const given = this.#given.get(value);
    if (this.#forms(value).size === 0 && given && !value.grid) return this.#brought(value, given, form);
    if (this.#forms(value).size === 0) this.take(value, form);
    return this.#brought(value, this.#any(value), form);
  }

  /** A value is computed: held inside an interval and, if it has one, on its grid. */
  give(value: Value, {name, form}: Held, clamp: Interval = EVERYTHING, change: Change = 'computed'): void {
    if (change === 'passing') this.#unrounded.add(value);
    const grid = this.#gridOfTensor(value);
    const bounds = change === 'moved' ? EVERYTHING : grid ? boundsOn(grid, clamp) : clamp;
    const held = this.#clamped(name, bounds);
    if (!grid) {
      this.hold(value, {name: held, form});
      return;
    }
    // onnxruntime drops the first of two roundings, unless something is between them.
    const isNext = change === 'rounded' && held === name;
    const apart = isNext ? this.#list.add('Max', [name, this.#list.float(grid.scale * grid.lowest)]) : held;
    this.hold(value, {name: this.#rounded(apart, grid), form});
  }

  /** A value is there already. */
  hold(value: Value, {name, form}: Held): void {
    this.#forms(value).set(this.#formOf(value, form), name);
  }

  /** All tensors of a value. */
  all(value: Value): Held[] {
    if (this.#forms(value).size === 0) this.take(value, this.#given.get(value)?.form ?? 'last');
    return [...this.#forms(value)].map(([form, name]) => ({form, name}));
  }

  /** The floats of numbers on a grid. */
  dequantized(levels: string, grid: ValueGrid): string {
    return this.#list.add('DequantizeLinear', [levels, ...this.#gridOf(grid)]);
  }

  #isIn(form: Form, value: Value): boolean {
    const forms = this.#forms(value);
    return forms.has(form) || (forms.size === 0 && this.#given.get(value)?.form === form);
  }

  #gridOfTensor(value: Value): ValueGrid | undefined {
    return this.#unrounded.has(value) ? undefined : value.grid;
  }

  #formOf({shape}: Value, form: Form): Form {
    return shape.length < 3 ? 'last' : form;
  }

  #forms(value: Value): Map<Form, string> {
    const known = this.#held.get(value) ?? new Map<Form, string>();
    this.#held.set(value, known);
    return known;
  }

  #any(value: Value): Held {
    return this.all(value)[0]!;
  }

  #brought({shape}: Value, {name, form}: Held, to: Form): string {
    if (form === to || shape.length < 3) return name;
    if (isFormless(shape)) return this.#list.add('Reshape', [name, this.dims(shape, to)]);
    return this.#list.add('Transpose', [name], {perm: between(form, to, shape.length)});
  }

  #clamped(x: string, [low, high]: Interval): string {
    if (low === -Infinity && high === Infinity) return x;
    if (low === 0 && high === Infinity) return this.#list.add('Relu', [x]);
    const bounds = [low, high].map(bound => (Number.isFinite(bound) ? this.#list.float(bound) : ''));
    return this.#list.add('Clip', [x, ...(high === Infinity ? bounds.slice(0, 1) : bounds)]);
  }

  #rounded(x: string, grid: ValueGrid): string {
    return this.dequantized(this.#list.add('QuantizeLinear', [x, ...this.#gridOf(grid)]), grid);
  }

  #gridOf(grid: ValueGrid): [scale: string, zeroPoint: string] {
    const storage = storageOf(grid);
    const zeroPoint = this.#list.constant(storage.type, stored([storage.zeroPoint], storage), []);
    return [this.#list.float(grid.scale), zeroPoint];
  }
}
