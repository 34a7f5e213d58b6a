/** Which of a file's weights are which of tfjs's. */
import {io, util} from '@tensorflow/tfjs-core';
import {isLayer} from './operators';
import type {MendedModel, MendedPart, Part, WeightSlot} from './parts';
import type {Problems} from './problems';
import {isCustom} from './rules';
import {filed} from './wrappers';

/** A weight that a layer needs, or that Keras has and tfjs does not. */
interface Target {
  readonly slot: WeightSlot;
  readonly part: MendedPart;
  readonly layer: string;
  readonly className: string;
  /** The models that the layer is in. */
  readonly path: readonly string[];
  /** As .keras files name it, less a number at the end. */
  readonly folder: string;
}

/** The weights of all layers, in the order in which Keras lists them. */
function targetsOf(mended: MendedModel, folder = 'layers'): Target[] {
  const {model, layers} = mended;
  // Operators are no layers there.
  const counted = layers.filter(({layer}) => isLayer(layer));
  const folders = filed(counted.map(({layer}) => layer.className));
  const own = new Map(counted.map(({layer}, i) => [layer.name, folders[i]!]));
  return layers.flatMap(({layer, parts}) => {
    const here = `${folder}/${own.get(layer.name) ?? layer.name}`;
    return parts.flatMap(part => {
      const common = {part, layer: layer.name, className: layer.className, path: model.path};
      const within = part.within
        ? targetsOf(part.within, part.className === 'TimeDistributed' ? `${here}/layer/layers` : `${here}/layers`)
        : [];
      const slots = (part.weights ?? []).map(slot => ({
        ...common,
        slot,
        folder: [here, ...slot.within, 'vars'].join('/'),
      }));
      return [...slots, ...within];
    });
  });
}

const isCustomWithin = ({layers}: MendedModel): boolean =>
  layers.some(
    ({layer, parts}) =>
      (!layer.model && isLayer(layer) && isCustom(layer.className)) ||
      parts.some(({within}) => within && isCustomWithin(within)),
  );

/** The name of a weight in tfjs. */
function nameIn(part: Part, to: string, renamed: ReadonlyMap<Part, string>): string {
  return `${renamed.get(part) ?? part.name}/${to}`;
}

/** New names for layers whose weights would go by the same names as others', in models within. */
export function renamedParts(mended: MendedModel): Map<Part, string> {
  const renamed = new Map<Part, string>();
  const taken = new Set<string>();
  const visit = ({model, layers}: MendedModel) => {
    const names = new Set(layers.flatMap(({parts}) => parts.map(({name}) => name)));
    for (const {parts} of layers) {
      for (const part of parts) {
        if ((part.weights?.length ?? 0) + (part.made?.length ?? 0) > 0) {
          let name = part.name;
          for (let i = 1; taken.has(name) || (name !== part.name && names.has(name)); i++) {
            name = `${model.name}/${part.name}${i > 1 ? `_${i}` : ''}`;
          }
          taken.add(name);
          if (name !== part.name) renamed.set(part, name);
        }
      }
    }
    for (const {parts} of layers) for (const {within} of parts) if (within) visit(within);
  };
  visit(mended);
  return renamed;
}

/** What a weight is called in its layer. Keras 3 counts those without a name. */
function lastOf(name: string): string {
  return name
    .split('/')
    .at(-1)!
    .replace(/^variable_\d+$/, 'variable');
}

/** How well a name of an .h5 file fits a weight: 0 if not at all. Layers of Keras 2 may have slashes in their names. */
function fit({slot, layer, path}: Target, name: string): number {
  const folders = name.split('/').slice(0, -1);
  const isWithin = (part: string) => `/${folders.join('/')}/`.includes(`/${part}/`);
  if (!slot.names.includes(lastOf(name)) || !isWithin(layer)) return 0;
  const {hint} = slot;
  if (hint !== undefined && !folders.some(each => each === hint || (hint.endsWith('_') && each.startsWith(hint))))
    return 0;
  return 1 + 1000 * layer.split('/').length + path.filter(isWithin).length;
}

/** Finds the weights of a file by name, and those that go by other names by their order. */
class Matcher {
  readonly #targets: readonly Target[];
  readonly found = new Map<Target, io.WeightsManifestEntry>();
  readonly #left = new Set<io.WeightsManifestEntry>();

  constructor(targets: readonly Target[], specs: readonly io.WeightsManifestEntry[]) {
    this.#targets = targets;
    this.#left = new Set(specs);
    this.#byFolder();
    this.#byName();
    this.#byOrder();
  }

  get left(): ReadonlySet<io.WeightsManifestEntry> {
    return this.#left;
  }

  get missing(): Target[] {
    return this.#targets.filter(target => !this.found.has(target));
  }

  #match(target: Target, spec: io.WeightsManifestEntry): void {
    this.found.set(target, spec);
    this.#left.delete(spec);
  }

  /** As in .keras files: layers/dense/vars/0. */
  #byFolder(): void {
    const byName = new Map(
      [...this.#left].map(spec => [spec.name.replace(/^_?layer_checkpoint_dependencies\//, 'layers/'), spec]),
    );
    for (const target of this.#targets) {
      const spec = byName.get(`${target.folder}/${target.slot.index}`);
      if (spec) this.#match(target, spec);
    }
  }

  /** As in .h5 files: model/dense/kernel, with or without the models around it, and the cells inside it. */
  #byName(): void {
    const byLast = new Map<string, Target[]>();
    for (const target of this.missing) {
      for (const name of target.slot.names) {
        const key = `${target.layer.split('/').at(-1)!}/${name}`;
        byLast.set(key, [...(byLast.get(key) ?? []), target]);
      }
    }
    for (const spec of [...this.#left]) {
      const folders = spec.name.split('/').slice(0, -1);
      const candidates = new Set(folders.flatMap(folder => byLast.get(`${folder}/${lastOf(spec.name)}`) ?? []));
      let best: {target: Target; fit: number} | undefined;
      for (const target of candidates) {
        const fits = this.found.has(target) ? 0 : fit(target, spec.name);
        if (fits > (best?.fit ?? 0)) best = {target, fit: fits};
      }
      if (best) this.#match(best.target, spec);
    }
  }

  /** Of layers that were renamed once they had weights: Keras writes those of one layer of the model after another. */
  #byOrder(): void {
    const topOf = ({path, layer}: Target) => (path.length > 1 ? path[1]! : layer);
    const missing = this.missing.sort((a, b) => {
      const [x, y] = [topOf(a), topOf(b)];
      return x < y ? -1 : x > y ? 1 : Number(b.slot.isTrained) - Number(a.slot.isTrained);
    });
    const left = [...this.#left];
    const isSame =
      missing.length === left.length && missing.every(({slot}, i) => slot.names.includes(lastOf(left[i]!.name)));
    if (isSame) missing.forEach((target, i) => this.#match(target, left[i]!));
  }
}

const isQuantized = (spec: io.WeightsManifestEntry) => 'quantization' in spec && spec.quantization !== undefined;

/** How many bytes a weight takes in the file. */
function bytesOf(spec: io.WeightsManifestEntry): number {
  const dtype = isQuantized(spec) ? spec.quantization!.dtype : spec.dtype;
  const size = util.sizeFromShape(spec.shape);
  const width: Readonly<Record<string, number>> = {
    float32: 4,
    int32: 4,
    uint32: 4,
    float16: 2,
    uint16: 2,
    int16: 2,
    uint8: 1,
    int8: 1,
    bool: 1,
    complex64: 8,
    int64: 8,
    float64: 8,
  };
  return size * (width[dtype] ?? NaN);
}

/** What Keras keeps besides weights: the states of random generators, optimizers and metrics. */
const isState = ({name}: io.WeightsManifestEntry) =>
  /(^|\/)seed_generator/.test(name) ||
  /(^|\/)_?(optimizer|(compile_)?metrics|loss_tracker)\/(.*\/)?vars\/\d+$/.test(name);

export interface MendedWeights {
  readonly specs: io.WeightsManifestEntry[];
  readonly data: io.WeightData | undefined;
  readonly isChanged: boolean;
}

/** The file's weights under tfjs's names, with those that are made, without those that tfjs has no use for. */
export function mendWeights(
  mended: MendedModel,
  renamed: ReadonlyMap<Part, string>,
  specs: readonly io.WeightsManifestEntry[],
  data: io.WeightData | undefined,
  problems: Problems,
): MendedWeights {
  const isWeight = (spec: io.WeightsManifestEntry) => spec.group !== 'optimizer' && !isState(spec);
  const matcher = new Matcher(targetsOf(mended), specs.filter(isWeight));
  const names = new Map<string, string[]>();
  for (const {layer, className, slot} of matcher.missing) {
    const key = `layer '${layer}' (${className})`;
    names.set(key, [...(names.get(key) ?? []), slot.names[0]!]);
  }
  for (const [layer, missing] of names) {
    // 'Conv/BatchNorm' is lost below 'Conv'.
    const remedy = layer.includes('/')
      ? "The converter loses those of layers that are named below others: take the slashes out of the layers' names in Keras, or convert a .keras file"
      : 'Convert the model anew, with its weights';
    problems.add(`${layer}: the file has no weight for its ${missing.join(', ')}. ${remedy}.`);
  }
  if (!isCustomWithin(mended) && matcher.left.size > 0) {
    const told = [...matcher.left].slice(0, 8).map(({name}) => `'${name}'`);
    const more = matcher.left.size > 8 ? ` and ${matcher.left.size - 8} more` : '';
    problems.add(
      `no layer has weights like ${told.join(', ')}${more} of the file. Convert the model anew: its topology and weights are of two models.`,
    );
  }
  if (problems.count > 0) return {specs: [...specs], data, isChanged: false};
  return rewritten(matcher, mended, renamed, specs, data);
}

/** Whether tfjs finds a weight by this name: it leaves out the name of a cell. engine/container.js: loadWeights */
function finds(name: string, wanted: string): boolean {
  const parts = name.split('/');
  return name === wanted || [...parts.slice(0, -2), parts.at(-1)].join('/') === wanted;
}

function rewritten(
  matcher: Matcher,
  mended: MendedModel,
  renamed: ReadonlyMap<Part, string>,
  specs: readonly io.WeightsManifestEntry[],
  data: io.WeightData | undefined,
): MendedWeights {
  const targets = new Map([...matcher.found].map(([target, spec]) => [spec, target]));
  const buffer = data === undefined ? undefined : new io.CompositeArrayBuffer(data);
  let isChanged = false;
  let at = 0;
  const kept: io.WeightsManifestEntry[] = [];
  const pieces: [start: number, end: number][] = [];
  const places = new Map<io.WeightsManifestEntry, [start: number, end: number]>();
  const renames: {spec: io.WeightsManifestEntry; wanted: string}[] = [];
  for (const spec of specs) {
    const target = targets.get(spec);
    const end = at + bytesOf(spec);
    places.set(spec, [at, end]);
    if (isState(spec) || (target && target.slot.to === undefined)) isChanged = true;
    else {
      const last = pieces.at(-1);
      if (last && last[1] === at) last[1] = end;
      else pieces.push([at, end]);
      const wanted = target && nameIn(target.part, target.slot.to!, renamed);
      const shape = target?.slot.reshaped?.(spec.shape);
      const written = wanted === undefined ? spec : {...spec, name: wanted, ...(shape && {shape})};
      if (shape) isChanged = true;
      if (wanted !== undefined) renames.push({spec, wanted});
      kept.push(written);
    }
    at = end;
  }
  const made = madeOf(mended, matcher, renamed, places, buffer);
  const needsNames = renames.some(({spec, wanted}) => !finds(spec.name, wanted));
  if (!isChanged && made.length === 0 && !needsNames) return {specs: [...specs], data, isChanged: false};
  const isWhole = pieces.length === 1 && pieces[0]![0] === 0 && pieces[0]![1] === at;
  const buffers =
    data === undefined ? [] : isWhole ? [data].flat() : pieces.map(([start, end]) => buffer!.slice(start, end));
  return {
    specs: [...kept, ...made.map(({spec}) => spec)],
    data: data === undefined ? undefined : [...buffers, ...made.map(({values}) => values.buffer as ArrayBuffer)],
    isChanged: true,
  };
}

/** Whether layers get weights that Keras's have not. */
export function makesWeights({layers}: MendedModel): boolean {
  return layers.some(({parts}) =>
    parts.some(({made, within}) => made !== undefined || (within && makesWeights(within))),
  );
}

/** The weights that are made of numbers of the config and of weights of the file. */
function madeOf(
  mended: MendedModel,
  matcher: Matcher,
  renamed: ReadonlyMap<Part, string>,
  places: ReadonlyMap<io.WeightsManifestEntry, [number, number]>,
  buffer: io.CompositeArrayBuffer | undefined,
): {spec: io.WeightsManifestEntry; values: Float32Array}[] {
  const found = [...matcher.found];
  return mended.layers.flatMap(({parts}) =>
    parts.flatMap(part => {
      const inner = part.within ? madeOf(part.within, matcher, renamed, places, buffer) : [];
      const valuesOf = (name: string): Float32Array => {
        const spec = found.find(([target]) => target.part === part && target.slot.names.includes(name))?.[1];
        if (!spec || !buffer) return new Float32Array(1);
        const tensors = io.decodeWeights(buffer.slice(...places.get(spec)!), [spec]);
        const tensor = tensors[spec.name]!;
        const values = Float32Array.from(tensor.dataSync());
        tensor.dispose();
        return values;
      };
      const own = (part.made ?? []).map(({to, shape, values}) => ({
        spec: {name: nameIn(part, to, renamed), shape: [...shape], dtype: 'float32' as const},
        values: values(valuesOf),
      }));
      return [...own, ...inner];
    }),
  );
}
