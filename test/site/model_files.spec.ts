/** Models as visitors have them: files in any order, folders, archives, addresses. */
import {gzipSync, zipSync} from 'fflate';
import type {GivenFile} from '../../site/quantize/worker/contract';
import {unpacked} from '../../site/quantize/worker/files';
import {Job} from '../../site/quantize/worker/job';
import {metadataOf, readModelFiles} from '../../site/quantize/worker/model_files';
import {modelUrlOf} from '../../site/quantize/worker/model_url';

const text = (value: unknown) => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));

const MODEL = {
  modelTopology: {},
  weightsManifest: [{paths: ['group1-shard1of2.bin', './group1-shard2of2.bin'], weights: []}],
};
const SHARDS = {'group1-shard1of2.bin': Uint8Array.of(1), 'group1-shard2of2.bin': Uint8Array.of(2)};

const given = (files: Readonly<Record<string, Uint8Array | string>>): GivenFile[] =>
  Object.entries(files).map(([path, content]) => ({path, data: new Blob([content as Uint8Array<ArrayBuffer>])}));

const read = (files: Readonly<Record<string, Uint8Array | string>>) => readModelFiles(given(files), new Job());

const zip = (files: Readonly<Record<string, Uint8Array>>) => zipSync(files);

describe('Files of a model', () => {
  it('come in any order, in folders, and in archives', async () => {
    const all = {...SHARDS, 'model.json': text(MODEL)};
    const within = (folder: string) =>
      Object.fromEntries(Object.entries(all).map(([path, data]) => [`${folder}${path}`, data]));
    const ways: Readonly<Record<string, Uint8Array>>[] = [
      all,
      within('my model/web/'),
      {'a.zip': zip(all)},
      {'A.ZIP': zip(within('folder/'))},
      {'all.zip': zip({'inner.zip': zip(all)})},
      {...all, 'group1-shard1of2.bin': gzipSync(Uint8Array.of(1)), 'model.json': gzipSync(all['model.json'])},
      {
        'MODEL.JSON': all['model.json'],
        'GROUP1-SHARD2OF2.BIN': Uint8Array.of(2),
        'GROUP1-SHARD1OF2.BIN': Uint8Array.of(1),
      },
      {
        'model (1).json': all['model.json'],
        'group1-shard1of2 (1).bin': Uint8Array.of(1),
        'group1-shard2of2(1).bin': Uint8Array.of(2),
      },
      {'a.zip': zip({...within('m/'), '__MACOSX/m/._model.json': text('x'), 'm/.DS_Store': text('x')})},
      {
        'b/model.json': all['model.json'],
        'c/group1-shard2of2.bin': Uint8Array.of(2),
        'c/group1-shard1of2.bin': Uint8Array.of(1),
      },
    ];
    for (const files of ways) {
      const {weights, json} = await read(files);
      expect(weights.map(each => [...new Uint8Array(each)]))
        .withContext(Object.keys(files).join())
        .toEqual([[1], [2]]);
      expect(json.weightsManifest).toEqual(MODEL.weightsManifest as never);
    }
  });

  it('may be called otherwise by a browser that downloaded them twice', async () => {
    const one = {modelTopology: {}, weightsManifest: [{paths: ['model.weights.bin'], weights: []}]};
    const {weights, notes} = await read({'model (1).json': text(one), 'copy of weights.bin': Uint8Array.of(7)});
    expect(weights.length).toBe(1);
    expect(notes).toEqual([jasmine.stringMatching(/copy of weights\.bin/)]);
  });

  it('hold metadata of Teachable Machine', async () => {
    const metadata = {
      packageName: '@teachablemachine/image',
      modelName: 'tm-my-image-model',
      labels: ['A', 'B'],
      imageSize: 224,
    };
    const {metadata: told, files} = await read({...SHARDS, 'model.json': text(MODEL), 'metadata.json': text(metadata)});
    expect(told).toEqual(
      jasmine.objectContaining({teachableMachine: 'image', labels: ['A', 'B'], name: 'tm-my-image-model'}),
    );
    expect(told.scaling!.scaling).toEqual({kind: 'symmetric'});
    expect(files.length).toBe(4);
    expect(metadataOf({wordLabels: ['yes']})).toEqual(
      jasmine.objectContaining({teachableMachine: 'audio', labels: ['yes']}),
    );
    expect(metadataOf({labels: ['yes']}).teachableMachine).toBeUndefined();
  });

  it('that are not all there, or of another kind, are told in words', async () => {
    const cases: [Readonly<Record<string, Uint8Array | string>>, RegExp][] = [
      [{}, /no files/],
      [{'model.json': text(MODEL)}, /2 weight files \(group1-shard1of2\.bin.*missing.*all files at once/],
      [{'model.json': text(MODEL), 'group1-shard1of2.bin': '1'}, /weight file \.\/group1-shard2of2\.bin is missing/],
      [{'weights.bin': '1'}, /weights\.bin holds weights, but the model\.json/],
      [{'metadata.json': text({labels: []})}, /metadata\.json.*no model\.json/],
      [{'notes.txt': '1'}, /no model\.json/],
      [{'model.json': '<!doctype html>'}, /web page/],
      [{'model.json': '{"modelTop'}, /not JSON.*download it again/],
      [{'a/model.json': text(MODEL), 'b/model.json': text(MODEL)}, /2 models \(a\/model\.json, b\/model\.json\)/],
      [
        {'model.json': text(MODEL), ...SHARDS, 'group1-shard1of2.bin': '<!DOCTYPE html>'},
        /shard1of2\.bin is a web page/,
      ],
      [{'model.json': text(MODEL), ...SHARDS, 'group1-shard2of2.bin': 'version https://git-lfs'}, /pointer of Git LFS/],
      [{'tensorflowjs_model.pb': '1', 'weights_manifest.json': '[]'}, /before 1\.0/],
      [{'model.json': text({class_name: 'Sequential', config: {}})}, /holds no weights/],
      [{'m.keras': '1'}, /tensorflowjs_converter --input_format keras/],
      [{'m.h5': '1'}, /tensorflowjs_converter/],
      [{'m/saved_model.pb': '1'}, /tf_saved_model/],
      [{'m.tflite': '1'}, /no way back/],
      [{'m.zip': zip({'m.onnx': text('1')})}, /ONNX/],
      [{'m.zip': zip({'readme.md': text('1')})}, /no model\.json/],
      [{'m.zip': 'not a zip'}, /m\.zip cannot be unpacked.*Download it again/],
      [{'m.zip': zip({...SHARDS, 'model.json': text(MODEL)}).subarray(0, 300)}, /m\.zip cannot be unpacked/],
    ];
    for (const [files, message] of cases) {
      await expectAsync(read(files)).withContext(Object.keys(files).join()).toBeRejectedWithError(message);
    }
  });

  it('of archives are unpacked in parts, which a cancellation can come between', async () => {
    const large = Object.fromEntries([...Array(5).keys()].map(i => [`${i}.bin`, new Uint8Array(2 ** 22).fill(i)]));
    const archive = [{path: 'a.zip', data: new Blob([zip(large)])}];
    const told: number[] = [];
    const files = await unpacked(archive, new Job(({done}) => told.push(done)));
    expect(files.map(({path}) => path)).toEqual(Object.keys(large).map(name => `a/${name}`));
    expect(told.length).toBeGreaterThan(1);
    for (const {path, data} of files) expect(new Uint8Array(await data.arrayBuffer())[7]).toBe(parseInt(path.slice(2)));
    const job: Job = new Job(() => job.cancel());
    await expectAsync(unpacked(archive, job)).toBeRejectedWith(jasmine.objectContaining({name: 'AbortError'}));
  });

  it('of more bytes than there is room for are not unpacked', async () => {
    const bomb = zip({'a.bin': new Uint8Array(8)});
    const view = new DataView(bomb.buffer, bomb.byteOffset, bomb.length);
    // The size that the directory of the archive tells: of the last record but the end, 24 bytes in.
    const at = bomb.lastIndexOf(0x50, bomb.length - 23);
    expect(view.getUint32(at, true)).toBe(0x02014b50);
    view.setUint32(at + 24, 2 ** 31, true);
    await expectAsync(read({'m.zip': bomb})).toBeRejectedWithError(/holds 2048 MB, more than the 1024 MB/);
  });
});

describe('Addresses of models', () => {
  it('are of a model.json, of its folder, or shared by Teachable Machine', () => {
    const cases = {
      'https://a.org/m/model.json': 'https://a.org/m/model.json',
      'https://a.org/m/': 'https://a.org/m/model.json',
      ' a.org/m/ ': 'https://a.org/m/model.json',
      'https://teachablemachine.withgoogle.com/models/AbC-1_2/':
        'https://teachablemachine.withgoogle.com/models/AbC-1_2/model.json',
      'https://teachablemachine.withgoogle.com/models/AbC-1_2':
        'https://teachablemachine.withgoogle.com/models/AbC-1_2/model.json',
      'https://tfhub.dev/a/b/1/default/1': 'https://tfhub.dev/a/b/1/default/1/model.json?tfjs-format=file',
      'https://a.org/m.zip?x=1': 'https://a.org/m.zip?x=1',
    };
    for (const [address, url] of Object.entries(cases)) expect(modelUrlOf(address).href).toBe(url);
    expect(() => modelUrlOf('http://')).toThrowError(/no address/);
  });
});
