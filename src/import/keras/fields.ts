/** The fields of layers' configs that Keras writes otherwise than tfjs reads them: dtypes, initializers and their like, activations. */
import {serialization} from '@tensorflow/tfjs-core';
import {isRecord} from '../../check/rules';
import {inJson} from '../../graph_model/model_json';
import type {Config} from './topology';

/** Whether a class is registered with tfjs. */
export function isRegistered(className: string): boolean {
  return Object.hasOwn(serialization.SerializationMap.getMap().classNameMap, className);
}

/** What tfjs computes with for each of Keras's dtypes. */
const DTYPES: ReadonlyMap<string, string> = new Map([
  ...['float32', 'float16', 'bfloat16', 'float64', 'mixed_float16', 'mixed_bfloat16'].map(
    name => [name, 'float32'] as const,
  ),
  ...['int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64'].map(name => [name, 'int32'] as const),
  ['bool', 'bool'],
  ['string', 'string'],
]);

/** The dtype as tfjs names it; undefined if it has none that is the same. Policies are named, or objects with a name. */
export function dtypeOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return 'float32';
  const {config} = isRecord(value) ? value : {};
  const name = isRecord(config) ? config['name'] : value;
  return typeof name === 'string' ? DTYPES.get(name) : undefined;
}

/** A field's value that is an object with a class: {class_name, config}. */
interface Classed {
  readonly class_name: string;
  readonly config: Config;
}

export function isClassed(value: unknown): value is Classed {
  return isRecord(value) && typeof value['class_name'] === 'string' && isRecord(value['config'] ?? {});
}

/** A mended value, or what is wrong with it. */
export type Mended = {readonly value: unknown} | {readonly problem: string};

const isDefault = (value: unknown) => value === undefined || value === null || value === 0;

/** An initializer: what it gives is overwritten by the file's weights, so that one that tfjs lacks matters to no one. */
export function mendInitializer(value: unknown): unknown {
  if (typeof value === 'string') return value;
  return isClassed(value) && isRegistered(value.class_name) ? value : undefined;
}

/** A regularizer: tfjs has the class of both kinds alone. */
export function mendRegularizer(value: unknown): Mended {
  const name = isClassed(value) ? value.class_name : value;
  if (isDefault(value)) return {value};
  const {l1, l2} = isClassed(value) ? value.config : {l1: 0.01, l2: 0.01};
  if (name === 'L1' || name === 'l1') return {value: {class_name: 'L1L2', config: {l1: l1 ?? 0.01, l2: 0}}};
  if (name === 'L2' || name === 'l2') return {value: {class_name: 'L1L2', config: {l1: 0, l2: l2 ?? 0.01}}};
  if (name === 'L1L2' || name === 'l1_l2') {
    return {value: isClassed(value) ? value : {class_name: 'L1L2', config: {l1, l2}}};
  }
  return isClassed(value) && isRegistered(value.class_name)
    ? {value}
    : {problem: `${inJson(name)} is no regularizer of tfjs`};
}

export function mendConstraint(value: unknown): Mended {
  const name = isClassed(value) ? value.class_name : value;
  if (isDefault(value) || (typeof name === 'string' && isRegistered(name))) return {value};
  const classes: Readonly<Record<string, string>> = {
    max_norm: 'MaxNorm',
    min_max_norm: 'MinMaxNorm',
    non_neg: 'NonNeg',
    unit_norm: 'UnitNorm',
  };
  if (typeof name === 'string' && Object.hasOwn(classes, name)) return {value: {class_name: classes[name], config: {}}};
  return {problem: `${inJson(name)} is no constraint of tfjs`};
}

/** An activation: a function by its name, or a layer. */
export interface Activation {
  readonly name: string;
  /** Of a layer. */
  readonly config: Config | undefined;
}

export function activationOf(value: unknown): Activation | undefined {
  if (value === undefined || value === null) return {name: 'linear', config: undefined};
  if (typeof value === 'string') return {name: value, config: undefined};
  if (!isRecord(value) || typeof value['class_name'] !== 'string') return undefined;
  const {class_name: name, config} = value;
  if (name === 'function') return typeof config === 'string' ? {name: config, config: undefined} : undefined;
  return isRecord(config) ? {name, config} : undefined;
}

/** The activations that tfjs has under the same name, and those that it has under another. */
const ACTIVATIONS: ReadonlyMap<string, string> = new Map([
  ...'elu selu relu relu6 linear sigmoid softplus softsign tanh softmax log_softmax gelu mish swish'
    .split(' ')
    .map(name => [name, name] as const),
  ['silu', 'swish'],
  // Both with their alpha of 1.
  ['celu', 'elu'],
]);

/** tfjs's activation that computes what Keras's does, if there is one. hard_sigmoid of Keras 3 is another function than that of Keras 2. */
export function ownActivation(name: string, isKeras3: boolean): string | undefined {
  if (name === 'hard_sigmoid' && !isKeras3) return name;
  return ACTIVATIONS.get(name);
}
