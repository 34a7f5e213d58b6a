/** A model of Keras as one of tfjs: what its layers become, and how that is written. */
import {makeLayer} from '../../layers/tfjs_internals';
import {isRecord} from '../../check/rules';
import {Ask, type Surroundings} from './ask';
import {dtypeOf} from './fields';
import {applyOperator, operatorOf} from './operators';
import type {Part} from './parts';
import {ALL, applyRule} from './rules';
import {type Call, type Config, type KerasLayer, type KerasModel, KerasTensor, type Shape, tensorsOf} from './topology';

/** A layer, and what it becomes. */
export interface MendedLayer {
  readonly layer: KerasLayer;
  readonly parts: readonly MendedPart[];
}

export interface MendedPart extends Part {
  readonly within?: MendedModel;
}

export interface MendedModel {
  readonly model: KerasModel;
  readonly layers: readonly MendedLayer[];
}

/** What all models of a file have in common. */
export interface FileFacts {
  readonly isKeras3: boolean;
  readonly hasMasks: boolean;
  readonly read: Surroundings['read'];
  readonly refuse: (problem: string) => undefined;
}

const MASKS = new Set(['NotEqual', 'Any', 'LogicalAnd']);

/** The masks that Keras 3 writes down, which tfjs computes by itself: from a Masking, or an Embedding with mask_zero. */
function masksOf(model: KerasModel): Set<string> {
  const masked = new Map<string, unknown[]>();
  for (const {className, config, calls} of model.layers) {
    const value =
      className === 'Masking'
        ? config['mask_value']
        : className === 'Embedding' && config['mask_zero'] === true
          ? 0
          : undefined;
    if (value === undefined) continue;
    for (const {layer, call, index} of calls.flatMap(tensorsOf)) {
      const key = `${layer}\n${call}\n${index}`;
      masked.set(key, [...(masked.get(key) ?? []), value]);
    }
  }
  const masks = new Set<string>();
  for (const {name, className, calls} of model.layers) {
    const [call] = calls;
    if (!call || !MASKS.has(className)) continue;
    const taken = tensorsOf(call);
    const isMask =
      className === 'NotEqual'
        ? taken.some(({layer, call: of, index}) => masked.get(`${layer}\n${of}\n${index}`)?.includes(call.args[1]))
        : taken.every(({layer}) => masks.has(layer));
    if (isMask) masks.add(name);
  }
  return masks;
}

/** Keys and strings as tfjs reads them: utils/serialization_utils.js, convertPythonicToTs. */
function camelCased(value: unknown): unknown {
  const camel = (name: string) => name.replace(/_+(\w|$)/g, (_, letter: string) => letter.toUpperCase());
  if (typeof value === 'string') return camel(value);
  if (Array.isArray(value)) return value.map(camelCased);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [camel(key), key === 'name' ? each : camelCased(each)]),
  );
}

/** What shape a part gives. */
function shapeThrough(part: Part, given: readonly Shape[]): Shape[] | undefined {
  try {
    const layer = makeLayer(part.className, camelCased(part.config) as Record<string, unknown>);
    const shapes = given.map(shape => [...shape]);
    const made = layer?.computeOutputShape(shapes.length === 1 ? shapes[0]! : shapes);
    if (!made) return undefined;
    return (Array.isArray(made[0]) ? made : [made]) as Shape[];
  } catch {
    return undefined;
  }
}

type Known = readonly (Shape | undefined)[];

/** The shapes of what a part takes. */
function takenBy({takes}: Part, inputs: Known, made: ReadonlyMap<string, Shape[] | undefined>): Known {
  return takes.flatMap(source =>
    source === ALL ? inputs : [typeof source === 'number' ? inputs[source] : made.get(source)?.[0]],
  );
}

/** The shapes of what a part gives. */
function shapesOf(part: MendedPart, taken: Known): Shape[] | undefined {
  if (part.within && part.className !== 'TimeDistributed') {
    const {outputs} = new Shapes(part.within.model, part.within.layers);
    return outputs.every(shape => shape !== undefined) ? (outputs as Shape[]) : undefined;
  }
  return taken.every(shape => shape !== undefined) ? shapeThrough(part, taken as Shape[]) : undefined;
}

/** Which of a Reshape's sizes are left open. */
function openIn({target_shape: target}: Config): number[] {
  const sizes = Array.isArray(target) ? (target as (number | null)[]) : [];
  return sizes.flatMap((size, i) => (size === null || size < 0 ? [i] : []));
}

/** The config of a Reshape, with the size that it leaves open if its input is of a known one. */
function closed(config: Config, given: Shape | undefined): Config {
  const sizes = given?.slice(1);
  if (!sizes?.every(size => size !== null)) return config;
  const target = [...(config['target_shape'] as number[])];
  const [open] = openIn(config);
  const others = target.reduce((product, size, i) => (i === open ? product : product * size), 1);
  const size = (sizes as number[]).reduce((product, each) => product * each, 1) / others;
  if (!Number.isInteger(size)) return config;
  target[open!] = size;
  return {...config, target_shape: target};
}

/** The shapes of a model's tensors: as Keras 3 noted them, else as tfjs's layers compute them, as far as those are mended. */
class Shapes {
  readonly #known = new Map<string, Shape>();
  readonly #model: KerasModel;
  readonly #layers: readonly MendedLayer[];
  #done = 0;

  constructor(model: KerasModel, layers: readonly MendedLayer[]) {
    this.#model = model;
    this.#layers = layers;
  }

  of({layer, call, index, shape}: KerasTensor): Shape | undefined {
    if (shape) return shape;
    while (this.#done < this.#layers.length) this.#compute(this.#layers[this.#done++]!);
    return this.#known.get(`${layer}\n${call}\n${index}`);
  }

  get outputs(): (Shape | undefined)[] {
    return this.#model.outputs.map(output => this.of(output));
  }

  /** The layer with sizes that its Reshapes leave open, as far as they are known: tfjs does not infer those for an open batch. */
  resolved(mended: MendedLayer): MendedLayer {
    const {layer, parts} = mended;
    const isOpen = ({className, config}: Part) => className === 'Reshape' && openIn(config).length === 1;
    const [call] = layer.calls;
    if (!call || !parts.some(isOpen)) return mended;
    const inputs = inputsOf(call).map(tensor => this.of(tensor));
    const whole: MendedPart[] = [];
    const made = new Map<string, Shape[] | undefined>();
    for (const part of parts) {
      const taken = takenBy(part, inputs, made);
      const known = isOpen(part) ? {...part, config: closed(part.config, taken[0])} : part;
      whole.push(known);
      made.set(part.name, shapesOf(known, taken));
    }
    return {layer, parts: whole};
  }

  #compute({layer, parts}: MendedLayer): void {
    const given = layer.config['batch_shape'] ?? layer.config['batch_input_shape'];
    if (layer.className === 'InputLayer' && Array.isArray(given))
      this.#known.set(`${layer.name}\n0\n0`, given as Shape);
    layer.calls.forEach((call, i) => {
      const inputs = inputsOf(call).map(
        tensor => tensor.shape ?? this.#known.get(`${tensor.layer}\n${tensor.call}\n${tensor.index}`),
      );
      const made = new Map<string, Shape[] | undefined>();
      for (const part of parts) made.set(part.name, shapesOf(part, takenBy(part, inputs, made)));
      made.get(layer.name)?.forEach((shape, index) => shape && this.#known.set(`${layer.name}\n${i}\n${index}`, shape));
    });
  }
}
/** What is another in training. */
const TRAINED = new Set(
  'AlphaDropout BatchNormalization Dropout GaussianDropout GaussianNoise SpatialDropout1D SpatialDropout2D SpatialDropout3D'.split(
    ' ',
  ),
);

/** Refuses arguments of calls that tfjs would not hand on. */
function refuseArguments(ask: Ask): void {
  for (const {kwargs} of ask.layer.calls) {
    for (const [name, value] of Object.entries(kwargs)) {
      if (name === 'mask' && value !== null && ask.inputsOf({args: [value], kwargs: {}}).length > 0) {
        ask.refuse('it is called with a mask of its own, and tfjs hands on only those that Masking and Embedding make');
      } else if (name === 'training' && value === true && isOtherInTraining(ask.layer)) {
        ask.refuse('it is called with training=True, and tfjs calls all layers alike', 'Call it without that');
      }
    }
  }
}

function isOtherInTraining({className, config, model}: KerasLayer): boolean {
  const drops = Number(config['dropout'] ?? 0) + Number(config['recurrent_dropout'] ?? 0) > 0;
  return TRAINED.has(className) || drops || (model?.layers.some(isOtherInTraining) ?? false);
}

/** Finds out what the layers of a model become. */
export function mendModel(model: KerasModel, facts: FileFacts): MendedModel {
  const layers: MendedLayer[] = [];
  const shapes = new Shapes(model, layers);
  const masks = masksOf(model);
  const around: Surroundings = {
    ...facts,
    shapeOf: tensor => shapes.of(tensor),
    isMask: ({layer}) => masks.has(layer),
  };
  for (const layer of model.layers) {
    if (masks.has(layer.name)) continue;
    const ask = new Ask(layer, around, model.path);
    if (layer.className === 'InputLayer') inputLayer(ask);
    else if (layer.model) {
      refuseArguments(ask);
      ask.parts.add(layer.model.className, {}, [ALL], {model: layer.model});
    } else {
      const operator = operatorOf(ask);
      if (operator === undefined) {
        refuseArguments(ask);
        applyRule(ask);
      } else applyOperator(ask, operator);
    }
    const parts = ask.parts
      .finished()
      .map(part => (part.model ? {...part, within: mendModel(part.model, facts)} : part));
    layers.push(shapes.resolved({layer, parts}));
  }
  return {model, layers};
}

function inputLayer(ask: Ask): void {
  const {batch_shape: shape, batch_input_shape: shape2, dtype, name, sparse, ragged, optional} = ask.config;
  if (sparse === true || ragged === true || optional === true) {
    ask.refuse('tfjs takes no inputs that are sparse, ragged or optional', 'Make it dense');
  }
  const own = dtypeOf(dtype);
  if (!own || own === 'string')
    ask.refuseField('dtype', 'tfjs computes with numbers', 'Leave what takes text or such out of the model');
  const known = shape2 ?? shape;
  if (!Array.isArray(known) || !known.every(dim => dim === null || (Number.isInteger(dim) && dim >= 0))) {
    ask.refuse('it does not say its batch_shape', 'Build the model before it is saved');
  }
  const config = {
    ...(shape2 === undefined ? {} : ask.config),
    batch_input_shape: known,
    dtype: own,
    sparse: false,
    name,
  };
  ask.parts.add('InputLayer', config, []);
}

type Json = Record<string, unknown>;

/** Whether a layer's parts follow each other, so that they can be in a Sequential. */
function isChain(parts: readonly Part[]): boolean {
  return parts.every(({takes}, i) => {
    const [source, ...others] = takes;
    return (
      others.length === 0 &&
      (i === 0 ? source === undefined || source === ALL || source === 0 : source === parts[i - 1]!.name)
    );
  });
}

/** Writes a model as tfjs reads it. `renamed` has the names of layers that cannot keep theirs. */
export class TopologyWriter {
  readonly #renamed: ReadonlyMap<Part, string>;

  constructor(renamed: ReadonlyMap<Part, string>) {
    this.#renamed = renamed;
  }

  write(mended: MendedModel): {class_name: string; config: Json} {
    const {model, layers} = mended;
    const own = Object.fromEntries(
      Object.entries(model.config).filter(
        ([field]) => field !== 'dtype' && field !== 'input_layers' && field !== 'output_layers',
      ),
    );
    if (model.isSequential && layers.every(({parts}) => isChain(parts))) {
      const listed = layers.flatMap(({layer, parts}, i) =>
        i === 0 && model.addsInput && this.#knowsInput(mended) ? [] : parts.map(part => this.#classed(part, layer)),
      );
      return {class_name: 'Sequential', config: {...own, layers: listed}};
    }
    const names = new Map(
      layers.flatMap(({layer, parts}) => parts.slice(-1).map(part => [layer.name, this.#nameOf(part)] as const)),
    );
    const models = new Set(layers.filter(({layer}) => layer.model).map(({layer}) => layer.name));
    const reference = ({layer, call, index}: KerasTensor): [string, number, number] => [
      names.get(layer) ?? layer,
      // tfjs counts the call by which a model came to be, too.
      call + (models.has(layer) ? 1 : 0),
      index,
    ];
    const isMask = (tensor: KerasTensor) => !names.has(tensor.layer);
    const listed = layers.flatMap(({layer, parts}) => {
      const named = new Map(parts.map(part => [part.name, this.#nameOf(part)]));
      const node = (call: Call, i: number, part: Part) => {
        const inputs = inputsOf(call).filter(tensor => !isMask(tensor));
        return part.takes.flatMap(source => {
          const taken = source === ALL ? inputs : typeof source === 'number' ? [inputs[source]!] : [];
          return typeof source === 'string'
            ? [[named.get(source), i, 0, {}]]
            : taken.map(tensor => [...reference(tensor), {}]);
        });
      };
      return parts.map(part => ({
        ...this.#classed(part, layer),
        name: this.#nameOf(part),
        inbound_nodes: part.takes.length === 0 ? [] : layer.calls.map((call, i) => node(call, i, part)),
      }));
    });
    const ends = {input_layers: model.inputs.map(reference), output_layers: model.outputs.map(reference)};
    const className =
      model.isSequential || !['Model', 'Functional'].includes(model.className) ? 'Functional' : model.className;
    return {class_name: className, config: {...own, layers: listed, ...ends}};
  }

  /** Whether the first layer of a Sequential says of which shape its input is. */
  #knowsInput({layers}: MendedModel): boolean {
    const [, first] = layers;
    const parts = first?.parts ?? [];
    return parts.length > 0 && (parts[0]!.config['batch_input_shape'] !== undefined || parts[0]!.within !== undefined);
  }

  #nameOf(part: Part): string {
    return this.#renamed.get(part) ?? part.name;
  }

  #classed(part: MendedPart, layer: KerasLayer): {class_name: string; config: Json} {
    const name = this.#nameOf(part);
    if (part.within && part.className !== 'TimeDistributed') {
      const {class_name, config} = this.write(part.within);
      return {class_name, config: {...config, name}};
    }
    const {batch_shape: shape, ...config} = part.config as Json;
    if (shape !== undefined && config['batch_input_shape'] === undefined) config['batch_input_shape'] = shape;
    const within = part.within && {layer: this.write(part.within)};
    const trainable =
      layer.config['trainable'] === false && config['trainable'] === undefined ? {trainable: false} : {};
    return {class_name: part.className, config: {...config, ...trainable, name, ...within}};
  }
}

/** The tensors of a call in tfjs's order, with masks. */
function inputsOf({args, kwargs}: Call): KerasTensor[] {
  const named = Object.entries(kwargs).filter(([name]) => name !== 'mask');
  return tensorsOf({args, kwargs: Object.fromEntries(named)});
}
