/** How tensors lie in textures: which texels a program goes through, and where each input has the same ones. */
import {util} from '@tensorflow/tfjs-core';
import type {View} from '../device';
import {type Part, partOf} from './part';
import type {Output} from './program';
import {matrixOf, type TensorTexture} from './textures';
import {rowTexture} from './tfjs_internals';

/** Whether the four lanes of a texel share a channel, or its columns or its rows have one each. */
type Lanes = 'same' | 'columns' | 'rows';

/** The texels that a program goes through, as a `View` that counts in texels, and the matrix that they cover. */
export interface TexelView {
  readonly packed: boolean;
  readonly lanes: Lanes;
  readonly channels: number;
  readonly inner: number;
  readonly texels: number;
  readonly rows: number;
  readonly columns: number;
}

/** The size of the texture whose texels a program goes through, and whether those are the texels that it draws. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  readonly drawn: boolean;
}

export function texelViewOf(packed: boolean, shape: readonly number[], view: View): TexelView {
  const {rows, columns} = matrixOf(shape);
  const size = view.outer * view.channels * view.inner;
  const base = {packed, rows, columns};
  if (!packed) return {...base, lanes: 'same', channels: view.channels, inner: view.inner, texels: size};
  const texelColumns = Math.ceil(columns / 2);
  const matrixTexels = Math.ceil(rows / 2) * texelColumns;
  const texels = (size / (rows * columns)) * matrixTexels;
  if (view.channels === 1) return {...base, lanes: 'same', channels: 1, inner: texels, texels};
  if (view.inner % (rows * columns) === 0) {
    const inner = (view.inner / (rows * columns)) * matrixTexels;
    return {...base, lanes: 'same', channels: view.channels, inner, texels};
  }
  return view.inner === 1 && view.channels === columns
    ? {...base, lanes: 'columns', channels: texelColumns, inner: 1, texels}
    : {...base, lanes: 'rows', channels: Math.ceil(rows / 2), inner: texelColumns, texels};
}

export function isPerChannel({channels, lanes}: TexelView): boolean {
  return channels > 1 || lanes !== 'same';
}

/** Whether the second column's lanes are left alone. */
function isOneColumn(rows: number, columns: number): boolean {
  return columns === 1 && rows > 1;
}

export function texelViewPart(texelView: TexelView, width: number): Part {
  const {packed, lanes, channels, inner, rows, columns} = texelView;
  return partOf({
    defines: {
      ...(packed && {PACKED: ''}),
      ...(packed && rows === 1 && {ONE_ROW: ''}),
      ...(packed && isOneColumn(rows, columns) && {ONE_COLUMN: ''}),
      [`LANES_${lanes.toUpperCase()}`]: '',
      ...(isPerChannel(texelView) && {PER_CHANNEL: ''}),
      ...(inner === 1 && {INNER_ONE: ''}),
    },
    uniforms: {
      view: ['ivec3', [channels, inner, width % (channels * inner)]],
      matrix: ['ivec2', [rows, columns]],
    },
  });
}

/**
 * Says whether some lanes lie outside of the matrix, the second row's or column's of a single one aside; `except` leaves
 * lanes out.
 */
export function raggedPart({packed, rows, columns}: TexelView, except?: Lanes): Part {
  const [oddRows, oddColumns] = [rows % 2 === 1 && rows > 1, columns % 2 === 1 && !isOneColumn(rows, columns)];
  const ragged = packed && ((oddRows && except !== 'rows') || (oddColumns && except !== 'columns'));
  return partOf({defines: ragged ? {RAGGED: ''} : {}});
}

/** Where an input's texels lie, seen from a program that goes through those of `raster`: see shaders/webgl/texels.glsl. */
function layoutOf({packed, width, height, start}: TensorTexture, texelView: TexelView, raster: Raster): string {
  if (packed !== texelView.packed) return 'UNPACKED';
  if (width !== raster.width || start !== 0) return 'MOVED';
  return raster.drawn && height === raster.height ? 'OVERLAID' : 'ALIGNED';
}

/** An input that is read texel by texel. */
export function dataPart(name: string, input: TensorTexture, texelView: TexelView, raster: Raster): Part {
  return {
    defines: {[`${name}_LAYOUT`]: layoutOf(input, texelView, raster)},
    inputs: {[name]: input},
    uniforms: {[`${name.toLowerCase()}At`]: ['ivec3', [input.width, input.height, input.start]]},
  };
}

/** An output for `shape` whose texture is like that of `lead`, if tfjs can be brought to make it. */
export function outputLike(lead: TensorTexture, shape: readonly number[]): {out: Output; raster: Raster} {
  const size = util.sizeFromShape([...shape]);
  const {packed, width, height} = lead;
  if (packed) {
    const {rows, columns} = matrixOf(shape);
    const cube = [size / (rows * columns), rows, columns];
    return {out: {shape: cube, packed, texelShape: [height, width]}, raster: {width, height, drawn: true}};
  }
  if (width * height === size && height > 1) {
    return {out: {shape: [height, width], packed}, raster: {width, height, drawn: true}};
  }
  return {out: {shape: [size], packed}, raster: {...rowTexture(size), drawn: true}};
}
