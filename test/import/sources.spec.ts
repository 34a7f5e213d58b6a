/** Whatever a model can be loaded from. */
import {env, io} from '@tensorflow/tfjs-core';
import {importModel, type ImportProgress} from '../../src/entries/import';
import {
  expectTiny,
  leavingNothing,
  serverOf,
  SPECS,
  tinyArtifacts,
  tinyFiles,
  tinyJson,
  tinyWeights,
} from './tiny_graph';

const URL_OF_IT = 'https://models.test/tiny/model.json';
const FILES = [URL_OF_IT, 'https://models.test/tiny/shard1of2.bin', 'https://models.test/tiny/shard2of2.bin'];

/** What a load tells of its progress. */
async function progressOf(source: Parameters<typeof importModel>[0], options: object = {}): Promise<ImportProgress[]> {
  const told: ImportProgress[] = [];
  await expectTiny(await importModel(source, {...options, onProgress: each => told.push(each)}));
  return told;
}

/** Expects progress to start at nothing, to grow, and to end with all. */
function expectWhole(told: readonly ImportProgress[], stage: ImportProgress['stage']): void {
  const fractions = told.filter(each => each.stage === stage).map(({done, total}) => done / total);
  expect(fractions.at(-1)).withContext(stage).toBe(1);
  expect(fractions)
    .withContext(stage)
    .toEqual([...fractions].sort((a, b) => a - b));
}

describe('importModel loads', () => {
  it('a URL, each file once, with progress', () =>
    leavingNothing(async () => {
      const {asked, fetchFunc} = serverOf(tinyFiles());
      const told = await progressOf(URL_OF_IT, {fetchFunc});
      expect(asked).toEqual(FILES);
      expectWhole(told, 'load');
      expectWhole(told, 'convert');
      expect(told[0]).toEqual({stage: 'load', done: 0, total: 1});
      expect(told.filter(({stage, done}) => stage === 'load' && done > 0 && done < 1).length).toBeGreaterThan(0);
      const stages = told.map(({stage}) => stage);
      expect(stages.lastIndexOf('load')).toBeLessThan(stages.indexOf('convert'));
    }));

  it('what a server compresses, and what it announces no length of', async () => {
    for (const length of ['7', '0', 'x', '1e15']) {
      const {fetchFunc} = serverOf(tinyFiles());
      const announcing = (async (...args: Parameters<typeof fetch>) => {
        const answer = await fetchFunc(...args);
        return new Response(answer.body, {headers: {'content-length': length}});
      }) as typeof fetch;
      expectWhole(await progressOf(URL_OF_IT, {fetchFunc: announcing}), 'load');
    }
  });

  it('through a fetchFunc that gives less than a Response', async () => {
    const files = tinyFiles();
    const fetchFunc = ((url: string) => {
      const file = files[url.split('/').at(-1)!]!;
      const json = () => Promise.resolve(JSON.parse(file as string) as unknown);
      return Promise.resolve({ok: true, json, arrayBuffer: () => Promise.resolve(file)});
    }) as unknown as typeof fetch;
    expectWhole(await progressOf(URL_OF_IT, {fetchFunc}), 'load');
  });

  it('a URL with requestInit, weightPathPrefix or weightUrlConverter', async () => {
    const requestInit = {headers: {authorization: 'Bearer it'}};
    const inits: unknown[] = [];
    const {asked, fetchFunc} = serverOf(tinyFiles());
    const recording = ((url: string, init: unknown) => {
      inits.push(init);
      return fetchFunc(url);
    }) as typeof fetch;
    await expectTiny(
      await importModel(URL_OF_IT, {fetchFunc: recording, requestInit, weightPathPrefix: 'https://weights.test/'}),
    );
    expect(inits).toEqual([requestInit, requestInit, requestInit]);
    const weightUrlConverter = (name: string) => Promise.resolve(`https://signed.test/${name}?key=1`);
    await expectTiny(await importModel(URL_OF_IT, {fetchFunc, weightUrlConverter}));
    expect(asked).toEqual([
      URL_OF_IT,
      'https://weights.test/shard1of2.bin',
      'https://weights.test/shard2of2.bin',
      URL_OF_IT,
      'https://signed.test/shard1of2.bin?key=1',
      'https://signed.test/shard2of2.bin?key=1',
    ]);
  });

  it('a model of TensorFlow Hub', async () => {
    const {asked, fetchFunc} = serverOf(tinyFiles());
    await expectTiny(await importModel('https://hub.test/tiny/1', {fetchFunc, fromTFHub: true}));
    expect(asked[0]).toBe('https://hub.test/tiny/1/model.json?tfjs-format=file');
  });

  it('a path, with what the platform fetches with', async () => {
    const {asked, fetchFunc} = serverOf(tinyFiles());
    spyOn(env().platform, 'fetch').and.callFake(path => fetchFunc(`https://here.test/${path}`));
    await expectTiny(await importModel('models/model.json'));
    expect(asked.map(each => new URL(each).pathname)).toEqual([
      '/models/model.json',
      '/models/shard1of2.bin',
      '/models/shard2of2.bin',
    ]);
  });

  it('a URL of a scheme that somebody has registered', async () => {
    io.registerLoadRouter(url => (url === 'import-test://tiny' ? io.fromMemory(tinyArtifacts()) : null!));
    expectWhole(await progressOf('import-test://tiny'), 'load');
  });

  it('an IOHandler, also a synchronous one', async () => {
    expectWhole(await progressOf(io.fromMemory(tinyArtifacts())), 'load');
    await expectTiny(await importModel(io.fromMemorySync(tinyArtifacts())));
  });

  it('ModelArtifacts, also with their weights in parts or in a stream', async () => {
    await expectTiny(await importModel(tinyArtifacts()));
    const weights = tinyWeights();
    const parts = [weights.slice(0, 3), weights.slice(3, 150), weights.slice(150)];
    await expectTiny(await importModel(tinyArtifacts({weightData: parts})));
    const getWeightStream = () => new Response(new Blob(parts)).body;
    await expectTiny(await importModel(tinyArtifacts({weightData: undefined, getWeightStream})));
  });

  it('[modelJSON, weights]', async () => {
    await expectTiny(await importModel([tinyJson(), tinyWeights()]));
    await expectTiny(await importModel([tinyJson(), [tinyWeights().slice(0, 9), tinyWeights().slice(9)]]));
  });

  if (typeof File !== 'undefined' && typeof window !== 'undefined') {
    it("files of a page's user", async () => {
      const files = Object.entries(tinyFiles()).map(([name, body]) => new File([body as BlobPart], name));
      await expectTiny(await importModel(io.browserFiles(files)));
    });
  }

  it('names inputs and outputs as the signature does', async () => {
    const model = await importModel(tinyArtifacts());
    expect(model.inputNames).toEqual(['image']);
    expect(model.outputNames).toEqual(['scores']);
    model.dispose();
  });

  it('leaves what it was given as it was', async () => {
    const artifacts = tinyArtifacts();
    const before = JSON.stringify(artifacts);
    (await importModel(artifacts)).dispose();
    expect(JSON.stringify(artifacts)).toBe(before);
    expect(new Uint8Array(artifacts.weightData as ArrayBuffer)).toEqual(new Uint8Array(tinyWeights()));
    expect(artifacts.weightSpecs).toBe(SPECS);
  });
});
