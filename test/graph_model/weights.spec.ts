/** Weights as tfjs decodes them, one at a time. */
import {dispose, io} from '@tensorflow/tfjs-core';
import {GraphWeights, weightDataOf} from '../../src/graph_model/weights';

const SPECS: io.WeightsManifestEntry[] = [
  {name: 'float', shape: [2, 3], dtype: 'float32'},
  {name: 'flags', shape: [3], dtype: 'bool'},
  {name: 'empty', shape: [0, 4], dtype: 'float32'},
  {name: 'whole', shape: [], dtype: 'int32'},
  {name: 'byte', shape: [5], dtype: 'float32', quantization: {dtype: 'uint8', scale: 0.1, min: -0.7}},
  {name: 'short', shape: [2], dtype: 'int32', quantization: {dtype: 'uint16', scale: 3, min: -7}},
  {name: 'half', shape: [4], dtype: 'float32', quantization: {dtype: 'float16'}},
  {name: '__proto__', shape: [1], dtype: 'float32'},
];
const LENGTH = 24 + 3 + 0 + 4 + 5 + 4 + 8 + 4;

function bytes(length = LENGTH): ArrayBuffer {
  return Uint8Array.from({length}, (_, i) => (i % 4 === 3 ? 64 + (i % 7) : (i * 37) % 251)).buffer;
}

/** The same bytes in parts of some length. */
function parts(length: number): ArrayBuffer[] {
  const whole = bytes();
  return Array.from({length: Math.ceil(LENGTH / length)}, (_, i) => whole.slice(i * length, (i + 1) * length));
}

function problems(specs: unknown, data: unknown): string {
  return new GraphWeights(specs, data as io.WeightData, 'group1-shard1of1.bin').problems.join('\n');
}

const spec = (more: object) => [{name: 'w', shape: [2], dtype: 'float32', ...more}];

describe('GraphWeights', () => {
  for (const [name, data] of Object.entries({
    'one buffer': bytes(),
    'buffers of one length': parts(5),
    'buffers of several lengths': [new ArrayBuffer(0), ...parts(40), new ArrayBuffer(0)],
    'two buffers, the second one longer': [bytes().slice(0, 9), bytes().slice(9)],
    'views of buffers': parts(7).map(part => {
      const larger = new Uint8Array(part.byteLength + 9);
      larger.set(new Uint8Array(part), 4);
      return larger.subarray(4, 4 + part.byteLength) as unknown as ArrayBuffer;
    }),
  })) {
    it(`decodes what tfjs decodes, from ${name}`, () => {
      const weights = new GraphWeights(SPECS, data);
      expect(weights.problems).toEqual([]);
      // As tfjs's own list loses a weight of the name __proto__.
      const expected = io.decodeWeights(bytes(), [...SPECS.slice(0, -1), {...SPECS.at(-1)!, name: 'last'}]);
      for (const {name: weight, shape, dtype} of SPECS) {
        const {dtype: type, shape: dimensions, values} = weights.get(weight)!;
        expect(weights.has(weight)).toBeTrue();
        expect([type, dimensions]).withContext(weight).toEqual([dtype, shape]);
        expect(Array.from(values))
          .withContext(weight)
          .toEqual(Array.from(expected[weight === '__proto__' ? 'last' : weight]!.dataSync()));
      }
      dispose(expected);
      for (const none of ['nothing', 'constructor', 'toString']) {
        expect(weights.get(none)).toBeUndefined();
        expect(weights.has(none)).toBeFalse();
      }
    });
  }

  it('gives copies', () => {
    const data = bytes();
    new GraphWeights(SPECS, data).get('float')!.values.fill(0);
    expect(new Uint8Array(data)).toEqual(new Uint8Array(bytes()));
  });

  it('gives strings and complex numbers as tfjs takes them for weights', () => {
    const strings = Uint8Array.from([2, 0, 0, 0, 104, 105, 0, 0, 0, 0]);
    const specs: io.WeightsManifestEntry[] = [
      {name: 'text', shape: [2], dtype: 'string'},
      {name: 'complex', shape: [1], dtype: 'complex64'},
    ];
    const weights = new GraphWeights(specs, [strings.buffer, new Float32Array([1, -2]).buffer]);
    expect(weights.problems).toEqual([]);
    expect(Array.from(weights.get('text')!.values)).toEqual(Array.from(strings));
    expect(Array.from(weights.get('complex')!.values)).toEqual([1, -2]);
  });

  it('tells of bytes that are too few or too many, with weight and file', () => {
    expect(problems(SPECS, bytes(LENGTH - 1))).toMatch(
      /the weight '__proto__' \(\[1\], float32\) takes 4 bytes from 48 on, but group1-shard1of1\.bin ends at 51\. A file is/,
    );
    expect(problems(SPECS, bytes(10))).toMatch(/^the weight 'float' .*$/);
    expect(problems(SPECS, undefined)).toMatch(/'float' .* takes 24 bytes .* group1-shard1of1\.bin has none/);
    expect(problems(SPECS, bytes(LENGTH + 1))).toMatch(/take 52 bytes, but group1-shard1of1\.bin has 53/);
    expect(problems(spec({dtype: 'string'}), Uint8Array.from([9, 0, 0, 0, 0, 0, 0, 0]).buffer)).toMatch(/'w' .*takes/);
    expect(problems(spec({dtype: 'string'}), new ArrayBuffer(7))).toMatch(/'w' .*takes more/);
  });

  it('tells of sizes that no file has, before it asks for memory', () => {
    for (const shape of [[1e9], [1e5, 1e5, 1e5], Array.from({length: 200}, () => 1e9)]) {
      for (const dtype of ['float32', 'string']) {
        expect(problems(spec({shape, dtype}), new ArrayBuffer(8))).toMatch(/'w' .*takes/);
      }
    }
  });

  it('tells of specs that are none, all at once', () => {
    expect(problems(null, undefined)).toBe('');
    expect(problems('all', undefined)).toMatch(/specs must be a list, but were "all"/);
    expect(problems([null, {shape: [1], dtype: 'float32'}], undefined)).toMatch(/null\.\n.*\{"shape":\[1\]/);
    for (const shape of [undefined, 3, ['3'], [-1], [1.5], [NaN], [null], {length: 1}]) {
      expect(problems(spec({shape}), undefined))
        .withContext(JSON.stringify(shape))
        .toMatch(/'w': its shape must be/);
    }
    for (const dtype of [undefined, 'float64', 'constructor', 7]) {
      expect(problems(spec({dtype}), undefined)).toMatch(
        /'w': its dtype must be float32, int32, bool, complex64, string/,
      );
    }
    for (const [quantization, told] of [
      ['uint8', /its quantization must be of dtype uint8, uint16, float16, but was "uint8"/],
      [{dtype: 'int4'}, /its quantization must be of dtype/],
      [{dtype: 'uint8'}, /must have a scale and a min/],
      [{dtype: 'uint8', scale: '1', min: 0}, /must have a scale and a min/],
      [{dtype: 'uint16', scale: 1, min: NaN}, /must have a scale and a min/],
    ] as const) {
      expect(problems(spec({quantization}), undefined)).toMatch(told);
    }
    expect(problems(spec({dtype: 'int32', quantization: {dtype: 'float16'}}), undefined)).toMatch(
      /a weight of dtype int32 cannot be stored as "float16"/,
    );
  });

  it('reads a stream in parts', async () => {
    const getWeightStream = () =>
      new ReadableStream<ArrayBuffer>({
        start(controller) {
          for (const part of parts(9)) controller.enqueue(part);
          controller.close();
        },
      });
    const data = await weightDataOf({getWeightStream});
    expect((data as ArrayBuffer[]).length).toBe(6);
    const weights = new GraphWeights(SPECS, data);
    expect(weights.problems).toEqual([]);
    expect(Array.from(weights.get('byte')!.values)).toEqual(
      Array.from(new GraphWeights(SPECS, bytes()).get('byte')!.values),
    );
  });
});
