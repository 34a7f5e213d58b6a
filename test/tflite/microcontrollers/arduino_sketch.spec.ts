/** A sketch compiles, and prints what the model gives with its labels. */
import {arduinoSketch, arenaSize, cSource} from '../../../src/entries/tflite';
import {scoped} from '../../support/scoped';
import {parse, stopRuntimes} from '../runtimes';
import {printedBy} from './compiler';
import {fileOf, floatFile, severalPorts} from './files';

afterAll(stopRuntimes);

/** Runs a sketch as a board does, for one round of its loop. */
function runSketch(bytes: Uint8Array, labels?: readonly string[]): Promise<string> {
  const files = arduinoSketch(bytes, {name: 'kinds', ...(labels && {labels})});
  return printedBy(files, '#include "Arduino.h"\n#include "kinds.ino"\nint main() { setup(); loop(); }\n');
}

describe('arduinoSketch', () => {
  scoped();

  it('is a sketch beside what cSource writes', async () => {
    const bytes = await floatFile();
    const files = arduinoSketch(bytes, {name: 'kinds'});
    expect([...files.keys()]).toEqual(['kinds.ino', 'kinds_model.h', 'kinds_model.cpp']);
    expect([...files].slice(1)).toEqual([...cSource(bytes, {name: 'kinds'})]);
    expect(files.get('kinds.ino')).toContain(`kArenaSize = ${arenaSize(bytes).total};`);
  });

  it('fills its inputs on their grids, computes, and prints each label with its score', async () => {
    const bytes = await severalPorts({inputType: 'int8', outputType: 'int8', labels: ['cat', 'dog', 'owl']});
    const {tensors, inputs, outputs} = await parse(bytes);
    const [zero] = tensors[inputs[0]!]!.zeroPoint as [number];
    // The interpreter of these specs gives byte i of its first input, and i.
    const scores = outputs.map(number => {
      const {scale, zeroPoint, shape} = tensors[number]!;
      const size = shape.reduce((a, b) => a * b, 1);
      return Array.from({length: size}, (_, i) =>
        ((((zero + i + 384) % 256) - 128 - zeroPoint[0]!) * scale[0]!).toFixed(4),
      );
    });
    const [kinds, sizes] = scores as [string[], string[]];
    expect((await runSketch(bytes)).trimEnd().split('\n')).toEqual([
      `bytes of the arena in use: ${arenaSize(bytes).total}`,
      ...kinds.map((score, i) => `${['cat', 'dog', 'owl'][i]!}: ${score}`),
      ...sizes.map((score, i) => `${i}: ${score}`),
    ]);
  });

  for (const type of ['float32', 'uint8', 'int16'] as const) {
    it(`compiles for ports of ${type}`, async () => {
      const isWide = type === 'int16';
      const bytes = await severalPorts(isWide ? {} : {inputType: type, outputType: type});
      expect(await runSketch(bytes)).toMatch(/^0: -?[\d.]+\n1: /m);
    });
  }

  it('compiles for whole numbers, and prints numbers where there is no label', async () => {
    // The schema's INT32, of bytes 0, 1, 2 and 3.
    expect(await runSketch(fileOf([{builtin: 114}], {type: 2}))).toMatch(/^0: 50462976.0000\n1: /m);
  });

  it('refuses what a sketch cannot fill, and what has no arena', () => {
    const half = fileOf([{builtin: 114}], {type: 1, tensor: 'halves'});
    expect(() => arduinoSketch(half, {name: 'm'})).toThrowError(
      'arduinoSketch: bytes have FLOAT16 in halves, which a sketch cannot fill or print.',
    );
    expect(() => arduinoSketch(fileOf([{builtin: 118}]), {name: 'm'})).toThrowError(
      /^arduinoSketch: bytes do not tell what these operators take: IF. Run it on the device, /,
    );
  });
});
