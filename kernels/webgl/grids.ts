/** Where a program's grids come from: numbers, a texture of bounds, or a texture of grids that a dispatch before derives. */
import {env, util} from '@tensorflow/tfjs-core';
import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import type {Range, Scheme} from '../device';
import {gridOf} from '../grid';
import {isPerChannel, type Raster, type TexelView, texelViewPart} from './layout';
import {type Part, partOf} from './part';
import {dispatch} from './program';
import {DERIVE_GRIDS} from './programs';
import {type TensorTexture, textureOf} from './textures';
import {valueOnCpu} from './tfjs_internals';
import {vertexGridDefines} from './vertex_grid';

type Bounds = Exclude<Range, {kind: 'numbers'}>;

export function gridsPart(
  backend: MathBackendWebGL,
  range: Range,
  scheme: Scheme,
  texelView: TexelView,
  raster: Raster,
): Part {
  if (range.kind === 'numbers') return numbersPart([range.min, range.max], scheme);
  const numbers = numbersOf(backend, range);
  if (numbers) return numbersPart(numbers, scheme);
  const derived = isPerChannel(texelView) ? derivedPart(backend, range, scheme, texelView, raster) : undefined;
  return derived ?? boundsPart(backend, range, scheme, texelView);
}

/** The range's numbers, if it is two scalars that have not left the CPU. */
function numbersOf(backend: MathBackendWebGL, range: Bounds): [number, number] | undefined {
  if (range.kind === 'rows') return undefined;
  const [min, max] = [range.min, range.max].map(bound =>
    util.sizeFromShape(bound.shape) === 1 ? valueOnCpu(backend, bound) : undefined,
  );
  return min === undefined || max === undefined ? undefined : [min, max];
}

function numbersPart(numbers: readonly [number, number], {fit, levels}: Scheme): Part {
  const {scale, inverse, zero, low, high, empty} = gridOf(fit, ...numbers, levels);
  return partOf({
    defines: {RANGE_NUMBERS: '', SHARED: '', ...vertexGridDefines()},
    uniforms: {
      gridSteps: ['vec3', [scale, inverse, zero]],
      gridBounds: ['vec3', [low, high, empty ? 1 : 0]],
    },
  });
}

/** Beyond this, a float is not sure to name a place in a row of channels. */
const MOST_STEPS = 2 ** 21;

/** The longest row that every device has. */
const LONGEST_ROW = 4096;

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/**
 * Where texels are many, a dispatch of its own derives each channel's grid once, and they look it up. Undefined if that
 * does not pay, or if no texel of a texture can hold what it must.
 */
function derivedPart(
  backend: MathBackendWebGL,
  range: Bounds,
  scheme: Scheme,
  {lanes, channels, inner, texels}: TexelView,
  {width, height}: Raster,
): Part | undefined {
  const gridsPerTexel = lanes === 'same' ? 1 : 2;
  const row = channels * gridsPerTexel;
  const step = greatestCommonDivisor(width, inner);
  const lookup = [1 / step, (width % (channels * inner)) / step, step / inner, 1 / channels] as const;
  const pays = texels >= 2 ** 14 && texels >= 8 * row;
  const fits = row <= LONGEST_ROW && lookup[1] * height + width < MOST_STEPS && scheme.fit !== 'anchored';
  if (!pays || !fits || !env().getBool('WEBGL_RENDER_FLOAT32_ENABLED')) return undefined;
  const grids = {packed: false, lanes: 'same', channels: row, inner: 1, texels: row, rows: 1, columns: row} as const;
  const parts = [texelViewPart(grids, row), boundsPart(backend, range, scheme, grids)];
  const out = {shape: [2, 2 * row], packed: true, texelShape: [1, row], intermediate: true} as const;
  const made = dispatch(backend, DERIVE_GRIDS, parts, out);
  return {
    defines: {DERIVED: '', FIT: scheme.fit.toUpperCase()},
    inputs: {GRIDS: {...textureOf(backend, made, true), temporary: made}},
    uniforms: {lookup: ['vec4', lookup]},
  };
}

function boundsPart(backend: MathBackendWebGL, range: Bounds, {fit, levels}: Scheme, texelView: TexelView): Part {
  const perChannel = isPerChannel(texelView);
  const bounds = boundsOf(backend, range, texelView);
  const [low, high] = bounds;
  return {
    defines: {
      FIT: fit.toUpperCase(),
      IN_ROW: String(bounds.every(({height}) => height === 1)),
      LOW_PACKED: String(low.packed),
      ...(high ? {HIGH_PACKED: String(high.packed)} : {HIGH_LANE: isOneRow(range) ? 'g' : 'b'}),
      ...(!perChannel && {SHARED: '', ...vertexGridDefines()}),
    },
    inputs: {LOW: low, ...(high && {HIGH: high})},
    uniforms: {
      levels: ['vec2', [levels.qmin, levels.qmax]],
      lowAt: ['ivec4', boundAt(low, perChannel)],
      ...(high && {highAt: ['ivec4', boundAt(high, perChannel)] as const}),
    },
  };
}

/** Where the lows and the highs are: in two sources, or in one packed matrix as its first rows. */
function boundsOf(backend: MathBackendWebGL, range: Bounds, {lanes}: TexelView) {
  if (range.kind === 'tensors') {
    const packed = lanes !== 'same';
    return [textureOf(backend, range.min, packed), textureOf(backend, range.max, packed)] as const;
  }
  const low = textureOf(backend, range.rows, true);
  if (low.packed) return [low] as const;
  const start = low.start + util.sizeFromShape(range.rows.shape.slice(1));
  return [low, {...low, start}] as const;
}

function isOneRow(range: Bounds): boolean {
  return range.kind === 'rows' && range.rows.shape.length === 1;
}

/** A bound's size, and per channel where it starts, per tensor its place. */
function boundAt({width, height, start}: TensorTexture, perChannel: boolean): number[] {
  return [width, height, ...(perChannel ? [start, 0] : [start % width, Math.floor(start / width)])];
}
