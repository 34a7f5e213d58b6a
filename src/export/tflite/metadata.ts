/**
 * What tools show of a model: TensorFlow Lite's metadata (metadata_schema.fbs) and, after the model's bytes, an archive of
 * the files that the metadata names. The archive is a zip of stored files: it takes fewer lines than a library's call would.
 */
import type {Offset} from 'flatbuffers';
import {ENUMS} from './schema_numbers';
import {TableWriter} from './table_writer';

/** What the metadata tells. */
export interface MetadataText {
  readonly name: string;
  readonly description: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** The name of the file with a label for each class of the first output. */
  readonly labelFile: string | undefined;
}

function writeLabelFile(to: TableWriter, name: string): Offset {
  return to.table('AssociatedFile', {name: to.text(name), type: ENUMS.AssociatedFileType.TENSOR_AXIS_LABELS});
}

/** The bytes of the buffer TFLITE_METADATA. */
export function writeMetadata({name, description, inputs, outputs, labelFile}: MetadataText): Uint8Array {
  const to = new TableWriter(1024);
  const output = (each: string, i: number) =>
    to.table('TensorMetadata', {
      associatedFiles: i === 0 && labelFile ? to.offsets([writeLabelFile(to, labelFile)]) : 0,
      name: to.text(each),
    });
  const subgraph = to.table('SubGraphMetadata', {
    inputTensorMetadata: to.offsets(inputs.map(each => to.table('TensorMetadata', {name: to.text(each)}))),
    outputTensorMetadata: to.offsets(outputs.map(output)),
  });
  const root = to.table('ModelMetadata', {
    name: to.text(name),
    description: to.text(description),
    subgraphMetadata: to.offsets([subgraph]),
    minParserVersion: to.text('1.0.0'),
  });
  return to.finish('ModelMetadata', root);
}

const CRC_TABLE = Uint32Array.from({length: 256}, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; ++bit) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

function crc32(data: Uint8Array): number {
  let crc = ~0;
  for (const byte of data) crc = CRC_TABLE[(crc ^ byte) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** Little-endian numbers of given widths. */
function record(fields: readonly (readonly [bytes: 2 | 4, value: number])[]): number[] {
  return fields.flatMap(([bytes, value]) => Array.from({length: bytes}, (_, i) => (value >>> (8 * i)) & 255));
}

/** 1980-01-01, so that the same model gives the same bytes. */
const DATE = 33;

/** A model's bytes with one stored file behind them, as a zip archive has it that begins with something else. */
export function withFile(model: Uint8Array, name: string, content: string): Uint8Array {
  const encoder = new TextEncoder();
  const [title, data] = [encoder.encode(name), encoder.encode(content)];
  const common = [
    [2, 20], // version 2.0
    [2, 0x800], // names are UTF-8
    [2, 0], // stored
    [2, 0],
    [2, DATE],
    [4, crc32(data)],
    [4, data.length],
    [4, data.length],
    [2, title.length],
    [2, 0],
  ] as const;
  const local = [...record([[4, 0x04034b50], ...common]), ...title, ...data];
  const directoryAt = model.length + local.length;
  const central = [
    ...record([[4, 0x02014b50], [2, 20], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, model.length]]),
    ...title,
  ];
  const end = record([
    [4, 0x06054b50],
    [2, 0],
    [2, 0],
    [2, 1],
    [2, 1],
    [4, central.length],
    [4, directoryAt],
    [2, 0],
  ]);
  const all = new Uint8Array(directoryAt + central.length + end.length);
  all.set(model);
  all.set([...local, ...central, ...end], model.length);
  return all;
}
