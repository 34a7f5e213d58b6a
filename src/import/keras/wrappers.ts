/** Layers that have other layers inside. */
import {inJson} from '../../graph_model/model_json';
import type {Ask} from './ask';
import {isClassed} from './fields';
import {addOwn, mendConfig} from './own';
import {ALL, type Part} from './parts';
import {slotsWithin} from './slots';
import {type Config, isModel, type KerasLayer} from './topology';

/** A layer inside a layer, by its class and config, as the one part that it has to become. */
function inner(ask: Ask, field: string, value: unknown): Part | null {
  if (!isClassed(value))
    return ask.refuse(`${field} must be a layer, with class_name and config, but was ${inJson(value)}`);
  const config = value.config;
  const name = typeof config['name'] === 'string' ? config['name'] : value.class_name;
  const layer: KerasLayer = {className: value.class_name, name, config, calls: [], model: undefined};
  const [part, ...others] = ask.around.partsOf(layer, [...ask.path, ask.layer.name]);
  if (others.length > 0)
    return ask.refuse(`the ${value.class_name} within becomes several layers in tfjs, which cannot be within`);
  return part ?? null;
}

const written = ({className, config}: Part) => ({class_name: className, config});
export function timeDistributed(ask: Ask): unknown {
  const {layer} = ask.config;
  if (isClassed(layer) && isModel(layer.class_name, layer.config)) {
    const model = ask.around.read(layer.class_name, layer.config, [...ask.path, ask.layer.name]);
    const {config} = mendConfig(ask);
    return model && ask.parts.add('TimeDistributed', config, [ALL], {model});
  }
  const part = inner(ask, 'layer', layer);
  if (!part) return null;
  return addOwn(ask, {changes: {layer: written(part)}, weights: slotsWithin(part.weights ?? [], ['layer'])});
}

/** The config of a direction, but what tells it from the other. */
function directionless({config}: {config: Config}): string {
  const told = Object.entries(config).filter(
    ([field]) => !['name', 'go_backwards', 'shared_object_id', 'seed'].includes(field),
  );
  return JSON.stringify(
    told.sort(([a], [b]) => (a < b ? -1 : 1)),
    (key, value: unknown) => (key === 'shared_object_id' || key === 'build_config' ? undefined : value),
  );
}

export function bidirectional(ask: Ask): unknown {
  const {layer, backward_layer: backward} = ask.config;
  const part = inner(ask, 'layer', layer);
  if (!part) return null;
  if (isClassed(backward)) {
    const isSame =
      isClassed(layer) && backward.class_name === layer.class_name && directionless(backward) === directionless(layer);
    if (!isSame) return ask.refuse('backward_layer is another than layer, but tfjs makes both of one');
  }
  // tfjs puts the direction in front.
  const name = part.name.replace(/^forward_/, '');
  const direction = (prefix: string) =>
    slotsWithin(part.weights ?? [], [`${prefix}_layer`], `${prefix}_${name}/`, `${prefix}_`);
  const changes = {layer: {class_name: part.className, config: {...part.config, name}}, backward_layer: undefined};
  return addOwn(ask, {changes, weights: [...direction('forward'), ...direction('backward')]});
}

function snake(className: string): string {
  return className
    .replace(/\W+/g, '')
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
}

/** Names as Keras's files give them to several of a class. */
export function filed(classNames: readonly string[]): string[] {
  const counts = new Map<string, number>();
  return classNames.map(className => {
    const name = snake(className);
    const count = counts.get(name) ?? 0;
    counts.set(name, count + 1);
    return count > 0 ? `${name}_${count}` : name;
  });
}

export function rnn(ask: Ask): unknown {
  const {cell} = ask.config;
  const cells = isClassed(cell) && cell.class_name === 'StackedRNNCells' ? cell.config['cells'] : undefined;
  if (!Array.isArray(cells)) {
    const part = inner(ask, 'cell', cell);
    return part && addOwn(ask, {changes: {cell: written(part)}, weights: slotsWithin(part.weights ?? [], ['cell'])});
  }
  const parts = cells.map(each => inner(ask, 'cell', each));
  if (parts.some(part => !part)) return null;
  const names = filed((parts as Part[]).map(({className}) => className));
  const weights = (parts as Part[]).flatMap((part, i) =>
    slotsWithin(part.weights ?? [], ['cell', 'cells', names[i]!], `RNNCell_${i}/`, part.name),
  );
  const stacked = {
    class_name: 'StackedRNNCells',
    config: {...(cell as {config: Config}).config, dtype: 'float32', cells: (parts as Part[]).map(written)},
  };
  return addOwn(ask, {changes: {cell: stacked}, weights});
}
