/**
 * WebGL: how a tensor's texture is bound, how wide its texels are, and how a sum is staged. The arithmetic is in
 * shaders/webgl/quantize.glsl.
 *
 * Every program reads raw textures at places that it computes itself, from uniforms. So one program serves all shapes,
 * packed and unpacked inputs meet in one dispatch, and tfjs never repacks.
 */
import {env, getKernel, type TensorInfo, util} from '@tensorflow/tfjs-core';
import type {GPGPUProgram, MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import boundsText from '../../shaders/webgl/bounds.glsl';
import cornersText from '../../shaders/webgl/corners.glsl';
import gridsText from '../../shaders/webgl/grids.glsl';
import eachText from '../../shaders/webgl/each.glsl';
import measureText from '../../shaders/webgl/measure.glsl';
import measurePartialsText from '../../shaders/webgl/measure_partials.glsl';
import observeText from '../../shaders/webgl/observe.glsl';
import partialsText from '../../shaders/webgl/partials.glsl';
import projectText from '../../shaders/webgl/project.glsl';
import quantizeText from '../../shaders/webgl/quantize.glsl';
import rangeText from '../../shaders/webgl/range.glsl';
import routeText from '../../shaders/webgl/route.glsl';
import sumText from '../../shaders/webgl/sum.glsl';
import sumPartialsText from '../../shaders/webgl/sum_partials.glsl';
import texelsText from '../../shaders/webgl/texels.glsl';
import walkText from '../../shaders/webgl/walk.glsl';
import type {Device, Range, Scheme, View} from '../device';
import {gridOf} from '../grid';
import {OBSERVERS} from '../observe';

type TextureData = ReturnType<MathBackendWebGL['texData']['get']>;
type Uniform = NonNullable<GPGPUProgram['customUniforms']>[number]['type'];

/** tfjs's enum is not exported, only its type: the texture's shape comes from us. */
// eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment
const DENSE = 0 as NonNullable<GPGPUProgram['outPackingScheme']>;

/** A tensor on the GPU, in texels: one element each, or 2x2 of the last two dimensions if packed. */
interface Resident {
  readonly data: TextureData;
  readonly packed: boolean;
  readonly width: number;
  readonly height: number;
  /** The texel where it starts: a slice shares its parent's texture. */
  readonly start: number;
  /** What was made to get there. */
  readonly temporary?: TensorInfo;
}

/** Whether the four lanes of a texel share a channel, or its columns or its rows have one each. */
type Lanes = 'same' | 'columns' | 'rows';

/** The texels that a program goes through, as a `View` of texels, and the matrix that they cover. */
interface Domain {
  readonly packed: boolean;
  readonly lanes: Lanes;
  readonly channels: number;
  readonly inner: number;
  readonly texels: number;
  readonly rows: number;
  readonly columns: number;
}

/** What a program is made of: code, the inputs by the name of their sampler, and the uniforms by theirs. */
interface Part {
  readonly defines: Readonly<Record<string, string>>;
  readonly inputs: Readonly<Record<string, Resident>>;
  readonly uniforms: Readonly<Record<string, readonly [Uniform, readonly number[]]>>;
}

/** How a reduction is shared: see shaders/webgl/walk.glsl. */
interface Plan {
  readonly chunks: number;
  readonly window: number;
  readonly group: number;
  readonly channelsAdjoin: boolean;
}

const RANGED = [boundsText, rangeText, eachText];
const REDUCING = [eachText, partialsText];

/** What each program's code is made of, after the arithmetic. */
const PROGRAMS = {
  project: [...RANGED, projectText],
  route: [...RANGED, routeText],
  grids: [boundsText, gridsText],
  sum: [...RANGED, walkText, sumText],
  sumPartials: [...REDUCING, sumPartialsText],
  measure: [eachText, walkText, measureText],
  measurePartials: [...REDUCING, measurePartialsText],
  observe: [eachText, observeText],
};

type ProgramName = keyof typeof PROGRAMS;

/**
 * A program's code, which tfjs reads in two ways: it joins it to the rest of a shader to compile it, and at every run it
 * adds it to the key that programs are cached by. A short name serves there: hashing all of the code would take as long as
 * the rest of a small tensor's run.
 */
function codeOf(program: ProgramName, definitions: readonly string[]): string {
  const name = [program, ...definitions].join();
  const code = () => [...definitions, quantizeText, texelsText, ...PROGRAMS[program]].join('\n');
  return {[Symbol.toPrimitive]: (hint: string) => (hint === 'default' ? name : code())} as unknown as string;
}

/** A program as tfjs wants it. Named, so that profiles tell it from others. */
class QuantizationProgram implements GPGPUProgram {
  readonly variableNames: string[];
  readonly customUniforms: {name: string; type: Uniform}[];
  readonly outputShape: number[];
  readonly userCode: string;
  readonly packedOutput: boolean;
  /** Tells tfjs to take the texture's shape from us. */
  readonly outPackingScheme?: NonNullable<GPGPUProgram['outPackingScheme']>;
  /** tfjs's cache then tells programs apart by rank, not by shape. */
  readonly enableShapeUniforms = true;

  constructor(name: ProgramName, {defines, inputs, uniforms}: Part, out: Output) {
    const definitions = definitionsOf({FROM_CORNERS: 'flat in', ...defines, ...(out.packed && {PACKED_OUTPUT: ''})});
    this.userCode = codeOf(name, definitions);
    this.variableNames = Object.keys(inputs);
    this.customUniforms = Object.entries(uniforms).map(([name, [type]]) => ({name, type}));
    this.outputShape = [...out.shape];
    this.packedOutput = out.packed;
    if (out.texelShape) this.outPackingScheme = DENSE;
  }
}

function definitionsOf(defines: Readonly<Record<string, string>>): string[] {
  return Object.entries(defines).map(([name, value]) => `#define ${name} ${value}`);
}

const VERTEX_PRELUDE = `#version 300 es
precision highp float;
precision highp int;
precision highp sampler2D;
#define FROM_CORNERS flat out`;

const vertexShaders = new WeakMap<WebGLRenderingContext, Map<string, WebGLShader>>();

/** The vertex shader that derives a range's grid. */
function cornersOf(gl: WebGLRenderingContext, {defines, inputs, uniforms}: Part): WebGLShader {
  const samplers = Object.keys(inputs).map(name => `uniform sampler2D ${name};`);
  const others = Object.entries(uniforms).map(([name, [type]]) => `uniform ${type} ${name};`);
  const declarations = [VERTEX_PRELUDE, ...definitionsOf(defines), ...samplers, ...others].join('\n');
  const known = vertexShaders.get(gl) ?? new Map<string, WebGLShader>();
  vertexShaders.set(gl, known);
  const found = known.get(declarations);
  if (found) return found;
  const shader = gl.createShader(gl.VERTEX_SHADER)!;
  gl.shaderSource(shader, [declarations, quantizeText, texelsText, boundsText, cornersText].join('\n'));
  gl.compileShader(shader);
  known.set(declarations, shader);
  return shader;
}

/** Runs `work`, in which tfjs links what it compiles with another vertex shader than its own. */
function withVertexShader<T>(gpgpu: object, shader: WebGLShader, work: () => T): T {
  const context = gpgpu as {vertexShader: WebGLShader | undefined};
  const {vertexShader} = context;
  context.vertexShader = shader;
  try {
    return work();
  } finally {
    context.vertexShader = vertexShader;
  }
}

function matrixOf(shape: readonly number[]): {rows: number; columns: number} {
  return {rows: shape.at(-2) ?? 1, columns: shape.at(-1) ?? 1};
}

/** Beyond this many elements tfjs packs in wrong places: it counts them in floats. */
const MOST_PACKED = 2 ** 24;

/** Puts a tensor on the GPU, where it is not there yet, as tfjs would for a packed or an unpacked program. */
function resident(backend: MathBackendWebGL, tensor: TensorInfo, packed: boolean): Resident {
  let data = backend.texData.get(tensor.dataId);
  if (data.texture == null && packed && util.sizeFromShape(tensor.shape) <= MOST_PACKED) {
    data.isPacked = true;
    data.shape = tensor.shape;
  }
  backend.uploadToGPU(tensor.dataId);
  const temporary = data.isPacked ? reshaped(backend, tensor, data.shape) : undefined;
  if (temporary) data = backend.texData.get(temporary.dataId);
  const texelSide = data.isPacked ? 2 : 1;
  const [height = 1, width = 1] = data.texShape!.map(side => Math.ceil(side / texelSide));
  const start = data.slice?.flatOffset ?? 0;
  return {data, packed: !!data.isPacked, width, height, start, ...(temporary && {temporary})};
}

/** A packed texture holds the shape that it was made for. Where a tensor has since another, tfjs moves the texels. */
function reshaped(backend: MathBackendWebGL, tensor: TensorInfo, shape: number[]): TensorInfo | undefined {
  if (util.arraysEqual(shape.slice(-2), tensor.shape.slice(-2))) return undefined;
  const reshape = getKernel('Reshape', 'webgl');
  if (!reshape) return undefined;
  const x = {...tensor, shape};
  return reshape.kernelFunc({inputs: {x}, backend, attrs: {shape: tensor.shape}}) as TensorInfo;
}

/** x, and dy. What is not on the GPU yet goes there as the other lies, or packed if tfjs packs at all. */
function residentData(
  backend: MathBackendWebGL,
  tensors: Readonly<Record<string, TensorInfo>>,
): Record<string, Resident> {
  const there = Object.values(tensors)
    .map(({dataId}) => backend.texData.get(dataId))
    .filter(data => data.texture != null);
  const packed = there[0] ? there.some(data => data.isPacked) : env().getBool('WEBGL_PACK');
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, resident(backend, tensor, packed)]));
}

function domainOf(packed: boolean, shape: readonly number[], view: View): Domain {
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

/** Whether the second column's lanes are left alone. */
function isOneColumn(rows: number, columns: number): boolean {
  return columns === 1 && rows > 1;
}

/** Says whether some lanes lie outside of the matrix, the second row's or column's of a single one aside; `except` leaves lanes out. */
function raggedPart({packed, rows, columns}: Domain, except?: Lanes): Part {
  const [oddRows, oddColumns] = [rows % 2 === 1 && rows > 1, columns % 2 === 1 && !isOneColumn(rows, columns)];
  const ragged = packed && ((oddRows && except !== 'rows') || (oddColumns && except !== 'columns'));
  return constantPart(ragged ? {RAGGED: ''} : {});
}

/** The size of the texture whose texels a program goes through, and whether those are the texels that it draws. */
interface Ground {
  readonly width: number;
  readonly height: number;
  readonly drawn: boolean;
}

/** Where an input's texels lie, seen from a program that goes through texels of `ground`. */
function lieOf({packed, width, height, start}: Resident, domain: Domain, ground: Ground): string {
  if (packed !== domain.packed) return 'LOOSE';
  if (width !== ground.width || start !== 0) return 'MOVED';
  return ground.drawn && height === ground.height ? 'OVERLAID' : 'ALIGNED';
}

function dataPart(name: string, input: Resident, domain: Domain, ground: Ground): Part {
  return {
    defines: {[`${name}_LIE`]: lieOf(input, domain, ground)},
    inputs: {[name]: input},
    uniforms: {[`${name.toLowerCase()}At`]: ['ivec3', [input.width, input.height, input.start]]},
  };
}

function isPerChannel({channels, lanes}: Domain): boolean {
  return channels > 1 || lanes !== 'same';
}

function domainPart(domain: Domain, width: number): Part {
  const {packed, lanes, channels, inner, rows, columns} = domain;
  return {
    defines: {
      ...(packed && {PACKED: ''}),
      ...(packed && rows === 1 && {ONE_ROW: ''}),
      ...(packed && isOneColumn(rows, columns) && {ONE_COLUMN: ''}),
      [`LANES_${lanes.toUpperCase()}`]: '',
      ...(isPerChannel(domain) && {PER_CHANNEL: ''}),
      ...(inner === 1 && {INNER_ONE: ''}),
    },
    inputs: {},
    uniforms: {
      view: ['ivec3', [channels, inner, width % (channels * inner)]],
      matrix: ['ivec2', [rows, columns]],
    },
  };
}

type Bounds = Exclude<Range, {kind: 'numbers'}>;

function rangePart(backend: MathBackendWebGL, range: Range, scheme: Scheme, domain: Domain, ground: Ground): Part {
  if (range.kind === 'numbers') return numbersPart([range.min, range.max], scheme);
  const numbers = numbersOf(backend, range);
  if (numbers) return numbersPart(numbers, scheme);
  const derived = isPerChannel(domain) ? derivedPart(backend, range, scheme, domain, ground) : undefined;
  return derived ?? boundsPart(backend, range, scheme, domain);
}

/** The range's numbers, if it is two scalars that have not left the CPU. */
function numbersOf(backend: MathBackendWebGL, range: Bounds): [number, number] | undefined {
  if (range.kind === 'rows') return undefined;
  const [min, max] = [range.min, range.max].map(({dataId, shape}) =>
    util.sizeFromShape(shape) === 1 ? numberAt(backend.texData.get(dataId)) : undefined,
  );
  return min === undefined || max === undefined ? undefined : [min, max];
}

function numberAt({texture, values}: TextureData): number | undefined {
  const first = texture == null && values != null ? values[0] : undefined;
  return typeof first === 'number' ? first : undefined;
}

function numbersPart(numbers: readonly [number, number], {fit, levels}: Scheme): Part {
  const {scale, inverse, zero, low, high, empty} = gridOf(fit, ...numbers, levels);
  const uniforms = {
    gridSteps: ['vec3', [scale, inverse, zero]],
    gridBounds: ['vec3', [low, high, empty ? 1 : 0]],
  } as const;
  return {defines: {RANGE_NUMBERS: '', SHARED: '', ...cornerDefines()}, inputs: {}, uniforms};
}

/** WebGL 1 has no way to hand values from the corners to all texels unchanged. */
function cornerDefines(): Record<string, string> {
  return env().getNumber('WEBGL_VERSION') === 2 ? {AT_CORNERS: ''} : {};
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
  {lanes, channels, inner, texels}: Domain,
  {width, height}: Ground,
): Part | undefined {
  const gridsPerTexel = lanes === 'same' ? 1 : 2;
  const row = channels * gridsPerTexel;
  const step = greatestCommonDivisor(width, inner);
  const lookup = [1 / step, (width % (channels * inner)) / step, step / inner, 1 / channels] as const;
  const pays = texels >= 2 ** 14 && texels >= 8 * row;
  const fits = row <= LONGEST_ROW && lookup[1] * height + width < MOST_STEPS && scheme.fit !== 'anchored';
  if (!pays || !fits || !env().getBool('WEBGL_RENDER_FLOAT32_ENABLED')) return undefined;
  const grids = {packed: false, lanes: 'same', channels: row, inner: 1, texels: row, rows: 1, columns: row} as const;
  const parts = [domainPart(grids, row), boundsPart(backend, range, scheme, grids)];
  const out = {shape: [2, 2 * row], packed: true, texelShape: [1, row], intermediate: true} as const;
  const made = dispatch(backend, 'grids', parts, out);
  return {
    defines: {DERIVED: '', FIT: scheme.fit.toUpperCase(), ...cornerDefines()},
    inputs: {GRIDS: {...resident(backend, made, true), temporary: made}},
    uniforms: {lookup: ['vec4', lookup]},
  };
}

function boundsPart(backend: MathBackendWebGL, range: Bounds, {fit, levels}: Scheme, domain: Domain): Part {
  const perChannel = isPerChannel(domain);
  const bounds = boundsOf(backend, range, domain);
  const [low, high] = bounds;
  return {
    defines: {
      FIT: fit.toUpperCase(),
      IN_ROW: String(bounds.every(({height}) => height === 1)),
      LOW_PACKED: String(low.packed),
      ...(high ? {HIGH_PACKED: String(high.packed)} : {HIGH_LANE: isOneRow(range) ? 'g' : 'b'}),
      ...(!perChannel && {SHARED: ''}),
      ...cornerDefines(),
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
function boundsOf(backend: MathBackendWebGL, range: Bounds, domain: Domain) {
  if (range.kind === 'tensors') {
    const packed = domain.lanes !== 'same';
    return [resident(backend, range.min, packed), resident(backend, range.max, packed)] as const;
  }
  const low = resident(backend, range.rows, true);
  if (low.packed) return [low] as const;
  const start = low.start + util.sizeFromShape(range.rows.shape.slice(1));
  return [low, {...low, start}] as const;
}

function isOneRow(range: Bounds): boolean {
  return range.kind === 'rows' && range.rows.shape.length === 1;
}

/** A bound's size, and per channel where it starts, per tensor its place. */
function boundAt({width, height, start}: Resident, perChannel: boolean): number[] {
  return [width, height, ...(perChannel ? [start, 0] : [start % width, Math.floor(start / width)])];
}

/**
 * About as many walks a channel as a walk has steps, so that both passes are short; fewer where the channels alone
 * keep a device busy.
 */
function planOf({packed, channels, inner, texels}: Domain): Plan {
  const perChannel = texels / channels;
  const busy = Math.ceil(8192 / channels);
  const chunks = Math.max(Math.min(Math.ceil(Math.sqrt(perChannel)), busy), Math.ceil(perChannel / 65536));
  const channelsAdjoin = channels > 1 && inner < 16;
  // A step of a group reads 64 bytes in a row.
  const group = channelsAdjoin ? 1 : Math.min(chunks, packed ? 4 : 16);
  const whole = Math.ceil(chunks / group) * group;
  return {chunks: whole, window: Math.ceil(perChannel / whole), group, channelsAdjoin};
}

function planPart({chunks, window, group, channelsAdjoin}: Plan): Part {
  const uniforms = {plan: ['ivec4', [chunks, window, group, channelsAdjoin ? 1 : 0]]} as const;
  return {defines: {}, inputs: {}, uniforms};
}

function walkPart({group}: Plan, {channels, inner, texels}: Domain, width: number): Part {
  const inRun = group % inner;
  const stride = Math.floor(group / inner) * channels * inner + inRun;
  const wrapped = stride + (channels - 1) * inner;
  const placeOf = (t: number) => [t % width, Math.floor(t / width)];
  return {
    defines: {},
    inputs: {},
    uniforms: {
      domain: ['ivec2', [texels / channels, width]],
      strides: ['ivec3', [inRun, stride, wrapped]],
      stridePlaces: ['ivec4', [...placeOf(stride), ...placeOf(wrapped)]],
    },
  };
}

function constantPart(defines: Readonly<Record<string, string>>): Part {
  return {defines, inputs: {}, uniforms: {}};
}

interface Output {
  readonly shape: readonly number[];
  readonly packed: boolean;
  readonly texelShape?: readonly [number, number] | undefined;
  readonly intermediate?: boolean;
}

/** An input as a bare texture, whatever it holds, so that tfjs neither repacks it nor compiles for its shape. */
function bare(data: TextureData): TextureData {
  const alias = {...data, isPacked: false, shape: [2], texShape: [2, 2] as [number, number]};
  delete alias.slice;
  return alias;
}

/** A 0 that no compiler knows: see `rounded` in shaders/webgl/quantize.glsl. */
const NOTHING: Part = {defines: {}, inputs: {}, uniforms: {unknown: ['int', [0]]}};

function joined(parts: readonly Part[]): Part {
  return {
    defines: Object.assign({}, ...parts.map(part => part.defines)) as Part['defines'],
    inputs: Object.assign({}, ...parts.map(part => part.inputs)) as Part['inputs'],
    uniforms: Object.assign({}, ...parts.map(part => part.uniforms)) as Part['uniforms'],
  };
}

function dispatch(backend: MathBackendWebGL, name: ProgramName, parts: readonly Part[], out: Output): TensorInfo {
  const part = joined([NOTHING, ...parts]);
  const inputs = Object.values(part.inputs);
  const values = Object.values(part.uniforms).map(([, value]) => [...value]);
  const aliases = inputs.map(({data}): TensorInfo => {
    const dataId = {};
    backend.texData.set(dataId, bare(data));
    return {dataId, shape: [2], dtype: 'float32'};
  });
  const texelShape = out.texelShape && ([...out.texelShape] as [number, number]);
  const run = () => {
    const program = new QuantizationProgram(name, part, out);
    return backend.runWebGLProgram(program, aliases, 'float32', values, out.intermediate ?? false, texelShape);
  };
  try {
    const {gpgpu} = backend;
    return 'AT_CORNERS' in part.defines ? withVertexShader(gpgpu, cornersOf(gpgpu.gl, part), run) : run();
  } finally {
    for (const {dataId} of aliases) backend.texData.delete(dataId);
    for (const {temporary} of inputs) if (temporary) backend.disposeIntermediateTensorInfo(temporary);
  }
}

/** An output for `shape` whose texture is like that of `lead`, if tfjs can be brought to make it. */
function outputLike(lead: Resident, packed: boolean, shape: readonly number[]): {out: Output; ground: Ground} {
  const size = util.sizeFromShape([...shape]);
  const {width, height} = lead;
  if (packed) {
    const {rows, columns} = matrixOf(shape);
    const cube = [size / (rows * columns), rows, columns];
    return {out: {shape: cube, packed, texelShape: [height, width]}, ground: {width, height, drawn: true}};
  }
  if (width * height === size && height > 1) {
    return {out: {shape: [height, width], packed}, ground: {width, height, drawn: true}};
  }
  return {out: {shape: [size], packed}, ground: {...rowTexture(size), drawn: true}};
}

/** The texture that tfjs makes for a row: one row, unless that is too long. */
function rowTexture(size: number): {width: number; height: number} {
  const longest = env().getNumber('WEBGL_MAX_TEXTURE_SIZE');
  const given = env().getNumber('WEBGL_MAX_SIZE_FOR_NARROW_TEXTURE');
  const squarifies = given === Infinity && env().getBool('WEBGL_AUTO_SQUARIFY_NARROW_TEXTURE_SHAPE');
  if (size <= Math.min(longest, squarifies ? longest / 2 : given)) return {width: size, height: 1};
  const [height, width] = util.sizeToSquarishShape(size);
  return {width, height};
}

/** tfjs's WebGL backend. */
export function webgl(backend: MathBackendWebGL): Device {
  /** Runs a program over every texel of x, into the same layout. */
  function each(
    program: ProgramName,
    x: TensorInfo,
    data: Readonly<Record<string, Resident>>,
    view: View,
    parts: (domain: Domain, ground: Ground) => Part[],
  ) {
    const inputs = Object.values(data);
    const lead = inputs.find(input => input.packed) ?? inputs[0]!;
    const domain = domainOf(lead.packed, x.shape, view);
    const {out, ground} = outputLike(lead, lead.packed, x.shape);
    const dataParts = Object.entries(data).map(([name, input]) => dataPart(name, input, domain, ground));
    const made = dispatch(
      backend,
      program,
      [domainPart(domain, ground.width), raggedPart(domain), ...dataParts, ...parts(domain, ground)],
      out,
    );
    return {...made, shape: x.shape};
  }

  /** Reduces every channel in one walk, and a second pass for each output. */
  function reduce(
    [walk, second]: readonly [ProgramName, ProgramName],
    x: TensorInfo,
    data: Readonly<Record<string, Resident>>,
    view: View,
    parts: (domain: Domain, ground: Ground) => Part[],
    shared: Part,
    outputs: readonly (Output & {part?: Part})[],
  ) {
    const inputs = Object.values(data);
    const lead = inputs.find(input => input.packed) ?? inputs[0]!;
    const domain = domainOf(lead.packed, x.shape, view);
    const plan = planOf(domain);
    const ground = {width: lead.width, height: lead.height, drawn: false};
    const dataParts = Object.entries(data).map(([name, input]) => dataPart(name, input, domain, ground));
    // Lanes in a channel that nobody asks for do no harm.
    const ragged = raggedPart(domain, domain.lanes);
    const common = [domainPart(domain, lead.width), planPart(plan), shared];
    const [height, width] = util.sizeToSquarishShape(plan.chunks * domain.channels);
    const partials = dispatch(
      backend,
      walk,
      [...common, walkPart(plan, domain, lead.width), ragged, ...dataParts, ...parts(domain, ground)],
      {shape: [2 * height, 2 * width], packed: true, intermediate: true},
    );
    const source = resident(backend, partials, true);
    const at: Part = {defines: {}, inputs: {PARTIALS: source}, uniforms: {partialsAt: ['ivec2', [width, height]]}};
    const made = outputs.map(({part, ...out}) =>
      dispatch(backend, second, [...common, at, ...(part ? [part] : [])], out),
    );
    backend.disposeIntermediateTensorInfo(partials);
    return made;
  }

  return {
    project(x, range, view, scheme) {
      const {rounding, clamped} = scheme;
      const constants = constantPart({ROUNDING: rounding.toUpperCase(), CLAMPED: String(clamped)});
      return each('project', x, residentData(backend, {X: x}), view, (domain, ground) => [
        constants,
        rangePart(backend, range, scheme, domain, ground),
      ]);
    },
    route(dy, x, range, view, scheme, outputs) {
      const data = () => residentData(backend, {X: x, DY: dy});
      const parts = (side: string) => (domain: Domain, ground: Ground) => [
        constantPart({SIDE: side}),
        rangePart(backend, range, scheme, domain, ground),
      ];
      const sides = outputs.filter(({summed}) => summed).map(({side}) => side);
      const sumOf = (row: number) => ({shape: view.rangeShape, packed: false, part: rowPart(row)});
      const sums =
        sides.length > 0
          ? reduce(
              ['sum', 'sumPartials'],
              x,
              data(),
              view,
              parts(sides.length > 1 ? 'BOTH' : sides[0]!.toUpperCase()),
              constantPart({}),
              sides.map((_, row) => sumOf(row)),
            )
          : [];
      return outputs.map(({side, summed}) =>
        summed ? sums[sides.indexOf(side)]! : each('route', x, data(), view, parts(side.toUpperCase())),
      );
    },
    measure(x, view) {
      const defines = {...(view.rangeShape.length === 0 && {PER_TENSOR: ''})};
      const infinity: Part = {defines, inputs: {}, uniforms: {infinity: ['float', [Infinity]]}};
      const out = {shape: [2, ...view.rangeShape], packed: true, intermediate: true};
      return reduce(['measure', 'measurePartials'], x, residentData(backend, {X: x}), view, () => [], infinity, [
        out,
      ])[0]!;
    },
    observe(measured, moving, {channels, rangeShape}, {observer, rate, debias, ratio}) {
      const [batch, before] = [resident(backend, measured, false), resident(backend, moving, false)];
      const part: Part = {
        defines: {},
        inputs: {MEASURED: batch, MOVING: before},
        uniforms: {
          measuredAt: ['ivec4', elementsAt(batch, measured)],
          movingAt: ['ivec4', elementsAt(before, moving)],
          view: ['ivec3', [channels, 1, 0]],
          matrix: ['ivec2', [1, 1]],
          rule: ['ivec2', [OBSERVERS.indexOf(observer), debias ? 1 : 0]],
          steps: ['vec2', [rate, ratio]],
        },
      };
      return dispatch(backend, 'observe', [part], {shape: [3, ...rangeShape], packed: false});
    },
    dispose: tensor => backend.disposeIntermediateTensorInfo(tensor),
  };
}

/** Where the elements of a small tensor are: its texture's size, its start, its columns if it is packed. */
function elementsAt({width, height, start, packed}: Resident, {shape}: TensorInfo): number[] {
  return [width, height, start, packed ? matrixOf(shape).columns : 0];
}

/** Which of a walk's two sums an output is. */
function rowPart(row: number): Part {
  return {defines: {}, inputs: {}, uniforms: {row: ['int', [row]]}};
}
