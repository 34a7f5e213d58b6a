/**
 * The messages of a file, field by field as onnx.proto numbers them. Tensors' data are asked for one after the other, when the
 * file that they go into is there: nothing is held twice.
 */
import {BinaryWriter, WireType} from '@bufbuild/protobuf/wire';

/** The numbers of the element types. */
const ELEMENT_TYPES = {float32: 1, uint8: 2, int8: 3, int16: 5, int32: 6, int64: 7, bool: 9, int4: 22} as const;

export type ElementType = keyof typeof ELEMENT_TYPES;

/** A tensor that is given. */
export interface Initializer {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  /** How many bytes it has. */
  readonly size: number;
  /** Makes them. */
  readonly bytes: () => Uint8Array;
}

/** A whole number, a float, a text or whole numbers. */
type Attribute = number | {readonly float: number} | string | readonly number[];

export type Attributes = Readonly<Record<string, Attribute>>;

/** A call of an operator. An input that is left out is ''. */
export interface OnnxNode {
  readonly op: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Attributes;
}

/** What goes in or comes out. A dimension with a name may be any. */
export interface OnnxPort {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly (number | string)[];
}

export interface OnnxModel {
  readonly name: string;
  readonly opset: number;
  readonly irVersion: number;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly Initializer[];
  readonly inputs: readonly OnnxPort[];
  readonly outputs: readonly OnnxPort[];
}

/** Where protocol buffers end. */
const LARGEST_FILE = 2 ** 31 - 1;

type Write = (writer: BinaryWriter) => void;

const message = (field: number, write: Write): Write => {
  return writer => {
    write(writer.tag(field, WireType.LengthDelimited).fork());
    writer.join();
  };
};

const text = (writer: BinaryWriter, field: number, value: string) =>
  writer.tag(field, WireType.LengthDelimited).string(value);

const whole = (writer: BinaryWriter, field: number, value: number) => writer.tag(field, WireType.Varint).int64(value);

const ATTRIBUTE_TYPES = {float: 1, int: 2, text: 3, ints: 7} as const;

function writeAttribute(writer: BinaryWriter, name: string, value: Attribute): void {
  text(writer, 1, name);
  const type = (kind: keyof typeof ATTRIBUTE_TYPES) => whole(writer, 20, ATTRIBUTE_TYPES[kind]);
  if (typeof value === 'number') {
    whole(writer, 3, value);
    type('int');
  } else if (typeof value === 'string') {
    text(writer, 4, value);
    type('text');
  } else if ('float' in value) {
    writer.tag(2, WireType.Bit32).float(value.float);
    type('float');
  } else {
    for (const each of value) whole(writer, 8, each);
    type('ints');
  }
}

const node = ({op, name, inputs, outputs, attributes}: OnnxNode) =>
  message(1, writer => {
    for (const input of inputs) text(writer, 1, input);
    for (const output of outputs) text(writer, 2, output);
    text(writer, 3, name);
    text(writer, 4, op);
    for (const [key, value] of Object.entries(attributes)) message(5, to => writeAttribute(to, key, value))(writer);
  });

function writeShape(writer: BinaryWriter, shape: OnnxPort['shape']): void {
  for (const dim of shape) {
    message(1, to => (typeof dim === 'number' ? whole(to, 1, dim) : text(to, 2, dim)))(writer);
  }
}

const port = (field: number, {name, type, shape}: OnnxPort) =>
  message(field, writer => {
    text(writer, 1, name);
    const tensor = message(1, to => {
      whole(to, 1, ELEMENT_TYPES[type]);
      message(2, dims => writeShape(dims, shape))(to);
    });
    message(2, tensor)(writer);
  });

const bytesOf = (write: Write) => {
  const writer = new BinaryWriter();
  write(writer);
  return writer.finish();
};

/** The beginning of a field of a message that holds `length` bytes. */
const start = (field: number, length: number) => bytesOf(to => to.tag(field, WireType.LengthDelimited).uint32(length));

/** What comes in a file before a tensor's data. */
function tensorHead({name, type, shape, size}: Initializer): Uint8Array {
  const fields = bytesOf(writer => {
    for (const dim of shape) whole(writer, 1, dim);
    whole(writer, 2, ELEMENT_TYPES[type]);
    text(writer, 8, name);
    writer.tag(9, WireType.LengthDelimited).uint32(size);
  });
  return joined([start(5, fields.length + size), fields]);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, {length}) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The bytes of a file; throws, as `caller`, if they are more than it can have. */
export function writeModel(caller: string, model: OnnxModel): Uint8Array {
  const {name, opset, irVersion, nodes, initializers, inputs, outputs} = model;
  const data = initializers.reduce((sum, {size}) => sum + size, 0);
  // Before anything is written: names and shapes are next to nothing.
  if (data > LARGEST_FILE) throw tooLarge(caller, data);
  const before = bytesOf(writer => {
    for (const each of nodes) node(each)(writer);
    text(writer, 2, name);
  });
  const heads = initializers.map(tensorHead);
  const behind = bytesOf(writer => {
    for (const each of inputs) port(11, each)(writer);
    for (const each of outputs) port(12, each)(writer);
  });
  const graph = before.length + data + heads.reduce((sum, {length}) => sum + length, 0) + behind.length;
  if (graph > LARGEST_FILE) throw tooLarge(caller, graph);
  const head = bytesOf(writer => {
    whole(writer, 1, irVersion);
    text(writer, 2, 'tfjs-quantization');
    const version = message(8, to => whole(text(to, 1, ''), 2, opset));
    version(writer);
    writer.tag(7, WireType.LengthDelimited).uint32(graph);
  });
  const file = new Uint8Array(head.length + graph);
  let at = 0;
  const put = (bytes: Uint8Array) => {
    file.set(bytes, at);
    at += bytes.length;
  };
  put(head);
  put(before);
  initializers.forEach((initializer, i) => {
    put(heads[i]!);
    put(initializer.bytes());
  });
  put(behind);
  return file;
}

function tooLarge(caller: string, size: number): Error {
  const gigabytes = (size / 2 ** 30).toFixed(1);
  return new Error(
    `${caller}: the file would have ${gigabytes} GiB, but ends at 2 GiB, as protocol buffers do. Quantize the model, so that ` +
      'it has a quarter of the size, or make it smaller.',
  );
}
