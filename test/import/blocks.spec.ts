/** Blocks of Keras's layers as the converter spells them (generate.py), against what Keras makes of them. */
import {type io, type ShapeMap, tensor} from '@tensorflow/tfjs-core';
import {importModel} from '../../src/import/import_model';
import {readFile, setup} from '../support/environment';
import {needsSpeed, scoped} from '../support/scoped';
import {classesOf, CLOSE, difference} from './graphs';

interface Block {
  readonly topology: io.ModelArtifacts['modelTopology'];
  readonly weights: io.WeightsManifestEntry[];
  readonly data: string;
  readonly input: {readonly shape: number[]; readonly dtype: 'float32' | 'int32'};
  readonly output: {readonly shape: number[]; readonly data: string};
}

/** Those of which something has no layer. */
const WITH_SEGMENTS = /attention|embedding$|gelu|layer_norm|up_sampling_bilinear|up_sampling1d_keras2/;

/** Those of ops that tfjs's wasm backend has not: Einsum. */
const NOT_IN_WASM = /attention/;

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
  const text = new TextDecoder().decode(await readFile('test/import/blocks.json'));
  return JSON.parse(text) as Readonly<Record<string, Block>>;
}

describe('Blocks of Keras, from the converter', () => {
  scoped();

  it('predict what Keras does, and are layers', async () => {
    needsSpeed();
    const blocks = Object.entries(await readBlocks());
    expect(blocks.length).toBeGreaterThan(25);
    for (const [name, {topology, weights, data, input, output}] of blocks) {
      if (setup.backend === 'wasm' && NOT_IN_WASM.test(name)) continue;
      const model = await importModel({
        format: 'graph-model',
        modelTopology: topology!,
        weightSpecs: weights,
        weightData: bytesOf(data),
      });
      const [given] = [model.predict(valuesOf(input))].flat();
      const expected = tensor(new Float32Array(bytesOf(output.data)), output.shape as ShapeMap[keyof ShapeMap]);
      expect(await difference(given!, expected))
        .withContext(name)
        .toBeLessThan(CLOSE);
      const isWhole = !classesOf(model).includes('tfjs-quantization>GraphSegment');
      expect(isWhole)
        .withContext(`${name}: ${classesOf(model).join(', ')}`)
        .toBe(!WITH_SEGMENTS.test(name));
      model.dispose();
    }
  });
});
