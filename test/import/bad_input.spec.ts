/** What is no model, or a broken one: told before anything is made, and nothing is left. */
import {io} from '@tensorflow/tfjs-core';
import {sequential, layers} from '@tensorflow/tfjs-layers';
import {importModel} from '../../src/entries/import';
import {artifactsOf} from '../support/saved';
import {
  constant,
  leavingNothing,
  list,
  NODES,
  placeholder,
  serverOf,
  SIGNATURE,
  SPECS,
  text,
  tinyArtifacts,
  tinyFiles,
  tinyJson,
  tinyWeights,
  topologyOf,
} from './tiny_graph';

const URL_OF_IT = 'https://models.test/tiny/model.json';

type Source = Parameters<typeof importModel>[0];

/** Expects an import to fail with an error of importModel that tells some things, and to leave no tensor. */
async function expectRefused(source: unknown, told: readonly RegExp[], options: object = {}): Promise<void> {
  await leavingNothing(async () => {
    const error: unknown = await importModel(source as Source, options).then(
      () => new Error('imported'),
      (thrown: unknown) => thrown,
    );
    for (const each of [/^importModel: /, ...told]) expect((error as Error).message).toMatch(each);
  });
}

function bytes(start: string): ArrayBuffer {
  return Uint8Array.from({length: 40}, (_, i) => (i < start.length ? start.charCodeAt(i) : 200)).buffer;
}

describe('importModel tells of', () => {
  const SOURCES: Readonly<Record<string, readonly [source: unknown, ...told: RegExp[]]>> = {
    nothing: [undefined, /source must be the model's URL/],
    null: [null, /source must be the model's URL.* null/],
    'an empty URL': ['', /source must be the model's URL/],
    'a number': [7, /but was 7/],
    'bytes of a file': [new Uint8Array(8), /source must be/],
    'files without a handler': [
      [{}, {}, {}],
      /IOHandler with a load method \(as tf\.io\.browserFiles makes of files\)/,
    ],
    'a pair that is none': [
      [null, new ArrayBuffer(4)],
      /first of \[modelJSON, weights\] must be a parsed model\.json.*null/,
    ],
    'a list for a model.json': [
      [[], new ArrayBuffer(4)],
      /first of \[modelJSON, weights\] must be a parsed model\.json/,
    ],
    'weights that are none': [[tinyJson(), 'x'], /second of \[modelJSON, weights\] must be an ArrayBuffer/],
    'a view for weights': [[tinyJson(), new Uint8Array(tinyWeights())], /ArrayBuffer.*new Uint8Array\(bytes\)\.buffer/],
    "Keras's JSON": [
      [{class_name: 'Sequential', config: {}, keras_version: '2'}, new ArrayBuffer(4)],
      /a Keras model's configuration alone: convert the model itself/,
    ],
    'a weights manifest alone': [[{weightsManifest: []}, new ArrayBuffer(4)], /with modelTopology/],
    'a weights manifest that is none': [
      [tinyJson({weightsManifest: {paths: []}}), new ArrayBuffer(4)],
      /weightsManifest lists paths and weights, but that was \{"paths"/,
    ],
    'a handler that gives nothing': [{load: () => Promise.resolve(undefined)}, /load\(\) must give ModelArtifacts/],
    'a handler that gives a string': [{load: () => 'model'}, /load\(\) must give ModelArtifacts, but gave "model"/],
    'a topology that is missing': [{modelTopology: undefined}, /there is no model topology/],
    'a binary topology': [{modelTopology: new ArrayBuffer(8)}, /the model topology is binary/],
    'a topology that is a list': [{modelTopology: []}, /must be that of a model\.json/],
    'a topology of something else': [{modelTopology: {graph: 1}}, /must have a list 'node'/],
    'a model without weights': [{modelTopology: topologyOf(NODES), weightSpecs: SPECS}, /'net\/kernel' .*has none/],
    'a model.json as artifacts': [tinyJson(), /is a model\.json without its weights\. Give \[modelJSON, weights\]/],
    'a URL as an object': [new URL(URL_OF_IT), /of type URL\. Give its href/],
    'an answer': [new Response(), /of type Response\. Give its URL/],
    'a file without a handler': [new File([], 'model.json'), /of type File\. Give tf\.io\.browserFiles\(\[/],
    'two files': [[new File([], 'a'), new File([], 'b')], /a list of type File\. Give tf\.io\.browserFiles\(\[/],
    'what is not awaited': [Promise.resolve(tinyJson()), /of type Promise\. Await it/],
    'weights that are not awaited': [[tinyJson(), Promise.resolve()], /of type Promise\. Await/],
    'a model.json that is not parsed': [[JSON.stringify(tinyJson()), tinyWeights()], /is text\. Parse it: JSON\.parse/],
  };
  for (const [name, [source, ...told]] of Object.entries(SOURCES)) {
    it(name, () => expectRefused(source, told));
  }

  it('options that are none, all at once', async () => {
    const options = {onprogress: () => undefined, fetchFunc: 7};
    await expectRefused(tinyArtifacts(), [/onprogress is no option/, /fetchFunc must be a function/], options);
    await expectRefused(tinyArtifacts(), [/options must be an object, but was null/], null!);
  });

  it('a model that is loaded already', async () => {
    const model = sequential({layers: [layers.dense({units: 1, inputShape: [1]})]});
    await expectRefused(model, [/source is a loaded model\. Give what it was loaded from/]);
    model.dispose();
  });

  it('what a handler throws, as it is', async () => {
    const error = new Error('no disk');
    await expectAsync(importModel({load: () => Promise.reject(error)})).toBeRejectedWith(error);
  });

  it('a URL of nothing in storage', async () => {
    io.registerLoadRouter(url =>
      url === 'import-test://none' ? {load: () => Promise.reject(new Error("Cannot find model 'none'"))} : null!,
    );
    await expectRefused('import-test://none', [/'import-test:\/\/none'.*Cannot find model 'none'/]);
  });

  const FILES: Readonly<Record<string, readonly [files: Record<string, BodyInit | undefined>, ...told: RegExp[]]>> = {
    'a URL that is not there': [{'model.json': undefined}, /tiny\/model\.json' .*HTTP 404 Not Found.*Check the URL/],
    'a web page': [{'model.json': '<!DOCTYPE html><title>No</title>'}, /tiny\/model\.json' is a web page/],
    'a model.json that is cut': [
      {'model.json': JSON.stringify(tinyJson()).slice(0, 300)},
      /tiny\/model\.json' is no JSON, or cut .*Fetch or convert it anew/,
    ],
    'an empty file': [{'model.json': ''}, /tiny\/model\.json' is empty/],
    'a .tflite': [{'model.json': bytes('\x1c\0\0\0TFL3')}, /is a \.tflite file/],
    'an .h5': [{'model.json': bytes('\x89HDF\r\n\x1a\n')}, /is Keras's \.h5 file.*tensorflowjs_converter/],
    'a .keras': [{'model.json': bytes('PK\x03\x04')}, /is a \.zip or \.keras file/],
    'a SavedModel': [{'model.json': bytes('\b\x01\x12\xa0')}, /is a SavedModel/],
    'a frozen graph': [{'model.json': bytes('\n\x17\n\x01x\x12')}, /is a SavedModel or another protocol buffer/],
    'a pointer of Git LFS': [{'model.json': 'version https://git-lfs.github.com/spec/v1\noid'}, /a pointer of Git LFS/],
    'a compressed file': [{'model.json': bytes('\x1f\x8b\b')}, /compressed \(gzip\)/],
    'JSON that is null': [{'model.json': 'null'}, /tiny\/model\.json' must be a parsed model\.json.* null/],
    'JSON that is a list': [{'model.json': '[{"paths": [], "weights": []}]'}, /must be a parsed model\.json/],
    "Keras's JSON at a URL": [{'model.json': '{"class_name": "Model"}'}, /a Keras model's configuration alone/],
    'a weight file that is not there': [
      {'shard2of2.bin': undefined},
      /tiny\/shard2of2\.bin' could not be fetched: HTTP 404 Not Found.*weightPathPrefix/,
    ],
    'a web page for a weight file': [
      {'shard2of2.bin': '<html>'},
      /tiny\/shard2of2\.bin' is no weight file but a web page/,
    ],
    'a weight file that is cut': [
      {'shard2of2.bin': new ArrayBuffer(110)},
      /the weight 'net\/kernel' \(\[3, 3, 2, 3\], float32\) takes 216 bytes from 0 on/,
      /shard1of2\.bin' \(100 bytes\), '.*shard2of2\.bin' \(110 bytes\) ends at 210/,
      /A file is missing or cut/,
    ],
    'a weight file that is too long': [
      {'shard2of2.bin': new ArrayBuffer(300)},
      /the weights take 219 bytes, but .*shard2of2\.bin' \(300 bytes\) has 400.*belongs to another model/,
    ],
  };
  for (const [name, [files, ...told]] of Object.entries(FILES)) {
    it(name, async () => {
      const {fetchFunc} = serverOf({...tinyFiles(), ...files});
      await expectRefused(URL_OF_IT, told, {fetchFunc, onProgress: () => undefined});
    });
  }

  it('a server that is not there, or breaks off', async () => {
    const failing = (error: Error) => (() => Promise.reject(error)) as unknown as typeof fetch;
    await expectRefused(URL_OF_IT, [/model\.json' could not be fetched: offline \(refused\)\. Check the URL/], {
      fetchFunc: failing(new TypeError('offline', {cause: new Error('refused')})),
    });
    const broken = new ReadableStream({
      pull: controller => {
        controller.error(new Error('cut off'));
      },
    });
    const fetchFunc = (() =>
      Promise.resolve(new Response(broken, {headers: {'content-length': '9'}}))) as unknown as typeof fetch;
    await expectRefused(URL_OF_IT, [/model\.json' broke off while it came: cut off\. Load it again/], {fetchFunc});
  });

  it('an abort as fetch does', async () => {
    const controller = new AbortController();
    controller.abort();
    const fetchFunc = ((_: string, {signal}: RequestInit) =>
      Promise.reject(signal!.reason as Error)) as unknown as typeof fetch;
    const load = importModel(URL_OF_IT, {fetchFunc, requestInit: {signal: controller.signal}});
    await expectAsync(load).toBeRejectedWith(controller.signal.reason);
  });
});

describe('importModel tells of graphs with', () => {
  const identity = (name: string, ...input: string[]) => ({name, op: 'Identity', input});
  const conv = (attr: object) =>
    NODES.map(node => (node.op === 'Conv2D' ? {...node, attr: {...node.attr, ...attr}} : node));
  const calling = (name: string) => ({name: 'y', op: 'StatelessIf', input: ['x'], attr: {then_branch: {func: {name}}}});

  /** Nodes beside those of the small graph, or its artifacts, and what the error must tell. */
  const BROKEN: Readonly<Record<string, readonly [artifacts: object, ...told: RegExp[]]>> = {
    'a cycle': [
      {node: [...NODES, identity('a', 'b'), identity('b', 'a')]},
      /node '[ab]' is among its own inputs/,
      /correct its model\.json/,
    ],
    'a node that is nowhere': [
      {node: [...NODES, identity('a', 'z')]},
      /node 'a' \(Identity\): its input 'z' is no node/,
    ],
    'two nodes of one name': [{node: [...NODES, placeholder('x', 1)]}, /two nodes are called 'x'/],
    'an op that tfjs has not': [
      {node: [...NODES, {name: 'a', op: 'Quux', input: ['x']}, {name: 'b', op: 'constructor', input: ['x']}]},
      /2 problems/,
      /node 'a' \(Quux\): tfjs has no such op\. Register it \(tf\.registerOp\)/,
      /node 'b' \(constructor\): tfjs has no such op/,
    ],
    'an op that tfjs has not, in a function': [
      {
        node: NODES,
        library: {function: [{signature: {name: 'f'}, nodeDef: [{name: 'a', op: 'Quux'}]}]},
      },
      /node 'a' \(Quux\): tfjs has no such op/,
    ],
    'too few inputs': [
      {node: [...NODES, {name: 'm', op: 'MatMul', input: ['x']}]},
      /node 'm' \(MatMul\): it takes 2 inputs, but has 1/,
    ],
    'a constant without a value': [{node: [...NODES, constant('c')]}, /node 'c' \(Const\): .*no weight of that name/],
    'an unknown function': [
      {node: [...NODES, calling('f')]},
      /node 'y' \(StatelessIf\): then_branch is the function "f"/,
    ],
    'strides of a wrong length': [
      {node: conv({strides: list(1, 2)})},
      /'net\/conv' \(Conv2D\): strides must be a list of 4/,
    ],
    'strides in letters': [
      {node: conv({strides: {list: {i: ['1', 'two', '2', '1']}}})},
      /'net\/conv' \(Conv2D\): its attribute strides is none: .*two/,
    ],
    'strides that are no list': [
      {node: conv({strides: {i: '2'}})},
      /strides must be a list of 4 integers above 0, but was 2/,
    ],
    'strides of 0': [{node: conv({strides: list(1, 0, 0, 1)})}, /strides must be .*\[1, 0, 0, 1\]/],
    'no strides': [{node: conv({strides: undefined})}, /'net\/conv'|node 3/],
    'an unknown padding': [
      {node: conv({padding: text('FULL')})},
      /padding must be 'same' or 'valid' or 'explicit'.*'full'/,
    ],
    'an unknown data format': [{node: conv({data_format: text('CHWN')})}, /data_format must be 'nhwc' or 'nchw'/],
    'an attribute that is none': [
      {node: [...NODES, {...identity('a', 'x'), attr: {T: {type: {}}, axis: {i: {}}}}]},
      /node 'a' \(Identity\): its attribute T is none/,
      /its attribute axis is none/,
    ],
    'an input of more values than there is memory for': [
      {node: [...NODES, placeholder('huge', 1e5, 1e5)]},
      /node 'huge' \(Placeholder\): shape must be a list of sizes .*\[100000, 100000\]/,
    ],
    'an input of a shape that is none': [
      {node: [...NODES, placeholder('odd', 2, -7)]},
      /node 'odd' \(Placeholder\): shape must be a list of sizes/,
    ],
    'names that tfjs takes for its own': [
      {node: [...NODES, identity('constructor', 'x'), identity('__proto__', 'x')]},
      /a node is called 'constructor', which tfjs cannot run\. Rename it/,
      /'__proto__'/,
    ],
    'a signature of what is nowhere': [
      {node: NODES, signature: {...SIGNATURE, outputs: {y: {name: 'gone:0'}}}},
      /the signature's outputs have 'y', which is \{"name":"gone:0"\}, no node there/,
    ],
    'a signature that is none': [
      {node: NODES, signature: {inputs: [], outputs: {y: null}}},
      /the signature's inputs must be named, but were \[\]/,
      /'y', which is null/,
    ],
    'weights of one name': [
      {node: NODES, weightSpecs: [...SPECS, {...SPECS[1]!, shape: [0]}]},
      /two weights are called 'net\/bias'/,
    ],
    'a weight of a size that no file has': [
      {node: NODES, weightSpecs: [{...SPECS[0]!, shape: [1e5, 1e5]}, SPECS[1]]},
      /the weight 'net\/kernel' \(\[100000, 100000\], float32\) takes 40000000000 bytes/,
    ],
    'a weight of an unknown dtype': [
      {node: NODES, weightSpecs: [{...SPECS[0]!, dtype: 'float64'}, SPECS[1]]},
      /the weight 'net\/kernel': its dtype must be float32.*"float64"/,
    ],
    'problems of all kinds, all at once': [
      {
        node: [...conv({padding: text('FULL')}), identity('a', 'z')],
        weightSpecs: [{...SPECS[0]!, shape: 'all'}, SPECS[1]],
      },
      /3 problems/,
      /padding/,
      /'z'/,
      /its shape must be a list of integers/,
    ],
  };
  for (const [name, [{node, library, ...more}, ...told]] of Object.entries(BROKEN) as unknown as [
    string,
    [{node: unknown[]; library?: unknown}, ...RegExp[]],
  ][]) {
    it(name, () => expectRefused(tinyArtifacts({modelTopology: topologyOf(node, library), ...more}), told));
  }
});

describe('importModel tells of layers models with', () => {
  async function dense(): Promise<io.ModelArtifacts> {
    const model = sequential({layers: [layers.dense({units: 3, inputShape: [2], name: 'dense'})]});
    const artifacts = await artifactsOf(model);
    model.dispose();
    return artifacts;
  }

  it('weights that are cut, or too long', async () => {
    const artifacts = await dense();
    await expectRefused({...artifacts, weightData: new ArrayBuffer(20)}, [
      /'dense\/kernel' .*takes 24 bytes.*ends at 20/,
    ]);
    await expectRefused({...artifacts, weightData: new ArrayBuffer(40)}, [/the weights take 36 bytes, but .* has 40/]);
    await expectRefused({...artifacts, weightData: undefined}, [/'dense\/kernel' .*has none/]);
  });
});
