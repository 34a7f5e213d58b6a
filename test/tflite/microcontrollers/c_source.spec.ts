/** What cSource writes compiles, and holds what stands in the file, as readers that are not ours find it there. */
import {cSource, type CSourceOptions} from '../../../src/entries/tflite';
import {scoped} from '../../support/scoped';
import {parse, type SchemaTensor, stopRuntimes} from '../runtimes';
import {printedBy} from './compiler';
import {fileOf, floatFile, severalPorts} from './files';

afterAll(stopRuntimes);

/** Prints all that a program can find in the header. */
function mainFor(inputs: readonly SchemaTensor[], outputs: readonly SchemaTensor[], hasLabels: boolean): string {
  const ports = [...inputs.map((port, i) => [`m_input${i}`, port] as const), ...outputs.map((port, i) => [`m_output${i}`, port] as const)]; // prettier-ignore
  return `
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "m_model.h"

template <typename T>
void print(const char* name, const T* numbers, size_t count) {
  printf("%s:", name);
  for (size_t i = 0; i < count; ++i) printf(" %.9g", static_cast<double>(numbers[i]));
  printf("\\n");
}

int main() {
  printf("aligned: %d\\n", reinterpret_cast<uintptr_t>(m_model) % 16 == 0);
  for (size_t i = 0; i < m_model_size; ++i) printf("%02x", m_model[i]);
  printf("\\n");
  ${ports
    .map(
      ([prefix, {scale}]) => `
  print("${prefix} shape", ${prefix}_shape, sizeof ${prefix}_shape / sizeof(int));
  print("${prefix} size", &${prefix}_size, 1);
  ${scale.length > 0 ? `print("${prefix} grid", &${prefix}_scale, 1); print("${prefix} zero", &${prefix}_zero_point, 1);` : ''}`,
    )
    .join('')}
  m_op_resolver resolver;
  printf("registered: %d\\n", m_register_ops(resolver) == kTfLiteOk);
  for (unsigned i = 0; i < resolver.count; ++i) printf("operator %s\\n", resolver.names[i]);
  ${hasLabels ? 'for (int i = 0; i < m_label_count; ++i) printf("label %d %s\\n", static_cast<int>(strlen(m_labels[i])), m_labels[i]);' : ''}
}
`;
}

/** What is printed, line by line, by a program of what cSource writes, and what must be by what the schema reads. */
async function compare(
  bytes: Uint8Array,
  labels: readonly string[],
  options: Partial<CSourceOptions> = {},
): Promise<void> {
  const {tensors, inputs, outputs, operators} = await parse(bytes);
  const ports = [inputs, outputs].map(numbers => numbers.map(each => tensors[each]!));
  const [ins, outs] = ports as [SchemaTensor[], SchemaTensor[]];
  const files = cSource(bytes, {name: 'm', ...options});
  expect([...files.keys()]).toEqual(['m_model.h', 'm_model.cpp']);
  expect(files.get('m_model.cpp')).toContain('alignas(16) const unsigned char m_model[] = {');
  const printed = await printedBy(files, mainFor(ins, outs, labels.length > 0));
  const float = (value: number) => Number(value.toPrecision(9));
  const portLines = ([kind, port]: readonly [string, SchemaTensor]) => [
    `${kind} shape: ${port.shape.join(' ')}`,
    `${kind} size: ${port.shape.reduce((a, b) => a * b, 1)}`,
    ...(port.scale.length > 0 ? [`${kind} grid: ${float(port.scale[0]!)}`, `${kind} zero: ${port.zeroPoint[0]!}`] : []),
  ];
  const lines = printed.trimEnd().split('\n');
  expect(lines.slice(0, 2)).toEqual(['aligned: 1', Buffer.from(bytes).toString('hex')]);
  expect(lines.slice(2)).toEqual([
    ...ins.map((port, i) => [`m_input${i}`, port] as const).flatMap(portLines),
    ...outs.map((port, i) => [`m_output${i}`, port] as const).flatMap(portLines),
    'registered: 1',
    ...new Set(operators.map(({name}) => `operator ${name}`)),
    ...labels.map(label => `label ${Buffer.byteLength(label)} ${label}`),
  ]);
}

describe('cSource', () => {
  scoped();

  it('writes what compiles, and has the bytes, the grids, the operators and the labels in it', async () => {
    const labels = ['cat "tom"', 'Füße??/ \\', '犬1'];
    await compare(await severalPorts({inputType: 'int8', outputType: 'uint8', labels}), labels);
  });

  it('writes ports of floats without a grid, and no labels where none are', async () => {
    await compare(await floatFile(), []);
    await compare(await severalPorts(), []);
  });

  it('leaves names of tensors in their comments', async () => {
    await compare(fileOf([{builtin: 0}], {tensor: 'two\nlines\u2028three "\\'}), []);
  });

  it('takes labels for those in the file', async () => {
    const bytes = await floatFile({labels: ['a', 'b']});
    await compare(bytes, ['a', 'b']);
    await compare(bytes, ['no', 'yes'], {labels: ['no', 'yes']});
    await compare(bytes, [], {labels: []});
  });

  it('gives the same text for the same file', async () => {
    const bytes = await severalPorts();
    expect([...cSource(bytes, {name: 'm'})]).toEqual([...cSource(bytes.slice(), {name: 'm'})]);
  });

  it('knows each operator that TensorFlow Lite Micro has by the name of its method', async () => {
    const {readFileSync} = await import('node:fs');
    const header = readFileSync('test/tflite/microcontrollers/include/tensorflow/lite/micro/micro_mutable_op_resolver.h', 'utf8'); // prettier-ignore
    const methods = [...header.matchAll(/ OPERATOR\((\w+), "([\w-]+)"\)/g)].map(([, method, name]) => ({
      method,
      name: name!,
    }));
    expect(methods.length).toBeGreaterThan(110);
    const {NAMES} = await import('../../../src/export/tflite/schema_numbers');
    const kindOf = (name: string) => {
      const builtin = (NAMES.BuiltinOperator as readonly string[]).indexOf(name);
      return builtin < 0 ? {builtin: 32, custom: name} : {builtin};
    };
    const files = cSource(fileOf(methods.map(({name}) => kindOf(name))), {name: 'm'});
    const called = [...files.get('m_model.cpp')!.matchAll(/resolver\.Add(\w+)\(\)/g)].map(([, method]) => method);
    expect(called).toEqual(methods.map(({method}) => method));
  });

  it('names operators that TensorFlow Lite Micro does not have', () => {
    const bytes = fileOf([{builtin: 130}, {builtin: 32, custom: 'Mine'}, {builtin: 48}]);
    expect(() => cSource(bytes, {name: 'm'})).toThrowError(
      'cSource: bytes need operators that TensorFlow Lite Micro does not have: Mine, TOPK_V2. Use other layers.',
    );
  });

  for (const name of ['', '7up', 'a-b', 'a b', 'größe', 'int', 'class', 'co_await', 'true', undefined, null, 7]) {
    it(`refuses the name ${String(name)}`, async () => {
      const bytes = await floatFile();
      expect(() => cSource(bytes, {name} as CSourceOptions)).toThrowError(
        /^cSource: name must be an identifier that C and C\+\+ let be a name, as gestures, but was /,
      );
    });
  }

  it('refuses other labels than there are classes, options that are none, and none', async () => {
    const bytes = await floatFile();
    expect(() => cSource(bytes, {name: 'm', labels: ['a']})).toThrowError(
      'cSource: labels must be 2 strings, one for each class of the first output, but were 1.',
    );
    expect(() => cSource(bytes, {name: 'm', labels: [1, 2] as unknown as string[]})).toThrowError(
      /labels must be an array of strings/,
    );
    expect(() => cSource(bytes, {name: 'm', label: []} as CSourceOptions)).toThrowError(/label is no option/);
    expect(() => cSource(bytes, undefined as unknown as CSourceOptions)).toThrowError(/options must be an object/);
  });
});
