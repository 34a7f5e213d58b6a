/**
 * WebGL: how a tensor's texture is bound, how wide its texels are, and how a sum is staged. The arithmetic is in
 * shaders/quantize.glsl.
 *
 * Every program reads raw textures at places that it computes itself, from uniforms. So one program serves all shapes,
 * packed and unpacked inputs meet in one dispatch, and tfjs never repacks.
 */
import {env, getKernel, type TensorInfo, util} from '@tensorflow/tfjs-core';
import type {GPGPUProgram, MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import eachText from '../shaders/each.glsl';
import measureText from '../shaders/measure.glsl';
import measurePartialsText from '../shaders/measure_partials.glsl';
import observeText from '../shaders/observe.glsl';
import partialsText from '../shaders/partials.glsl';
import projectText from '../shaders/project.glsl';
import quantizeText from '../shaders/quantize.glsl';
import rangeText from '../shaders/range.glsl';
import routeText from '../shaders/route.glsl';
import sumText from '../shaders/sum.glsl';
import sumPartialsText from '../shaders/sum_partials.glsl';
import texelsText from '../shaders/texels.glsl';
import walkText from '../shaders/walk.glsl';
import type {Device, Range, Scheme, View} from './device';
import {gridOf, type Side} from './grid';
import {OBSERVERS} from './observe';

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

/** How a reduction is shared: see shaders/walk.glsl. */
interface Plan {
  readonly chunks: number;
  readonly window: number;
  readonly group: number;
  readonly channelsAdjoin: boolean;
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

  constructor(texts: readonly string[], {defines, inputs, uniforms}: Part, out: Output) {
    const definitions = Object.entries(defines).map(([name, value]) => `#define ${name} ${value}`);
    if (out.packed) definitions.push('#define PACKED_OUTPUT');
    this.userCode = [...definitions, quantizeText, texelsText, ...texts].join('\n');
    this.variableNames = Object.keys(inputs);
    this.customUniforms = Object.entries(uniforms).map(([name, [type]]) => ({name, type}));
    this.outputShape = [...out.shape];
    this.packedOutput = out.packed;
    if (out.texelShape) this.outPackingScheme = DENSE;
  }
}

function matrixOf(shape: readonly number[]): {rows: number; columns: number} {
  return {rows: shape.at(-2) ?? 1, columns: shape.at(-1) ?? 1};
}

/** Puts a tensor on the GPU, where it is not there yet, as tfjs would for a packed or an unpacked program. */
function resident(backend: MathBackendWebGL, tensor: TensorInfo, packed: boolean): Resident {
  let data = backend.texData.get(tensor.dataId);
  if (data.texture == null && packed) {
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

/** Whether some lanes lie outside of the matrix, and not merely in a channel that nobody asks for. */
function isRagged({packed, lanes, rows, columns}: Domain): boolean {
  return packed && ((rows % 2 === 1 && lanes !== 'rows') || (columns % 2 === 1 && lanes !== 'columns'));
}

/** Where an input's texels lie, seen from a program that goes through texels of a texture of `width`. */
function lieOf(input: Resident, packed: boolean, width: number | undefined): string {
  if (input.packed !== packed) return 'LOOSE';
  return input.width === width && input.start === 0 ? 'ALIGNED' : 'MOVED';
}

function dataPart(name: string, input: Resident, {packed}: Domain, width: number | undefined): Part {
  return {
    defines: {[`${name}_LIE`]: lieOf(input, packed, width)},
    inputs: {[name]: input},
    uniforms: {[`${name.toLowerCase()}At`]: ['ivec3', [input.width, input.height, input.start]]},
  };
}

function isPerChannel({channels, lanes}: Domain): boolean {
  return channels > 1 || lanes !== 'same';
}

function domainPart(domain: Domain): Part {
  const {packed, lanes, channels, inner, rows, columns} = domain;
  return {
    defines: {
      ...(packed && {PACKED: ''}),
      [`LANES_${lanes.toUpperCase()}`]: '',
      ...(isPerChannel(domain) && {PER_CHANNEL: ''}),
    },
    inputs: {},
    uniforms: {view: ['ivec2', [channels, inner]], matrix: ['ivec2', [rows, columns]]},
  };
}

/** The range's numbers, if it is two numbers or two scalars that have not left the CPU. */
function numbersOf(backend: MathBackendWebGL, range: Range): [number, number] | undefined {
  if (range.kind === 'numbers') return [range.min, range.max];
  if (range.kind === 'measured') return undefined;
  const [min, max] = [range.min, range.max].map(({dataId, shape}) =>
    util.sizeFromShape(shape) === 1 ? numberAt(backend.texData.get(dataId)) : undefined,
  );
  return min === undefined || max === undefined ? undefined : [min, max];
}

function numberAt({texture, values}: TextureData): number | undefined {
  const first = texture == null && values != null ? values[0] : undefined;
  return typeof first === 'number' ? first : undefined;
}

function rangePart(backend: MathBackendWebGL, range: Range, {fit, levels}: Scheme, domain: Domain): Part {
  const numbers = numbersOf(backend, range);
  if (numbers) {
    const {scale, inverse, zero, low, high, empty} = gridOf(fit, ...numbers, levels);
    const uniforms = {
      gridSteps: ['vec3', [scale, inverse, zero]],
      gridBounds: ['vec3', [low, high, empty ? 1 : 0]],
    } as const;
    return {defines: {RANGE_NUMBERS: ''}, inputs: {}, uniforms};
  }
  const defines = {FIT: fit.toUpperCase()};
  const levelsUniform = ['vec2', [levels.qmin, levels.qmax]] as const;
  if (range.kind === 'measured') {
    const both = resident(backend, range.both, true);
    return {
      defines: {...defines, RANGE_MEASURED: ''},
      inputs: {BOTH: both},
      uniforms: {levels: levelsUniform, bothAt: ['ivec2', [both.width, both.height]]},
    };
  }
  if (range.kind === 'numbers') throw new Error('A range of numbers is a grid of uniforms.');
  const [low, high] = [resident(backend, range.min, false), resident(backend, range.max, false)];
  return {
    defines: {...defines, RANGE_TENSORS: ''},
    inputs: {LOW: low, HIGH: high},
    uniforms: {
      levels: levelsUniform,
      lowAt: ['ivec4', boundAt(low, domain)],
      highAt: ['ivec4', boundAt(high, domain)],
    },
  };
}

/** Per channel a bound's size, start and packing; per tensor its size and place. */
function boundAt({width, height, start, packed}: Resident, domain: Domain): number[] {
  return [
    width,
    height,
    ...(isPerChannel(domain) ? [start, packed ? 1 : 0] : [start % width, Math.floor(start / width)]),
  ];
}

/**
 * About as many walks a channel as a walk has steps, so that both passes are short; fewer where the channels alone
 * keep a device busy.
 */
function planOf({channels, inner, texels}: Domain): Plan {
  const perChannel = texels / channels;
  const busy = Math.ceil(8192 / channels);
  const chunks = Math.max(Math.min(Math.ceil(Math.sqrt(perChannel)), busy), Math.ceil(perChannel / 65536));
  const channelsAdjoin = channels > 1 && inner < 16;
  const group = channelsAdjoin ? 1 : Math.min(chunks, 16);
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

function joined(parts: readonly Part[]): Part {
  return {
    defines: Object.assign({}, ...parts.map(part => part.defines)) as Part['defines'],
    inputs: Object.assign({}, ...parts.map(part => part.inputs)) as Part['inputs'],
    uniforms: Object.assign({}, ...parts.map(part => part.uniforms)) as Part['uniforms'],
  };
}

function dispatch(
  backend: MathBackendWebGL,
  texts: readonly string[],
  parts: readonly Part[],
  out: Output,
): TensorInfo {
  const part = joined(parts);
  const inputs = Object.values(part.inputs);
  const values = Object.values(part.uniforms).map(([, value]) => [...value]);
  const aliases = inputs.map(({data}): TensorInfo => {
    const dataId = {};
    backend.texData.set(dataId, bare(data));
    return {dataId, shape: [2], dtype: 'float32'};
  });
  const texelShape = out.texelShape && ([...out.texelShape] as [number, number]);
  try {
    const program = new QuantizationProgram(texts, part, out);
    return backend.runWebGLProgram(program, aliases, 'float32', values, out.intermediate ?? false, texelShape);
  } finally {
    for (const {dataId} of aliases) backend.texData.delete(dataId);
    for (const {temporary} of inputs) if (temporary) backend.disposeIntermediateTensorInfo(temporary);
  }
}

/** An output for `shape` whose texture is like that of `lead`, if tfjs can be brought to make it; else `width` is unknown. */
function outputLike(lead: Resident, packed: boolean, shape: readonly number[]): Output & {width: number | undefined} {
  const size = util.sizeFromShape([...shape]);
  if (packed) {
    const {rows, columns} = matrixOf(shape);
    const cube = [size / (rows * columns), rows, columns];
    return {shape: cube, packed, texelShape: [lead.height, lead.width], width: lead.width};
  }
  if (lead.width * lead.height === size) return {shape: [lead.height, lead.width], packed, width: lead.width};
  const squarish = util.sizeToSquarishShape(size);
  const wide = size > env().getNumber('WEBGL_MAX_TEXTURE_SIZE');
  return {shape: [size], packed, width: wide ? squarish[1] : undefined};
}

/** tfjs's WebGL backend. */
export function webgl(backend: MathBackendWebGL): Device {
  /** Runs a program over every texel of x, into the same layout. */
  function each(
    text: string,
    x: TensorInfo,
    data: Readonly<Record<string, Resident>>,
    view: View,
    parts: (domain: Domain) => Part[],
  ) {
    const inputs = Object.values(data);
    const lead = inputs.find(input => input.packed) ?? inputs[0]!;
    const domain = domainOf(lead.packed, x.shape, view);
    const out = outputLike(lead, lead.packed, x.shape);
    const dataParts = Object.entries(data).map(([name, input]) => dataPart(name, input, domain, out.width));
    const made = dispatch(
      backend,
      [rangeText, eachText, text],
      [domainPart(domain), ...dataParts, ...parts(domain)],
      out,
    );
    return {...made, shape: x.shape};
  }

  /** Reduces every channel in two passes. */
  function reduce(
    texts: {walk: readonly string[]; partials: string},
    x: TensorInfo,
    data: Readonly<Record<string, Resident>>,
    view: View,
    parts: (domain: Domain) => Part[],
    shared: Part,
    out: Output,
  ) {
    const inputs = Object.values(data);
    const lead = inputs.find(input => input.packed) ?? inputs[0]!;
    const domain = domainOf(lead.packed, x.shape, view);
    const plan = planOf(domain);
    const dataParts = Object.entries(data).map(([name, input]) => dataPart(name, input, domain, lead.width));
    const ragged = constantPart(isRagged(domain) ? {RAGGED: ''} : {});
    const common = [domainPart(domain), planPart(plan), shared];
    const [height, width] = util.sizeToSquarishShape(plan.chunks * domain.channels);
    const partials = dispatch(
      backend,
      [eachText, walkText, ...texts.walk],
      [...common, walkPart(plan, domain, lead.width), ragged, ...dataParts, ...parts(domain)],
      {shape: [2 * height, 2 * width], packed: true, intermediate: true},
    );
    const source = resident(backend, partials, true);
    const made = dispatch(
      backend,
      [partialsText, texts.partials],
      [...common, {defines: {}, inputs: {PARTIALS: source}, uniforms: {partialsAt: ['ivec2', [width, height]]}}],
      out,
    );
    backend.disposeIntermediateTensorInfo(partials);
    return made;
  }

  return {
    project(x, range, view, scheme) {
      const {rounding, clamped} = scheme;
      const constants = constantPart({ROUNDING: rounding.toUpperCase(), CLAMPED: String(clamped)});
      return each(projectText, x, residentData(backend, {X: x}), view, domain => [
        constants,
        rangePart(backend, range, scheme, domain),
      ]);
    },
    route(dy, x, range, view, scheme, side) {
      const data = residentData(backend, {X: x, DY: dy});
      return each(routeText, x, data, view, domain => [sidePart(side), rangePart(backend, range, scheme, domain)]);
    },
    routeSum(dy, x, range, view, scheme, side) {
      const data = residentData(backend, {X: x, DY: dy});
      const texts = {walk: [rangeText, sumText], partials: sumPartialsText};
      const parts = (domain: Domain) => [sidePart(side), rangePart(backend, range, scheme, domain)];
      return reduce(texts, x, data, view, parts, constantPart({}), {shape: view.rangeShape, packed: false});
    },
    measure(x, view) {
      const texts = {walk: [measureText], partials: measurePartialsText};
      const infinity: Part = {defines: {}, inputs: {}, uniforms: {infinity: ['float', [Infinity]]}};
      const out = {shape: [2, view.channels], packed: true, intermediate: true};
      return reduce(texts, x, residentData(backend, {X: x}), view, () => [], infinity, out);
    },
    observe(measured, moving, {channels, rangeShape}, {observer, rate, debias, ratio}) {
      const [batch, before] = [resident(backend, measured, false), resident(backend, moving, false)];
      const part: Part = {
        defines: {},
        inputs: {MEASURED: batch, MOVING: before},
        uniforms: {
          measuredAt: ['ivec4', elementsAt(batch, measured)],
          movingAt: ['ivec4', elementsAt(before, moving)],
          channels: ['int', [channels]],
          rule: ['ivec2', [OBSERVERS.indexOf(observer), debias ? 1 : 0]],
          steps: ['vec2', [rate, ratio]],
        },
      };
      return dispatch(backend, [eachText, observeText], [part], {shape: [3, ...rangeShape], packed: false});
    },
    dispose: tensor => backend.disposeIntermediateTensorInfo(tensor),
  };
}

/** Where the elements of a small tensor are: its texture's size, its start, its columns if it is packed. */
function elementsAt({width, height, start, packed}: Resident, {shape}: TensorInfo): number[] {
  return [width, height, start, packed ? matrixOf(shape).columns : 0];
}

function sidePart(side: Side): Part {
  return constantPart({SIDE: side.toUpperCase()});
}
