/** What the graph of integers, and the writers of files, may know. */
import {readdirSync, readFileSync} from 'node:fs';

/** The sources in a folder, by name. */
function sourcesIn(folder: string): [name: string, source: string][] {
  const names = readdirSync(folder, {recursive: true}).map(String);
  return names.filter(name => name.endsWith('.ts')).map(name => [name, readFileSync(`${folder}/${name}`, 'utf8')]);
}

function importsIn(source: string): string[] {
  return [...source.matchAll(/^(import type )?.* ?from '([^']+)';$/gm)].map(([, type = '', from]) => type + from!);
}

describe('The sources of', () => {
  it('src/integer name no format', () => {
    const sources = sourcesIn('src/integer');
    expect(sources.length).toBeGreaterThan(10);
    for (const [name, source] of sources) {
      expect(source)
        .withContext(name)
        .not.toMatch(/tensorflow lite|tflite|litert|onnx|export\//i);
    }
  });

  it('src/export/tflite know no layer', () => {
    const sources = sourcesIn('src/export/tflite');
    expect(sources.length).toBeGreaterThan(5);
    const known = /^(import type )?(\.\/\w+|\.\.\/\.\.\/(check|integer)\/\w+|flatbuffers)$/;
    const others = sources.flatMap(([name, source]) =>
      importsIn(source).flatMap(from => (known.test(from) ? [] : `${name}: ${from}`)),
    );
    expect(others).toEqual(['to_tflite.ts: import type @tensorflow/tfjs-layers']);
  });
});
