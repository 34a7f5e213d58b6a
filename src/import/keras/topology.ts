/** The topologies that Keras 2 and 3 write, read into one form: layers, their calls, and which tensors those take. */
import {isRecord} from '../../check/rules';
import {inJson} from '../../graph_model/model_json';
import {Problems} from './problems';

export type Config = Readonly<Record<string, unknown>>;
export type Shape = readonly (number | null)[];

/** An output of a call of a layer. */
export class KerasTensor {
  readonly layer: string;
  readonly call: number;
  readonly index: number;
  /** As Keras 3 notes it. */
  readonly shape: Shape | undefined;

  constructor(layer: string, call: number, index: number, shape?: Shape) {
    this.layer = layer;
    this.call = call;
    this.index = index;
    this.shape = shape;
  }
}

/** What a layer is called with: tensors, lists of such, and constants. */
export type Argument = unknown;

/** One call of a layer. */
export interface Call {
  readonly args: readonly Argument[];
  readonly kwargs: Readonly<Record<string, Argument>>;
}

export interface KerasLayer {
  readonly className: string;
  readonly name: string;
  readonly config: Config;
  readonly calls: readonly Call[];
  /** What it is, if it is a model. */
  readonly model: KerasModel | undefined;
}

export interface KerasModel {
  /** All but the layers. */
  readonly config: Config;
  readonly name: string;
  readonly className: string;
  readonly isSequential: boolean;
  /** Each after those whose outputs it takes. */
  readonly layers: readonly KerasLayer[];
  readonly inputs: readonly KerasTensor[];
  readonly outputs: readonly KerasTensor[];
  /** The models that it is in, and its own name. */
  readonly path: readonly string[];
  /** Whether Keras wrote no layer for its input. */
  readonly addsInput: boolean;
}

/** What is within: deeper ones would fill the stack of tfjs, which goes into them call by call. */
const DEEPEST = 64;
/** Names by which tfjs would find something else in its tables. */
const TAKEN = new Set(Object.getOwnPropertyNames(Object.prototype));

/** The tensors among arguments, in Keras's order. */
export function tensorsIn(argument: Argument): KerasTensor[] {
  if (argument instanceof KerasTensor) return [argument];
  if (Array.isArray(argument)) return argument.flatMap(tensorsIn);
  // As Keras flattens dictionaries.
  if (isRecord(argument))
    return Object.keys(argument)
      .sort()
      .flatMap(key => tensorsIn(argument[key]));
  return [];
}

/** All tensors that a call takes, with those that are given by name. */
export function tensorsOf({args, kwargs}: Call): KerasTensor[] {
  return [...args, ...Object.values(kwargs)].flatMap(tensorsIn);
}

/** Whether a class and its config are those of a model. */
function isModel(className: string, config: Config): boolean {
  return className === 'Sequential' || (Array.isArray(config['layers']) && 'output_layers' in config);
}

const isIndex = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 0;

/** Whether it is how Keras 2 names a tensor: ['layer', node, tensor]. */
function isHistory(value: unknown): value is [string, number, number] {
  return (
    Array.isArray(value) && value.length >= 3 && typeof value[0] === 'string' && isIndex(value[1]) && isIndex(value[2])
  );
}

function shapeIn(value: unknown): Shape | undefined {
  return Array.isArray(value) && value.every(dim => dim === null || isIndex(dim)) ? (value as Shape) : undefined;
}

/** An argument of Keras 3. */
function argument3(value: unknown): Argument {
  if (Array.isArray(value)) return value.map(argument3);
  if (!isRecord(value)) return value;
  const {class_name: className, config} = value;
  if (className === '__keras_tensor__' && isRecord(config) && isHistory(config['keras_history'])) {
    const [layer, node, index] = config['keras_history'];
    return new KerasTensor(layer, node, index, shapeIn(config['shape']));
  }
  // Tuples, and arrays of numbers.
  if (className === '__tuple__') return argument3(value['items']);
  if (className === '__numpy__' && isRecord(config)) return argument3(config['value']);
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, argument3(each)]));
}

/** An argument that Keras 2 gives by name: a constant, or a tensor, or lists of them. */
function argument2(value: unknown): Argument {
  if (isHistory(value)) return new KerasTensor(value[0], value[1], value[2]);
  if (Array.isArray(value) && value[0] === '_CONSTANT_VALUE') return value[2];
  return Array.isArray(value) ? value.map(argument2) : value;
}

/** A call of Keras 2: [['layer', node, tensor, kwargs], …], or the one of these. */
function call2(node: readonly unknown[]): Call | undefined {
  const given = typeof node[0] === 'string' ? [node] : node;
  const values: Argument[] = [];
  let kwargs: Record<string, Argument> = {};
  for (const each of given) {
    if (!Array.isArray(each) || (each[0] !== '_CONSTANT_VALUE' && !isHistory(each))) return undefined;
    values.push(argument2(each));
    const named: unknown = each[3];
    if (isRecord(named)) {
      kwargs = {...kwargs, ...Object.fromEntries(Object.entries(named).map(([key, value]) => [key, argument2(value)]))};
    }
  }
  return {args: values.length > 1 ? [values] : values, kwargs};
}

function callOf(node: unknown): Call | undefined {
  if (Array.isArray(node)) return call2(node);
  if (!isRecord(node) || !Array.isArray(node['args']) || !isRecord(node['kwargs'] ?? {})) return undefined;
  const kwargs = Object.entries((node['kwargs'] ?? {}) as Config).map(
    ([key, value]) => [key, argument3(value)] as const,
  );
  return {args: (node['args'] as unknown[]).map(argument3), kwargs: Object.fromEntries(kwargs)};
}

/** The tensors that a model takes or gives: one, a list, or a dictionary of them. */
function endsOf(value: unknown): KerasTensor[] | undefined {
  if (isHistory(value)) return [new KerasTensor(value[0], value[1], value[2])];
  const listed = isRecord(value)
    ? Object.keys(value)
        .sort()
        .map(key => value[key])
    : value;
  if (!Array.isArray(listed)) return undefined;
  const ends = listed.map(endsOf);
  return ends.every(each => each !== undefined) ? ends.flat() : undefined;
}

/** Reads a topology, and collects what is wrong with it. */
export class TopologyReader {
  readonly #problems: Problems;
  /** Keras 2 counts the call by which a model came to be, too. */
  readonly #isKeras3: boolean;

  constructor(problems: Problems, isKeras3: boolean) {
    this.#problems = problems;
    this.#isKeras3 = isKeras3;
  }

  model(className: string, config: Config, path: readonly string[]): KerasModel | undefined {
    const name = typeof config['name'] === 'string' ? config['name'] : className;
    const here = [...path, name];
    const where = path.length > 0 ? ` of the model '${here.join("' in '")}'` : '';
    if (here.length > DEEPEST) return this.#problems.add(`models are within models more than ${DEEPEST} deep.`);
    const {layers: listed, ...others} = config;
    if (!Array.isArray(listed)) {
      return this.#problems.add(
        `the ${className} '${name}' has no list of layers: it is a class of its author's, whose topology no file holds. Convert ` +
          'it to a graph model (tensorflowjs_converter --output_format=tfjs_graph_model), and import that.',
      );
    }
    const isSequential = className === 'Sequential' || !('output_layers' in config);
    const read = listed.map((each, i) => this.#layer(each, i, where, here, isSequential));
    if (read.some(layer => layer === undefined)) return undefined;
    const layers = read as KerasLayer[];
    if (!this.#areNamesSound(layers, where)) return undefined;
    const rest = {config: others, name, className, path: here};
    return isSequential ? this.#sequential(layers, rest) : this.#functional(layers, rest, where);
  }

  #layer(
    value: unknown,
    i: number,
    where: string,
    path: readonly string[],
    isInSequential: boolean,
  ): KerasLayer | undefined {
    if (!isRecord(value) || typeof value['class_name'] !== 'string' || !isRecord(value['config'])) {
      return this.#problems.add(`layer ${i}${where} must have a class_name and a config, but was ${inJson(value)}.`);
    }
    const {config, registered_name: registered} = value as {config: Config; registered_name?: unknown};
    const className = value['class_name'];
    const name = value['name'] ?? config['name'];
    if (typeof name !== 'string' || name === '') {
      return this.#problems.add(`layer ${i} (${className})${where} has no name.`);
    }
    const nodes: unknown = isInSequential ? [] : (value['inbound_nodes'] ?? []);
    const calls = Array.isArray(nodes) ? nodes.map(callOf) : [undefined];
    const bad = calls.indexOf(undefined);
    if (bad >= 0) {
      const was = inJson(Array.isArray(nodes) ? nodes[bad] : nodes);
      return this.#problems.add(
        `layer '${name}' (${className})${where}: inbound_nodes must be a list of calls, each with the layers that it takes, but had ${was}.`,
      );
    }
    const model = isModel(className, config) ? this.model(className, {name, ...config}, path) : undefined;
    if (isModel(className, config) && !model) return undefined;
    const known = typeof registered === 'string' && registered.includes('>') ? registered : className;
    return {className: known, name, config, calls: calls as Call[], model};
  }

  /** Names that are there twice, or that tfjs's tables have already. */
  #areNamesSound(layers: readonly KerasLayer[], where: string): boolean {
    const names = new Set<string>();
    const before = this.#problems.count;
    for (const {name, className} of layers) {
      if (names.has(name)) this.#problems.add(`two layers${where} are called '${name}'. Rename one of them.`);
      if (TAKEN.has(name)) {
        this.#problems.add(
          `layer '${name}' (${className})${where} has a name that JavaScript's objects have. Rename it.`,
        );
      }
      names.add(name);
    }
    return this.#problems.count === before;
  }

  #sequential(
    listed: readonly KerasLayer[],
    rest: Pick<KerasModel, 'config' | 'name' | 'className' | 'path'>,
  ): KerasModel | undefined {
    const [first] = listed;
    if (!first) return this.#problems.add(`the model '${rest.name}' has no layers.`);
    const addsInput = first.className !== 'InputLayer';
    let all = listed;
    if (addsInput) {
      const shape =
        first.config['batch_input_shape'] ?? first.config['batch_shape'] ?? rest.config['build_input_shape'];
      const within = first.model?.layers.find(({className}) => className === 'InputLayer')?.config;
      const known = shape ?? within?.['batch_shape'] ?? within?.['batch_input_shape'];
      if (!known) {
        return this.#problems.add(
          `the model '${rest.name}' does not say of which shape its input is. Build it before it is saved: model.build((None, …)).`,
        );
      }
      const dtype: unknown = first.className === 'Embedding' ? 'int32' : (within?.['dtype'] ?? 'float32');
      const name = `${first.name}_input`;
      const config = {batch_shape: known, dtype, sparse: false, name};
      all = [{className: 'InputLayer', name, config, calls: [], model: undefined}, ...listed];
    }
    const layers = all.map((layer, i) =>
      i === 0 ? layer : {...layer, calls: [{args: [new KerasTensor(all[i - 1]!.name, 0, 0)], kwargs: {}}]},
    );
    const inputs = [new KerasTensor(layers[0]!.name, 0, 0)];
    const outputs = [new KerasTensor(layers.at(-1)!.name, 0, 0)];
    return {...rest, isSequential: true, layers, inputs, outputs, addsInput};
  }

  #functional(
    listed: readonly KerasLayer[],
    rest: Pick<KerasModel, 'config' | 'name' | 'className' | 'path'>,
    where: string,
  ): KerasModel | undefined {
    const inputs = endsOf(rest.config['input_layers']);
    const outputs = endsOf(rest.config['output_layers']);
    for (const [ends, field] of [
      [inputs, 'input_layers'],
      [outputs, 'output_layers'],
    ] as const) {
      if (!ends) this.#problems.add(`${field}${where} must name layers, but was ${inJson(rest.config[field])}.`);
    }
    if (!inputs || !outputs) return undefined;
    const counted = this.#countedFrom0(listed, [...inputs, ...outputs]);
    const layers = this.#ordered(counted.layers, counted.ends, where);
    const ends = counted.ends;
    return (
      layers && {
        ...rest,
        isSequential: false,
        layers,
        inputs: ends.slice(0, inputs.length),
        outputs: ends.slice(inputs.length),
        addsInput: false,
      }
    );
  }

  /** Counts the calls of models within from 0: see {@link #isKeras3}. Versions of Keras differ in that, so the file decides. */
  #countedFrom0(layers: readonly KerasLayer[], ends: readonly KerasTensor[]) {
    const models = new Map(layers.filter(({model}) => model).map(layer => [layer.name, layer.calls.length] as const));
    const used = new Map<string, {last: number; isFirst: boolean}>();
    for (const {layer, call} of [...layers.flatMap(({calls}) => calls.flatMap(tensorsOf)), ...ends]) {
      if (!models.has(layer)) continue;
      const {last, isFirst} = used.get(layer) ?? {last: 0, isFirst: false};
      used.set(layer, {last: Math.max(last, call), isFirst: isFirst || call === 0});
    }
    const firsts = new Map(
      [...used].map(([name, {last, isFirst}]) => {
        const countsFrom1 = last >= models.get(name)! || (!isFirst && !this.#isKeras3);
        return [name, countsFrom1 ? 1 : 0] as const;
      }),
    );
    const mended = (argument: Argument): Argument => {
      if (Array.isArray(argument)) return argument.map(mended);
      if (argument instanceof KerasTensor) {
        const {layer, call, index, shape} = argument;
        const first = firsts.get(layer) ?? 0;
        return first > 0 ? new KerasTensor(layer, call - first, index, shape) : argument;
      }
      if (!isRecord(argument)) return argument;
      return Object.fromEntries(Object.entries(argument).map(([key, value]) => [key, mended(value)]));
    };
    const counted = layers.map(layer => ({
      ...layer,
      calls: layer.calls.map(({args, kwargs}) => ({args: args.map(mended), kwargs: mended(kwargs) as Call['kwargs']})),
    }));
    return {layers: counted, ends: ends.map(mended) as KerasTensor[]};
  }

  /** The layers, each after those whose outputs it takes. One that is called several times may be among its own inputs. */
  #ordered(layers: readonly KerasLayer[], ends: readonly KerasTensor[], where: string): KerasLayer[] | undefined {
    const byName = new Map(layers.map(layer => [layer.name, layer]));
    const before = this.#problems.count;
    const calls = layers.flatMap(layer => layer.calls.map((call, i) => ({layer, call, key: `${layer.name}\n${i}`})));
    const exists = ({layer, call}: KerasTensor): boolean => {
      const known = byName.get(layer);
      return known !== undefined && call >= 0 && call < Math.max(known.calls.length, 1);
    };
    for (const {layer, call} of calls) {
      const missing = tensorsOf(call).find(tensor => !exists(tensor));
      if (!missing) continue;
      const told = byName.has(missing.layer) ? `call ${missing.call} of '${missing.layer}'` : `'${missing.layer}'`;
      this.#problems.add(`layer '${layer.name}' (${layer.className})${where} takes ${told}, which is not there.`);
    }
    for (const end of ends) {
      if (!exists(end)) this.#problems.add(`the model${where} names the layer '${end.layer}', which is not there.`);
    }
    if (this.#problems.count > before) return undefined;
    const waits = new Map<string, number>();
    const takers = new Map<string, string[]>();
    for (const {call, key} of calls) {
      const from = [
        ...new Set(
          tensorsOf(call)
            .filter(({layer}) => byName.get(layer)!.calls.length > 0)
            .map(t => `${t.layer}\n${t.call}`),
        ),
      ];
      waits.set(key, from.length);
      for (const each of from) {
        const known = takers.get(each);
        if (known) known.push(key);
        else takers.set(each, [key]);
      }
    }
    // Layers whose first call is ready come first, and keep their order otherwise.
    const done: string[] = calls.filter(({key}) => waits.get(key) === 0).map(({key}) => key);
    for (let i = 0; i < done.length; i++) {
      for (const taker of takers.get(done[i]!) ?? []) {
        waits.set(taker, waits.get(taker)! - 1);
        if (waits.get(taker) === 0) done.push(taker);
      }
    }
    if (done.length < calls.length) {
      const finished = new Set(done);
      const {layer} = calls.find(({key}) => !finished.has(key))!;
      return this.#problems.add(
        `layer '${layer.name}' (${layer.className})${where} is among its own inputs: the model has a cycle.`,
      );
    }
    return this.#isInOrder(layers) ? [...layers] : sortedBy(layers, done);
  }

  #isInOrder(layers: readonly KerasLayer[]): boolean {
    const seen = new Set<string>();
    return layers.every(({name, calls}) => {
      seen.add(name);
      return calls.flatMap(tensorsOf).every(({layer}) => seen.has(layer));
    });
  }
}

/** The layers in the order of their first calls; those that are never called, first. */
function sortedBy(layers: readonly KerasLayer[], calls: readonly string[]): KerasLayer[] {
  const places = new Map(calls.map((key, i) => [key, i]));
  const placeOf = ({name}: KerasLayer) => places.get(`${name}\n0`) ?? -1;
  return [...layers].sort((a, b) => placeOf(a) - placeOf(b));
}
