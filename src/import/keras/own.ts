/** A layer as itself: its config as tfjs reads it, and what tfjs would take no notice of. */
import {addActivation} from './activations';
import type {Ask} from './ask';
import {activationOf, dtypeOf, mendConstraint, mendInitializer, mendRegularizer, ownActivation} from './fields';
import {ALL, type Source, type WeightSlot} from './parts';
import {slotsOf} from './slots';
import type {Config} from './topology';

export type Rule = (ask: Ask) => unknown;

/** Fields, and which of their values change nothing. */
export type Harmless = Readonly<Record<string, (value: unknown) => boolean>>;
/** What all layers have, and what is of training alone. */
const COMMON = new Set(
  'name trainable dtype batch_input_shape batch_shape input_dtype autocast seed shared_object_id registered_name module'.split(
    ' ',
  ),
);

const ALWAYS: Harmless = {
  implementation: () => true,
  noise_shape: value => value === null,
  renorm_momentum: () => true,
  synchronized: () => true,
  data_format: value => value === 'channels_last',
};

const isTelling = (value: unknown) =>
  !(
    value === null ||
    value === undefined ||
    value === false ||
    value === '' ||
    (Array.isArray(value) && value.length === 0)
  );

export const isOne = (value: unknown): boolean => value === 1 || (Array.isArray(value) && value.every(isOne));
export const isZero = (value: unknown): boolean => Number(value ?? 0) === 0;
/** The fields that have values. */
function givenOf(config: Config): Config {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
}

/** The config as tfjs reads it, and the activation that has to be computed behind, if it cannot be in the layer. */
export function mendConfig(ask: Ask): {config: Config; behind: string | undefined} {
  const config: Record<string, unknown> = {...ask.config};
  let behind: string | undefined;
  const dtype = dtypeOf(config['dtype']);
  if (!dtype)
    ask.refuseField(
      'dtype',
      'tfjs computes with float32, int32 and bool',
      'Save the model with a dtype policy of float32',
    );
  else if ('dtype' in config) config['dtype'] = dtype;
  for (const [field, value] of Object.entries(config)) {
    if (value === null || value === undefined) continue;
    if (field.endsWith('initializer')) {
      config[field] = mendInitializer(value);
    } else if (field.endsWith('regularizer') || field.endsWith('constraint')) {
      const mended = field.endsWith('constraint') ? mendConstraint(value) : mendRegularizer(value);
      if ('problem' in mended) ask.refuseField(field, mended.problem, 'Save the model without it');
      else config[field] = mended.value;
    } else if (field === 'activation' || field === 'recurrent_activation') {
      const activation = activationOf(value);
      const own = activation && !activation.config ? ownActivation(activation.name, ask.isKeras3) : undefined;
      if (own !== undefined) config[field] = own;
      else if (field === 'activation') {
        config[field] = 'linear';
        behind = field;
      } else ask.refuseField(field, 'tfjs has no such function for the gates', 'Train the model with sigmoid gates');
    }
  }
  return {config: givenOf(config), behind};
}

/** Refuses what tfjs would not look at. */
export function refuseUnread(ask: Ask, reads: string, harmless: Harmless): void {
  const read = new Set(reads.split(' '));
  for (const [field, value] of Object.entries(ask.config)) {
    const rule = harmless[field];
    if (rule ? rule(value) : read.has(field) || COMMON.has(field) || !isTelling(value) || ALWAYS[field]?.(value))
      continue;
    ask.refuseField(field, 'tfjs takes no notice of that');
  }
}

/** How a layer's own class is written; what is inside it is given in `changes`. */
interface Own {
  readonly className?: string;
  readonly changes?: Config;
  readonly takes?: readonly Source[];
  readonly weights?: readonly WeightSlot[];
}

/** Adds the layer itself, and its activation behind it where tfjs has no such one. */
export function addOwn(ask: Ask, own: Own = {}): string {
  const {className = ask.layer.className, changes = {}, takes = [ALL]} = own;
  const {config, behind} = mendConfig(ask);
  const written = givenOf({...config, ...changes});
  const weights = own.weights ?? slotsOf(ask.layer.className, ask.config);
  const name = ask.parts.add(className, written, takes, {weights});
  return behind === undefined ? name : addActivation(ask, ask.config[behind], name);
}
