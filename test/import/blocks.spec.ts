/** Blocks of Keras's layers as the converter spells them (generate.py), against what Keras makes of them. */
import {type io, type ShapeMap, tensor} from '@tensorflow/tfjs-core';
import {importModel} from '../../src/import/import_model';
import {readFile} from '../support/environment';
import {scoped} from '../support/scoped';
import {classesOf, difference} from './graphs';

interface Block {
  readonly topology: io.ModelArtifacts['modelTopology'];
  readonly weights: io.WeightsManifestEntry[];
  readonly data: string;
  readonly input: {readonly shape: number[]; readonly dtype: 'float32' | 'int32'};
  readonly output: {readonly shape: number[]; readonly data: string};
}

function bytesOf(base64: string): ArrayBuffer {
  return Uint8Array.from(atob(base64), char => char.charCodeAt(0)).buffer;
}

/** As generate.py makes them. */
function valuesOf({shape, dtype}: Block['input']) {
  const size = shape.reduce((all, each) => all * each, 1);
  const values = Float32Array.from({length: size}, (_, i) => (dtype === 'int32' ? i % 7 : 2 * Math.sin(i * 0.7 + 0.3)));
  return tensor(values, shape as ShapeMap[keyof ShapeMap], dtype);
}

async function readBlocks(): Promise<Readonly<Record<string, Block>>> {
  return JSON.parse(new TextDecoder().decode(await readFile('test/import/blocks.json'))) as Readonly<
    Record<string, Block>
  >;
}

describe('Blocks of Keras', () => {
  scoped();

  it('predict what Keras does', async () => {
    const blocks = await readBlocks();
    for (const [name, {topology, weights, data, input, output}] of Object.entries(blocks)) {
      const artifacts = {
        format: 'graph-model',
        modelTopology: topology!,
        weightSpecs: weights,
        weightData: bytesOf(data),
      };
      try {
        const model = await importModel(artifacts);
        const given = [model.predict(valuesOf(input))].flat()[0]!;
        const expected = tensor(new Float32Array(bytesOf(output.data)), output.shape as ShapeMap[keyof ShapeMap]);
        const reasons = model.layers
          .flatMap(layer => (layer as unknown as {reasons?: {op: string; reason: string}[]}).reasons ?? [])
          .map(r => r.op + ' ' + r.reason);
        console.log(name, difference(given, expected), String(classesOf(model)), String(reasons));
      } catch (error) {
        console.log(name, String((error as Error).stack).slice(0, 600));
      }
    }
    expect(1).toBe(1);
  });
});
