/**
 * The arena of a model: what micro/micro_allocator.cc takes of it, in its order. From its head on lies what lives while the
 * model computes, planned as in memory_plan.ts; from its tail on what stays; between them, for a while, what planning needs.
 */
import {throwProblems} from '../../check/rules';
import {adderOf, type Call, callsOf, memoryOf, operatorProblems} from './kernels';
import {type Lifetime, plannedBytes} from './memory_plan';
import {bytesOf, type FileSubgraph, type FileTensor, type ModelFile, readModel, tensorsOf} from './model_file';

/**
 * How large a tensor arena is: see {@link arenaSize}.
 *
 * @example
 * ```js
 * import {arenaSize, toTFLite} from 'tfjs-quantization/tflite';
 *
 * const {head, tail, total, required} = arenaSize(await toTFLite(q, {inputType: 'int8'}));
 * console.log(head, tail, total, required);
 * ```
 */
export interface ArenaSize {
  /** Bytes for activations, and for what kernels compute with. */
  readonly head: number;
  /** Bytes for what stays: structures for tensors and operators, tables of multipliers, variables. */
  readonly tail: number;
  /** Bytes that are in use: both, as `interpreter.arena_used_bytes()` reports it. */
  readonly total: number;
  /** Bytes that the arena must have, a multiple of 16: the total, or what planning needs for a moment, which is more in small models. */
  readonly required: number;
}

/** Where buffers begin. */
const ALIGNMENT = 16;

/** Structures in bytes, by the names that the sources have for them, built as kernels.ts says. */
const BYTES = {
  AllocationInfo: 32,
  GreedyMemoryPlanner: 72,
  MicroBuiltinDataAllocator: 16,
  NodeAndRegistration: 64,
  RecordingMicroAllocator: 272,
  RecordingSingleArenaBufferAllocator: 104,
  ScratchBufferHandle: 8,
  ScratchBufferRequest: 16,
  SubgraphAllocations: 24,
  TfLiteAffineQuantization: 24,
  TfLiteEvalTensor: 24,
  TfLiteTensor: 64,
  plannedBuffer: 40,
  pointer: 8,
} as const;

/** Scratch buffers that one operator may ask for: room for so many requests is held free. */
const MOST_REQUESTS = 12;

const aligned = (bytes: number, alignment: number) => Math.ceil(bytes / alignment) * alignment;

/** What was taken of one end of the arena. */
class End {
  bytes = 0;

  /** Of the tail, where all grows downward from an aligned address, so that what is taken begins at an aligned one. */
  take(bytes: number, alignment: number): void {
    this.bytes = aligned(this.bytes + bytes, alignment);
  }
}

function takeTensor(end: End, {scale, zeroPoint}: FileTensor): void {
  end.take(BYTES.TfLiteTensor, 8);
  if (scale.length === 0 || zeroPoint.length === 0) return;
  end.take(BYTES.TfLiteAffineQuantization, 8);
  end.take(4 + 4 * scale.length, 4);
}

/** What a kernel sees of its tensors while it prepares. */
function lookedAt(tensors: readonly (FileTensor | undefined)[]): number {
  const end = new End();
  for (const tensor of tensors) if (tensor) takeTensor(end, tensor);
  return end.bytes;
}

const eachTensor = ({inputs, outputs}: Call) => [...inputs, ...outputs];

/** The model's arena while it is laid out: the tail, and the most that was taken of both ends at a time. */
class Layout {
  readonly #subgraph: FileSubgraph;
  readonly #calls: readonly Call[];
  readonly #tail = new End();
  readonly #scratch: Lifetime[] = [];
  #most = 0;

  constructor(subgraph: FileSubgraph) {
    this.#subgraph = subgraph;
    this.#calls = callsOf(subgraph);
  }

  size(): ArenaSize {
    this.#start();
    this.#prepare();
    const planned = this.#planned();
    const head = plannedBytes(planned);
    this.#plan(planned.length);
    this.#finish();
    const tail = this.#tail.bytes;
    const total = head + tail;
    return {head, tail, total, required: aligned(Math.max(this.#most, total), ALIGNMENT)};
  }

  /** The interpreter's own, and what its operators are told. */
  #start(): void {
    const {tensors, operators} = this.#subgraph;
    const tail = this.#tail;
    tail.take(BYTES.RecordingSingleArenaBufferAllocator, 8);
    tail.take(BYTES.GreedyMemoryPlanner, 8);
    tail.take(BYTES.RecordingMicroAllocator, 8);
    tail.take(BYTES.MicroBuiltinDataAllocator, 8);
    tail.take(BYTES.SubgraphAllocations, 8);
    tail.take(BYTES.TfLiteEvalTensor * tensors.length, 8);
    tail.take(BYTES.NodeAndRegistration * operators.length, 8);
    const memories = operators.map(each => memoryOf(each)!);
    for (const {options} of memories) if (options) tail.take(...options);
    for (const {state} of memories) if (state) tail.take(state, ALIGNMENT);
  }

  #prepare(): void {
    for (const [i, call] of this.#calls.entries()) {
      const {demand, looksAt = eachTensor} = memoryOf(call.operator)!;
      const {kept = [], scratch = []} = demand?.(call) ?? {};
      for (const bytes of kept) this.#tail.take(bytes, ALIGNMENT);
      this.#scratch.push(...scratch.map(bytes => ({bytes: aligned(bytes, ALIGNMENT), first: i + 1, last: i + 1})));
      this.#note(this.#requests() + lookedAt(looksAt(call)));
    }
    this.#tail.take(BYTES.ScratchBufferHandle * this.#scratch.length, 8);
    for (const tensor of this.#subgraph.tensors) if (tensor.isVariable) this.#tail.take(bytesOf(tensor)!, ALIGNMENT);
  }

  #requests(): number {
    return BYTES.ScratchBufferRequest * (MOST_REQUESTS + this.#scratch.length);
  }

  #note(head: number): void {
    this.#most = Math.max(this.#most, aligned(head, ALIGNMENT) + aligned(this.#tail.bytes, ALIGNMENT));
  }

  /** While it is planned, each tensor and each buffer has a row. */
  #plan(buffers: number): void {
    const rows = this.#subgraph.tensors.length + this.#scratch.length;
    const infos = this.#requests() + BYTES.pointer + BYTES.AllocationInfo * rows;
    this.#note(aligned(infos, ALIGNMENT) + BYTES.plannedBuffer * buffers);
  }

  /** What callers see of inputs and outputs. */
  #finish(): void {
    const {inputs, outputs} = this.#subgraph;
    for (const ports of [inputs, outputs]) {
      this.#tail.take(BYTES.pointer * ports.length, ALIGNMENT);
      for (const tensor of tensorsOf(this.#subgraph, ports)) takeTensor(this.#tail, tensor);
    }
  }

  /** Tensors that are computed, from the operator that gives one to the last that takes it, and scratch buffers. */
  #planned(): Lifetime[] {
    const {tensors, operators, inputs, outputs} = this.#subgraph;
    const first = new Map<number, number>();
    const last = new Map<number, number>();
    const note = (numbers: readonly number[], moment: number, isMade: boolean) => {
      for (const number of numbers) {
        if (isMade && !first.has(number)) first.set(number, moment);
        last.set(number, moment);
      }
    };
    note(inputs, 0, true);
    for (const [i, operator] of operators.entries()) {
      note(operator.outputs, i + 1, true);
      note(operator.inputs, i + 1, false);
    }
    note(outputs, operators.length, true);
    const computed = tensors.flatMap((tensor, i) => {
      const bytes = tensor.isConstant || tensor.isVariable ? 0 : aligned(bytesOf(tensor)!, ALIGNMENT);
      return bytes === 0 ? [] : [{bytes, first: first.get(i) ?? -1, last: last.get(i) ?? -1}];
    });
    return [...computed, ...this.#scratch];
  }
}

/** Metadata by which tensors are somewhere else, or compressed. */
const PLANS = ['OfflineMemoryAllocation', 'COMPRESSION_METADATA'];

const MEASURE = 'Run it on the device, or in the Python package tflite-micro, and ask: interpreter.arena_used_bytes().';

/** What keeps a file from telling what it takes. */
function problemsOf(file: ModelFile): string[] {
  const {subgraphs, metadata} = file;
  if (subgraphs.length > 1) return [`bytes must hold one subgraph, but hold ${subgraphs.length}. ${MEASURE}`];
  const {tensors, operators} = subgraphs[0]!;
  const untold = new Set(operators.filter(each => adderOf(each) && !memoryOf(each)).map(({operator}) => operator));
  const plans = PLANS.filter(name => metadata.has(name));
  const unsized = tensors.filter(each => bytesOf(each) === undefined || each.shape.some(dim => dim < 0));
  return [
    ...operatorProblems(file),
    ...(untold.size > 0 ? [`bytes do not tell what these operators take: ${[...untold].join(', ')}. ${MEASURE}`] : []),
    ...plans.map(name => `bytes do not tell what comes of their ${name}. ${MEASURE}`),
    ...unsized.map(({name, type, shape}) => `bytes have a tensor of no known size, ${name}: ${type} [${shape}].`),
  ];
}

/**
 * How large the tensor arena of a model must be: the memory that TensorFlow Lite Micro works in, beside the model itself.
 *
 * It is planned as TensorFlow Lite Micro plans it, from the lifetimes of tensors and what its reference kernels ask for, on a
 * machine of 64 bits as the Python package `tflite-micro` measures it. Microcontrollers have pointers of 32 bits, which makes
 * the tail about half as large, so that this is more than they need. Optimized kernels (CMSIS-NN, ESP-NN) may ask for more,
 * mostly less than the tail leaves free: `interpreter.arena_used_bytes()` tells on the device.
 *
 * @param bytes - what toTFLite gave, or any .tflite file with one subgraph.
 * @returns bytes: what its two ends take, and what it must have.
 * @throws if it has operators that TensorFlow Lite Micro has not, or whose memory a file does not tell.
 *
 * @example
 * ```js
 * import {arenaSize, toTFLite} from 'tfjs-quantization/tflite';
 *
 * const {required} = arenaSize(await toTFLite(q));
 * console.log(`alignas(16) uint8_t arena[${required}];`);
 * ```
 */
export function arenaSize(bytes: Uint8Array): ArenaSize {
  return arenaOf('arenaSize', readModel('arenaSize', bytes));
}

/** {@link arenaSize} of a file that is read. */
export function arenaOf(caller: string, file: ModelFile): ArenaSize {
  throwProblems(caller, problemsOf(file));
  return new Layout(file.subgraphs[0]!).size();
}
