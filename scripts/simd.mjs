/** Compiles kernels/cpu/simd/quantize.ts to binary.ts, or, with --check, tells whether binary.ts is what it compiles to. */
import {readFileSync, writeFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import asc from 'assemblyscript/asc';

const folder = fileURLToPath(new URL('../kernels/cpu/simd/', import.meta.url));

const files = new Map();
const {error, stderr} = await asc.main(
  [
    'quantize.ts',
    '--runtime',
    'stub',
    '--importMemory',
    '--noAssert',
    '-O3',
    '--converge',
    '--enable',
    'simd',
    '--outFile',
    'out.wasm',
  ],
  {
    readFile: (name, base) => readOrNull(`${base}/${name}`),
    writeFile: (name, data) => void files.set(name, data),
    listFiles: () => [],
  },
);
if (error) {
  console.error(stderr.toString());
  process.exit(1);
}

// In hexadecimal, which compresses to 1.1 kB: in base64, where bytes lie across letters, to 1.6.
const text = `/** Made from quantize.ts by \`npm run build:simd\`. */
export const WASM_HEX =
  '${Buffer.from(files.get('out.wasm')).toString('hex')}';
`;
if (!process.argv.includes('--check')) writeFileSync(`${folder}binary.ts`, text);
else if (readFileSync(`${folder}binary.ts`, 'utf8') !== text) {
  console.error('kernels/cpu/simd/binary.ts is not what quantize.ts compiles to: npm run build:simd');
  process.exit(1);
}

function readOrNull(name) {
  try {
    return readFileSync(folder + name.replace(/^\.\//, ''), 'utf8');
  } catch {
    return null;
  }
}
