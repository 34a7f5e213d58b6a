/** What people import of the package, and the sources that are behind it. */
import {fileURLToPath} from 'node:url';

/** By the names that `exports` of package.json has: '.' is 'index', './qat' is 'qat'. */
export const ENTRIES = {
  index: 'src/entries/index.ts',
  tf: 'src/entries/tf.ts',
  'graph-model': 'src/entries/graph_model.ts',
  qat: 'src/entries/qat.ts',
  import: 'src/entries/import.ts',
  tflite: 'src/entries/tflite.ts',
  onnx: 'src/entries/onnx.ts',
};

/** What stands behind `from` in an import of an entry. */
export const importName = entry => (entry === 'index' ? 'tfjs-quantization' : `tfjs-quantization/${entry}`);

/** This checkout in the package's place, for bundlers: paths of sources by what people import. */
export const SOURCES = Object.fromEntries(
  Object.entries(ENTRIES).map(([entry, path]) => [
    importName(entry),
    fileURLToPath(new URL(`../${path}`, import.meta.url)),
  ]),
);
