/** Files that mean harm, or that are only large: no code of theirs runs, and an import's time follows their size. */
import {importModel} from '../../src/entries/import';
import {
  constant,
  leavingNothing,
  NODES,
  placeholder,
  SPECS,
  tinyArtifacts,
  tinyWeights,
  topologyOf,
} from './tiny_graph';

/** Names that every object has something under. */
const OWN = ['__proto__', 'constructor', 'prototype', 'toString', 'valueOf', 'hasOwnProperty', '__defineGetter__'];

const float = {type: 'DT_FLOAT'};
const MANY = 20_000;

async function imported(artifacts: object): Promise<void> {
  const model = await importModel(artifacts);
  model.dispose();
}

/** Imports or refuses, whichever; leaves the prototypes and the tensors as they were. */
async function expectHarmless(artifacts: object): Promise<void> {
  const prototypes = [Object.prototype, Array.prototype, Function.prototype, Map.prototype];
  const before = prototypes.map(each => Reflect.ownKeys(each).length);
  await leavingNothing(() => imported(artifacts).catch((error: unknown) => expect(error).toBeInstanceOf(Error)));
  expect(prototypes.map(each => Reflect.ownKeys(each).length)).toEqual(before);
  expect(({} as {polluted?: unknown}).polluted).toBeUndefined();
}

/** As JSON.parse makes it: with __proto__ as a name of its own. */
const own = (name: string, value: unknown) =>
  JSON.parse(`{${JSON.stringify(name)}: ${JSON.stringify(value)}}`) as object;

describe('importModel is not taken in by', () => {
  for (const name of OWN) {
    it(`nodes, weights, attributes, functions and ends called ${name}`, async () => {
      const evil = {name, op: 'Identity', input: ['x'], attr: {T: float}};
      const body = {
        signature: {name, inputArg: [{name: 'a'}], outputArg: [{name}]},
        nodeDef: [{name: 'b', op: 'Identity', input: ['a'], attr: own(name, {polluted: {}})}],
        ret: own(name, 'b:output:0'),
      };
      const inputs = own(name, {name: 'x:0', polluted: true});
      for (const artifacts of [
        tinyArtifacts({modelTopology: topologyOf([...NODES, evil])}),
        tinyArtifacts({modelTopology: topologyOf([...NODES, {...evil, name: 'y', op: name}])}),
        tinyArtifacts({modelTopology: topologyOf([...NODES, {...evil, name: 'y', attr: own(name, {polluted: true})}])}),
        tinyArtifacts({modelTopology: topologyOf([...NODES, {...evil, name: 'y', input: [name]}])}),
        tinyArtifacts({modelTopology: topologyOf(NODES, {function: [body]})}),
        tinyArtifacts({signature: {inputs, outputs: own(name, {name: 'net/relu:0'})}}),
        tinyArtifacts({signature: own(name, {polluted: true}), userDefinedMetadata: own(name, {polluted: true})}),
        tinyArtifacts({
          modelTopology: topologyOf([...NODES, constant(name)]),
          weightSpecs: [...SPECS, {name, shape: [1], dtype: 'float32'}],
          weightData: [tinyWeights(), new ArrayBuffer(4)],
        }),
        {modelTopology: own(name, {node: [], polluted: true})},
      ]) {
        await expectHarmless(artifacts);
      }
    });

    it(`layers, classes and settings called ${name}`, async () => {
      const dense = {
        class_name: 'Dense',
        config: {name, units: 1, batch_input_shape: [null, 2], ...own(name, {polluted: true})},
      };
      for (const layer of [
        dense,
        {...dense, class_name: name},
        {class_name: name, config: own(name, {polluted: true})},
      ]) {
        const model_config = {class_name: 'Sequential', config: {name: 'm', layers: [layer]}};
        await expectHarmless({
          modelTopology: {keras_version: '3.0.0', model_config},
          weightSpecs: [
            {name: `${name}/kernel`, shape: [2, 1], dtype: 'float32'},
            {name, shape: [1], dtype: 'float32'},
          ],
          weightData: new ArrayBuffer(12),
        });
      }
    });
  }

  it('code in a layer, of whatever class', async () => {
    const marked = globalThis as {hostile?: boolean};
    const code = 'globalThis.hostile = true';
    for (const class_name of ['Lambda', 'eval', 'Function', 'constructor', code, `${code}//`]) {
      for (const config of [
        {name: 'code', function: code, batch_input_shape: [null, 2]},
        {name: 'code', function: {class_name: '__lambda__', config: {code: btoa(code)}}, batch_input_shape: [null, 2]},
        {name: code, activation: code, units: 1, batch_input_shape: [null, 2]},
      ]) {
        const layers = [{class_name, config, module: code, registered_name: code}];
        const model_config = {class_name: 'Sequential', config: {name: 'm', layers}};
        await expectHarmless({modelTopology: {keras_version: '3.0.0', model_config}, weightSpecs: []});
      }
    }
    await expectHarmless(tinyArtifacts({modelTopology: topologyOf([...NODES, {name: code, op: code, input: ['x']}])}));
    expect(marked.hostile).toBeUndefined();
  });

  it('topologies that nest without end', async () => {
    let deep: object = {};
    for (let i = 0; i < 50_000; i++) deep = {deep};
    await expectHarmless({modelTopology: deep});
    await expectHarmless(tinyArtifacts({modelTopology: topologyOf([...NODES, deep])}));
    await expectHarmless(
      tinyArtifacts({modelTopology: topologyOf([...NODES, {name: 'y', op: 'Identity', attr: {deep}}])}),
    );
    await expectHarmless(tinyArtifacts({weightSpecs: deep}));
  });

  it('sizes that no device holds', async () => {
    const sized = (...nodes: object[]) => tinyArtifacts({modelTopology: topologyOf([...NODES, ...nodes])});
    await expectHarmless(sized(placeholder('y', 1e9)));
    await expectHarmless(sized(placeholder('y', 1e9, 1e9, 1e9)));
    await expectHarmless(sized(placeholder('y', 1e300)));
    for (const shape of [[1e9], [1e9, 1e9], [2 ** 53]]) {
      await expectHarmless(tinyArtifacts({weightSpecs: [{...SPECS[0], shape}, SPECS[1]]}));
    }
  });
});

describe('importModel follows the size of', () => {
  /** A small graph model of float32 scalars beside its nodes. */
  function scalars(nodes: readonly object[], names: readonly string[] = []): object {
    return {
      modelTopology: topologyOf([...nodes, ...names.map(constant)]),
      weightSpecs: names.map(name => ({name, shape: [], dtype: 'float32'})),
      weightData: new Float32Array(names.length).fill(1).buffer,
    };
  }
  const numbered = (count = MANY) => Array.from({length: count}, (_, i) => `n${i}`);
  const chain = (op: string, attr: object = {T: float}) => [
    placeholder('x', -1, 2),
    ...numbered().map((name, i) => ({name, op, input: [i === 0 ? 'x' : `n${i - 1}`], attr})),
  ];

  it('a chain of layers', () => leavingNothing(() => imported(scalars(chain('Relu')))));
  it('a chain of nodes that no layer computes', () => leavingNothing(() => imported(scalars(chain('Floor')))));
  it('a chain of nodes that hand on what they get', () => leavingNothing(() => imported(scalars(chain('Identity')))));

  it('a chain in which layers and others take turns', () =>
    leavingNothing(() =>
      imported(
        scalars(
          chain('Relu')
            .slice(0, 2001)
            .map((node, i) => (i > 0 && i % 2 === 0 ? {...node, op: 'Floor'} : node)),
        ),
      ),
    ));

  it('many weights', () => {
    const names = numbered();
    const adding = names.map((name, i) => ({
      name: `add${i}`,
      op: 'AddV2',
      input: [i === 0 ? 'x' : `add${i - 1}`, name],
      attr: {T: float},
    }));
    return leavingNothing(() => imported(scalars([placeholder('x', -1, 2), ...adding], names)));
  });

  it('one node that many take from', () => {
    // tfjs's own models take the square of their layers' number.
    const names = numbered(MANY / 4);
    const takers = names.map(name => ({name, op: 'Floor', input: ['x'], attr: {T: float}}));
    const sum = {name: 'sum', op: 'AddN', input: names, attr: {T: float, N: {i: String(names.length)}}};
    return leavingNothing(() => imported(scalars([placeholder('x', -1, 2), ...takers, sum])));
  });

  it('one node that takes from many', () => {
    // As above.
    const input = Array.from({length: MANY / 4}, () => 'x');
    const sum = {name: 'sum', op: 'AddN', input, attr: {T: float, N: {i: String(input.length)}}};
    return leavingNothing(async () => {
      await imported(scalars([placeholder('x', -1, 2), sum]));
      const floor = {name: 'floor', op: 'Floor', input: ['x'], attr: {T: float}};
      await imported(scalars([placeholder('x', -1, 2), floor, {...sum, input: input.map(() => 'floor')}]));
    });
  });

  it('many functions', () => {
    const bodies = numbered(1000).map(name => ({
      signature: {name, inputArg: [{name: 'a'}], outputArg: [{name: 'out'}]},
      nodeDef: numbered(20).map((node, i) => ({
        name: node,
        op: 'Identity',
        input: [i === 0 ? 'a' : `n${i - 1}:output:0`],
      })),
      ret: {out: 'n19:output:0'},
    }));
    return leavingNothing(() => imported(tinyArtifacts({modelTopology: topologyOf(NODES, {function: bodies})})));
  });

  it('what is wrong in many places', async () => {
    const nodes = numbered().map(name => ({name, op: 'Identity', input: ['nowhere']}));
    await expectAsync(imported(scalars(nodes))).toBeRejectedWithError(/and 19990 more\./);
  });
});
