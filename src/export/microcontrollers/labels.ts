/** The labels in a file: in an archive behind the model, under the name that its metadata has. See tflite/metadata.ts. */
import {invalid} from '../../check/rules';
import {ENUMS} from '../tflite/schema_numbers';
import {type ModelFile, readWhole} from './model_file';
import {TableReader} from './table_reader';

/** A name for each class of the first output, as the file has them; none where it has none. */
export function labelsIn(caller: string, {bytes, metadata}: ModelFile): string[] {
  return readWhole(caller, bytes, () => {
    const name = labelFileOf(metadata.get('TFLITE_METADATA'));
    const content = name === undefined ? undefined : archived(caller, bytes, name);
    return content?.replace(/\r?\n$/, '').split(/\r?\n/) ?? [];
  });
}

function labelFileOf(metadata: Uint8Array | undefined): string | undefined {
  if (!metadata) return undefined;
  const [subgraph] = TableReader.root(metadata, 'ModelMetadata').tables('subgraphMetadata', 'SubGraphMetadata');
  const [output] = subgraph?.tables('outputTensorMetadata', 'TensorMetadata') ?? [];
  const files = output?.tables('associatedFiles', 'AssociatedFile') ?? [];
  return files.find(file => file.number('type') === ENUMS.AssociatedFileType.TENSOR_AXIS_LABELS)?.text('name');
}

/** Where the parts of an archive begin, and how long they are without what varies. */
const END = {signature: 0x06054b50, bytes: 22};
const ENTRY = {signature: 0x02014b50, bytes: 46};
const LOCAL = {bytes: 30};

/** The text of a stored file. */
function archived(caller: string, bytes: Uint8Array, name: string): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = (at: number, length: number) => new TextDecoder().decode(bytes.subarray(at, at + length));
  let end = bytes.length - END.bytes;
  while (end >= 0 && view.getUint32(end, true) !== END.signature) end--;
  if (end < 0) return undefined;
  let at = view.getUint32(end + 16, true);
  while (at + ENTRY.bytes <= end && view.getUint32(at, true) === ENTRY.signature) {
    const field = (offset: number) => view.getUint16(at + offset, true);
    if (text(at + ENTRY.bytes, field(28)) === name) {
      if (field(10) !== 0) throw invalid(caller, `bytes have ${name} compressed in them. Give its lines as labels.`);
      const local = view.getUint32(at + 42, true);
      const start = local + LOCAL.bytes + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
      return text(start, view.getUint32(at + 24, true));
    }
    at += ENTRY.bytes + field(28) + field(30) + field(32);
  }
  return undefined;
}
