/** What operatorsOf finds in files, and what all that read a file say of bytes that are none. */
import {arduinoSketch, arenaSize, cSource, operatorsOf} from '../../../src/entries/tflite';
import {scoped} from '../../support/scoped';
import {parse, stopRuntimes} from '../runtimes';
import {fileOf, floatFile, severalPorts} from './files';

afterAll(stopRuntimes);

const READERS: Readonly<Record<string, (bytes: Uint8Array) => unknown>> = {
  arduinoSketch: bytes => arduinoSketch(bytes, {name: 'm'}),
  arenaSize,
  cSource: bytes => cSource(bytes, {name: 'm'}),
  operatorsOf,
};

describe('operatorsOf', () => {
  scoped();

  it('finds what readers of the published schema find', async () => {
    const bytes = await severalPorts();
    const {operators} = await parse(bytes);
    const expected = [...new Set(operators.map(({name}) => name))].map(name => {
      const all = operators.filter(each => each.name === name);
      return {operator: name, version: all[0]!.version, count: all.length};
    });
    expect(expected.length).toBeGreaterThan(5);
    expect(operatorsOf(bytes)).toEqual(expected);
  });

  it('tells versions apart, custom operators by their names, and numbers that nobody has named yet', () => {
    const bytes = fileOf([
      {builtin: 3, version: 2},
      {builtin: 3},
      {builtin: 3, version: 2},
      {builtin: 32, custom: 'CONV_2D', version: 2},
      {builtin: 9999},
    ]);
    expect(operatorsOf(bytes)).toEqual([
      {operator: 'CONV_2D', version: 2, count: 2},
      {operator: 'CONV_2D', version: 1, count: 1},
      {operator: 'CONV_2D', version: 2, count: 1},
      {operator: 'number 9999', version: 1, count: 1},
    ]);
  });

  it('reads files from before there were more than 127 operators, and those of today', () => {
    // 28: TANH, in the field that files had once; 130: BROADCAST_TO, where that field is full.
    const bytes = fileOf([{deprecated: 28}, {deprecated: 127, builtin: 130}, {deprecated: 32, custom: 'Mine'}]);
    expect(operatorsOf(bytes).map(({operator}) => operator)).toEqual(['TANH', 'BROADCAST_TO', 'Mine']);
  });

  it('counts over all subgraphs', () => {
    expect(operatorsOf(fileOf([{builtin: 0}], {subgraphs: 3}))).toEqual([{operator: 'ADD', version: 1, count: 3}]);
  });

  it('reads bytes wherever they lie', async () => {
    const bytes = await floatFile();
    const larger = new Uint8Array(bytes.length + 7);
    larger.set(bytes, 3);
    expect(operatorsOf(larger.subarray(3, 3 + bytes.length))).toEqual(operatorsOf(bytes));
    expect(operatorsOf(Buffer.from(bytes))).toEqual(operatorsOf(bytes));
  });
});

describe('bytes that are no .tflite file', () => {
  scoped();

  for (const [caller, read] of Object.entries(READERS)) {
    it(`are refused by ${caller}`, async () => {
      const bytes = await severalPorts({labels: ['a', 'b', 'c']});
      const refusal = (value: unknown) => {
        try {
          read(value as Uint8Array);
        } catch (error) {
          return (error as Error).message;
        }
        return 'none';
      };
      expect(refusal(undefined)).toBe(`${caller}: bytes must be a Uint8Array, but was undefined.`);
      expect(refusal(bytes.buffer)).toBe(`${caller}: bytes must be a Uint8Array, but was of type ArrayBuffer.`);
      const remedy = 'Give what toTFLite returns, or what stands in a .tflite file.';
      expect(refusal(new Uint8Array())).toBe(`${caller}: bytes must be a .tflite file, but were no bytes. ${remedy}`);
      expect(refusal(bytes.subarray(0, 5))).toBe(
        `${caller}: bytes must be a .tflite file, but were 5 bytes. ${remedy}`,
      );
      expect(refusal(new TextEncoder().encode('PK\u0003\u0004zipped'))).toBe(
        `${caller}: bytes must be a .tflite file, which has 'TFL3' behind its first 4 bytes, but had the string 'zipp' there. ${remedy}`,
      );
      expect(refusal(fileOf([{builtin: 0}], {subgraphs: 0}))).toMatch(
        new RegExp(`^${caller}: bytes must be a whole \\.tflite file, but .* \\(there is no subgraph\\)`),
      );
    });

    it(`are refused by ${caller} where they are cut, anywhere in the model`, async () => {
      const bytes = await floatFile();
      for (let length = 8; length < bytes.length; length += 4) {
        // What was cut off lies behind them in the buffer.
        expect(() => read(bytes.subarray(0, length)))
          .withContext(`${length} of ${bytes.length}`)
          .toThrowError(new RegExp(`^${caller}: bytes must be a whole \\.tflite file, but of the ${length} given `));
      }
    });

    it(`are refused by ${caller} where something is longer than they are, whatever lies behind them`, async () => {
      const bytes = await floatFile();
      const whole = new Uint8Array(bytes.length + 10_000);
      const refusals = new Set<string>();
      for (let at = 8; at < bytes.length; at += 4) {
        whole.set(bytes);
        new DataView(whole.buffer).setUint32(at, 5000, true);
        try {
          read(whole.subarray(0, bytes.length));
        } catch (error) {
          refusals.add((error as Error).message);
        }
      }
      expect([...refusals].join('\n')).toContain('(a vector ends outside of the bytes)');
    });

    it(`are read by ${caller}, or refused in its name, with any byte changed`, async () => {
      const bytes = await severalPorts({labels: ['a', 'b', 'c']});
      for (let at = 0; at < bytes.length; at += 7) {
        const spoilt = bytes.slice();
        spoilt[at] = 255 - spoilt[at]!;
        try {
          read(spoilt);
        } catch (error) {
          expect((error as Error).message).withContext(`byte ${at}`).toMatch(new RegExp(`^${caller}: (bytes|labels|\\d+ problems)`)); // prettier-ignore
        }
      }
    });
  }
});
