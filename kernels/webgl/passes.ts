/** The two ways through a tensor: a program over each texel, and a reduction of each channel. */
import {type TensorInfo, util} from '@tensorflow/tfjs-core';
import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import type {View} from '../device';
import {dataPart, outputLike, raggedPart, type Raster, type TexelView, texelViewOf, texelViewPart} from './layout';
import {joinParts, type Part, partOf} from './part';
import {dispatch, type Output, type Program} from './program';
import {loopPart, planOf, planPart} from './reductions';
import {type TensorTexture, textureOf} from './textures';
import {tellShape} from './tfjs_internals';

/** Tensors of one shape, by the name of their sampler. */
export interface Subject {
  readonly shape: readonly number[];
  readonly view: View;
  readonly textures: Readonly<Record<string, TensorTexture>>;
}

/** The rest of a program, which depends on what texels it goes through. */
export type PartsFor = (texelView: TexelView, raster: Raster) => readonly Part[];

/** The texture whose texels a program goes through: a packed one, as unpacked ones can be read in its order. */
function leadOf({textures}: Subject): TensorTexture {
  const all = Object.values(textures);
  return all.find(({packed}) => packed) ?? all[0]!;
}

function dataParts({textures}: Subject, texelView: TexelView, raster: Raster): Part[] {
  return Object.entries(textures).map(([name, input]) => dataPart(name, input, texelView, raster));
}

/** How a program goes through every texel of a subject: all that its textures' contents have no part in. */
interface Placement {
  readonly texelView: TexelView;
  readonly raster: Raster;
  readonly out: Output;
  readonly part: Part;
}

const placements = new Map<string, Placement>();

/** So many are kept, then none, lest shapes that never come again fill the memory. */
const MOST_PLACEMENTS = 1000;

/** Kept, as to find one takes a small tensor longer than to be drawn. */
function placementOf(subject: Subject): Placement {
  const {shape, view, textures} = subject;
  let key = `${shape.join()} ${view.channels} ${view.inner}`;
  for (const name in textures) {
    const {packed, width, height, start} = textures[name]!;
    key += ` ${name} ${packed} ${width} ${height} ${start}`;
  }
  let placement = placements.get(key);
  if (!placement) {
    if (placements.size === MOST_PLACEMENTS) placements.clear();
    placements.set(key, (placement = newPlacement(subject)));
  }
  return placement;
}

function newPlacement(subject: Subject): Placement {
  const {shape, view} = subject;
  const lead = leadOf(subject);
  const texelView = texelViewOf(lead.packed, shape, view);
  const {out, raster} = outputLike(lead, shape);
  const parts = [
    texelViewPart(texelView, raster.width),
    raggedPart(texelView),
    ...dataParts(subject, texelView, raster),
  ];
  return {texelView, raster, out, part: {...joinParts(parts), inputs: {}}};
}

/** Runs a program over every texel, into the same layout. */
export function eachTexel(
  backend: MathBackendWebGL,
  program: Program,
  subject: Subject,
  partsFor: PartsFor,
): TensorInfo {
  const {texelView, raster, out, part} = placementOf(subject);
  const inputs = partOf({inputs: subject.textures});
  const made = dispatch(backend, program, [part, inputs, ...partsFor(texelView, raster)], out);
  const whole = {...made, shape: [...subject.shape]};
  if (out.packed) tellShape(backend, whole);
  return whole;
}

/** The first pass of a reduction, and what the second one has to know of it. */
function loopOverChannels(
  backend: MathBackendWebGL,
  program: Program,
  subject: Subject,
  partsFor: PartsFor,
  shared: Part,
  outFor: (texels: number) => Output,
): {made: TensorInfo; common: readonly Part[]} {
  const lead = leadOf(subject);
  const {width, height} = lead;
  const texelView = texelViewOf(lead.packed, subject.shape, subject.view);
  const plan = planOf(texelView);
  const raster = {width, height, drawn: false};
  const common = [texelViewPart(texelView, width), planPart(plan), shared];
  const parts = [
    ...common,
    loopPart(plan, texelView, width),
    // Lanes in a channel that nobody asks for do no harm.
    raggedPart(texelView, texelView.lanes),
    ...dataParts(subject, texelView, raster),
    ...partsFor(texelView, raster),
  ];
  return {made: dispatch(backend, program, parts, outFor(plan.chunks * texelView.channels)), common};
}

/** Reduces every channel in one strided loop, and a second pass for each output. `shared` is a part of both passes. */
export function reduceChannels(
  backend: MathBackendWebGL,
  [first, second]: readonly [Program, Program],
  subject: Subject,
  partsFor: PartsFor,
  shared: Part,
  outputs: readonly (Output & {part?: Part})[],
): TensorInfo[] {
  const {made: partials, common} = loopOverChannels(backend, first, subject, partsFor, shared, texels => {
    const [height, width] = util.sizeToSquarishShape(texels);
    return {shape: [2 * height, 2 * width], packed: true, intermediate: true};
  });
  const texture = textureOf(backend, partials, true);
  const partialsPart = partOf({
    inputs: {PARTIALS: texture},
    uniforms: {partialsAt: ['ivec2', [texture.width, texture.height]]},
  });
  const made = outputs.map(({part, ...out}) =>
    dispatch(backend, second, [...common, partialsPart, ...(part ? [part] : [])], out),
  );
  backend.disposeIntermediateTensorInfo(partials);
  return made;
}

/** The first pass alone over a single channel: its partial results, [2, 2 * texels]. */
export function reduceParts(backend: MathBackendWebGL, program: Program, subject: Subject, part: Part): TensorInfo {
  const outFor = (texels: number) => ({shape: [2, 2 * texels], packed: true, intermediate: true});
  return loopOverChannels(backend, program, subject, () => [], part, outFor).made;
}
