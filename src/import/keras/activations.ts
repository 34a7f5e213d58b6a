/** Activations that tfjs has not, in terms of its layers. */
import {inJson} from '../../graph_model/model_json';
import type {Ask} from './ask';
import {activationOf, ownActivation} from './fields';
import type {Source} from './parts';

type Express = (ask: Ask, x: Source) => string;

const rescale = (ask: Ask, x: Source, scale: number, offset: number) =>
  ask.parts.add('Rescaling', {scale, offset}, [x]);

/** relu6(x + 3) / 6 */
const hardSigmoid: Express = (ask, x) =>
  rescale(ask, ask.parts.add('ReLU', {max_value: 6}, [rescale(ask, x, 1, 3)]), 1 / 6, 0);

const EXPRESSED: Readonly<Record<string, Express>> = {
  hard_sigmoid: hardSigmoid,
  hard_silu: (ask, x) => ask.parts.add('Multiply', {}, [x, hardSigmoid(ask, x)]),
  hard_tanh: (ask, x) => rescale(ask, ask.parts.add('ReLU', {max_value: 2}, [rescale(ask, x, 1, 1)]), 1, -1),
  leaky_relu: (ask, x) => ask.parts.add('LeakyReLU', {alpha: 0.2}, [x]),
  log_sigmoid: (ask, x) =>
    rescale(ask, ask.parts.add('Activation', {activation: 'softplus'}, [rescale(ask, x, -1, 0)]), -1, 0),
  tanh_shrink: (ask, x) =>
    ask.parts.add('Add', {}, [x, rescale(ask, ask.parts.add('Activation', {activation: 'tanh'}, [x]), -1, 0)]),
};
const ALIASES: Readonly<Record<string, string>> = {hard_swish: 'hard_silu'};

/** Adds the activation of a field's value behind `x`. */
export function addActivation(ask: Ask, value: unknown, x: Source): string {
  const activation = activationOf(value);
  const given = activation?.name ?? '';
  const name = Object.hasOwn(ALIASES, given) ? ALIASES[given]! : given;
  if (activation && !activation.config) {
    const own = ownActivation(name, ask.isKeras3);
    if (own !== undefined) return ask.parts.add('Activation', {activation: own}, [x]);
    if (Object.hasOwn(EXPRESSED, name)) return EXPRESSED[name]!(ask, x);
  }
  const layer = activation?.config && layerActivation(ask, given, activation.config, x);
  if (layer) return layer;
  ask.refuse(
    `tfjs has no activation ${inJson(activation?.config ? {class_name: given} : (activation?.name ?? value))}`,
  );
  return '';
}

/** A layer that is given as an activation. */
function layerActivation(
  ask: Ask,
  className: string,
  config: Readonly<Record<string, unknown>>,
  x: Source,
): string | undefined {
  const {negative_slope: slope, alpha, max_value: max, threshold, axis} = config;
  const isZero = (field: unknown) => Number(field ?? 0) === 0;
  if (className === 'LeakyReLU') return ask.parts.add('LeakyReLU', {alpha: slope ?? alpha ?? 0.3}, [x]);
  if (className === 'ELU' && Number(alpha ?? 1) === 1) return ask.parts.add('ELU', {}, [x]);
  if (className === 'Softmax') return ask.parts.add('Softmax', {axis: axis ?? -1}, [x]);
  if (className === 'ReLU' && isZero(slope) && isZero(threshold))
    return ask.parts.add('ReLU', {max_value: max ?? null}, [x]);
  if (className === 'Activation') return addActivation(ask, config['activation'], x);
  return undefined;
}
