/** What each room may know: docs/architecture.md. */
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';

/** The rooms that each imports from. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  kernels: ['shaders'],
  'src/check': [],
  'src/ops': ['kernels', 'src/check'],
  'src/layers': ['src/check'],
  'src/graph_model': ['src/check', 'src/ops'],
  'src/import': ['src/check', 'src/graph_model', 'src/layers', 'src/qat'],
  'src/quantizer': ['kernels', 'src/check', 'src/ops'],
  'src/qat': ['kernels', 'src/check', 'src/layers', 'src/quantizer'],
  'src/inference': ['src/check', 'src/graph_model', 'src/layers', 'src/qat', 'src/quantizer'],
  'src/export/onnx': ['src/check', 'src/inference'],
  'src/export/tflite': ['src/check', 'src/inference'],
  'src/export/microcontrollers': ['src/check', 'src/export/tflite'],
  'src/export/tfjs': ['src/check', 'src/inference', 'src/layers', 'src/qat', 'src/quantizer'],
};

/** The sources in a folder, by path. */
function sourcesIn(folder: string): [path: string, source: string][] {
  const names = readdirSync(folder, {recursive: true}).map(String);
  const paths = names.filter(name => name.endsWith('.ts')).map(name => join(folder, name));
  return paths.map(path => [path, readFileSync(path, 'utf8')]);
}

/** What a file imports, types too: files by path, packages by name. */
function importsIn([path, source]: [path: string, source: string]): string[] {
  const found = [...source.matchAll(/^(?:import|export)\b[^'";]*?['"]([^'"]+)['"];$/gm)].map(([, from]) => from!);
  return found.map(from => (from.startsWith('.') ? join(path, '..', from) : from));
}

describe('The rooms', () => {
  it('are all of src but the entries', () => {
    const folders = readdirSync('src').filter(name => name !== 'entries' && name !== 'export');
    const exports = readdirSync('src/export').map(name => `export/${name}`);
    expect([...folders, ...exports].map(name => `src/${name}`).sort()).toEqual(
      Object.keys(ROOMS)
        .filter(name => name !== 'kernels')
        .sort(),
    );
  });

  for (const [room, others] of Object.entries(ROOMS)) {
    it(`let ${room} import from ${others.join(', ') || 'no other'}`, () => {
      const sources = sourcesIn(room);
      expect(sources.length).toBeGreaterThan(1);
      const imported = sources.flatMap(importsIn).filter(path => /^(kernels|shaders|src)\//.test(path));
      expect(imported.length).toBeGreaterThan(0);
      const known = [room, ...others].map(each => `${each}/`);
      expect(imported.filter(path => !known.some(each => path.startsWith(each)))).toEqual([]);
    });
  }

  it('let src/inference name no format', () => {
    for (const [path, source] of sourcesIn('src/inference')) {
      expect(source)
        .withContext(path)
        .not.toMatch(/tensorflow lite|tflite|litert|onnx/i);
    }
  });

  it('let src/export/microcontrollers know the schema alone of who writes files, and nothing of tfjs', () => {
    const imported = sourcesIn('src/export/microcontrollers').flatMap(importsIn);
    const others = imported.filter(path => /^(@|src\/export\/tflite)/.test(path));
    expect([...new Set(others)]).toEqual(['src/export/tflite/schema_numbers']);
  });

  const writers = Object.keys(ROOMS).filter(room => /^src\/export\/(?!tfjs|microcontrollers)/.test(room));
  for (const writer of writers) {
    it(`let ${writer} know tfjs-layers as the type of a model alone`, () => {
      const knowing = sourcesIn(writer).filter(each => importsIn(each).some(from => from.startsWith('@tensorflow/')));
      expect(knowing.length).toBe(1);
      expect(knowing[0]![1]).toContain("import type {LayersModel} from '@tensorflow/tfjs-layers';");
    });
  }
});
