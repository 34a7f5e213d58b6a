/** The main way: from Teachable Machine's download to a file, in which runtimes find what the page showed. */
import {inflateSync} from 'node:zlib';
import {unzipSync, zipSync} from 'fflate';
import * as tf from '../../../src/entries/tf';
import {run} from '../../tflite/runtimes';
import {type TeachableMachineProject, teachableMachineProject} from '../teachable_machine';
import {isChromium} from './setup';
import {expectGoodState} from './states';
import {BITS, MODEL, RUN, SAMPLES, SEE} from './steps';
import {Visitor} from './visitor';

const SIDE = 32;

/** The pixels of a PNG as test/site/png.ts writes it: rows of RGB, none filtered. */
function pixelsOf(png: Uint8Array): Uint8Array {
  const bytes = Buffer.from(png);
  const parts: Buffer[] = [];
  for (let at = 8; at < bytes.length; at += 12 + bytes.readUInt32BE(at)) {
    if (bytes.toString('latin1', at + 4, at + 8) === 'IDAT')
      parts.push(bytes.subarray(at + 8, at + 8 + bytes.readUInt32BE(at)));
  }
  const row = 1 + 3 * SIDE;
  return inflateSync(Buffer.concat(parts)).filter((_, i) => i % row !== 0);
}

/** As Teachable Machine scales them. They are as large as the model's input, so that nothing resizes them. */
function inputsOf({images}: TeachableMachineProject): Float32Array[] {
  return [...images.values()].map(png => Float32Array.from(pixelsOf(png), byte => byte / 127.5 - 1));
}

const classOf = (scores: Float32Array) => scores.indexOf(Math.max(...scores));

/** What the float model says, as tfjs itself reads the zip. */
async function floatClasses(zip: Uint8Array, inputs: readonly Float32Array[]): Promise<number[]> {
  const files = unzipSync(zip);
  const json = JSON.parse(new TextDecoder().decode(files['model.json'])) as tf.io.ModelJSON;
  const artifacts = await tf.io.getModelArtifactsForJSON(json, manifest =>
    Promise.resolve([tf.io.getWeightSpecs(manifest), files['weights.bin']!.slice().buffer]),
  );
  const model = await tf.loadLayersModel(tf.io.fromMemory(artifacts));
  const classes = inputs.map(input =>
    tf.tidy(() => classOf((model.predict(tf.tensor(input, [1, SIDE, SIDE, 3])) as tf.Tensor).dataSync<'float32'>())),
  );
  model.dispose();
  return classes;
}

/** What the file says in LiteRT. */
async function fileClasses(file: Uint8Array, inputs: readonly Float32Array[]): Promise<number[]> {
  const outputs = await run(
    file,
    'reference',
    inputs.map(input => [input]),
  );
  return outputs.map(([scores]) => classOf(scores as Float32Array));
}

const alike = (a: readonly number[], b: readonly number[]) => a.filter((each, i) => each === b[i]).length;

export function teachableMachine(): void {
  describe('for a Teachable Machine project', () => {
    let project: TeachableMachineProject;
    let visitor: Visitor;
    let inputs: Float32Array[];
    let float: number[];
    /** Of how many samples the page says that both models say the same. */
    let shown: number;
    let inFile: number;

    beforeAll(async () => {
      project = await teachableMachineProject({side: SIDE, perClass: 8});
      inputs = inputsOf(project);
      float = await floatClasses(project.zip, inputs);
      visitor = await Visitor.come();
    });
    afterAll(() => visitor.leave());

    it('begins with nothing', async () => {
      await visitor.find('button', 'Try it with the digits network');
      await expectGoodState(visitor, 'an empty page');
      await visitor.fill('Computes with', 'cpu');
    });

    it('takes its zip as it is', async () => {
      await visitor.drop({'converted_tfjs.zip': project.zip}, MODEL);
      await visitor.sees(/Teachable Machine image model/, MODEL);
      await visitor.sees(/3 classes: Red things, Green things, Blue things/, MODEL);
      await expectGoodState(visitor, 'an open model');
    });

    it('takes its images, in folders that are classes', async () => {
      const images = Object.fromEntries(project.images);
      if (isChromium) await visitor.drop(images, SAMPLES);
      else await visitor.choose({'images.zip': zipSync(images)}, SAMPLES);
      await visitor.sees(/24 images/, SAMPLES);
      await visitor.sees(/Red things: 8, Green things: 8, Blue things: 8/, SAMPLES);
      await visitor.sees(/The model itself says “−1 to 1”/, SAMPLES);
      await expectGoodState(visitor, 'open samples');
    });

    it('shows how far quantizing is, and what it costs', async () => {
      await visitor.pick('Weights', '3 bits');
      const progress = await visitor.watch('progress');
      await visitor.press('Quantize', BITS);
      const text = await visitor.sees(/the same class as the float model\s+\d+ of 24/, SEE);
      shown = Number(/(\d+) of/.exec(text)![1]);
      expect((await progress()).length).toBeGreaterThan(3);
      await visitor.press('Measure each layer');
      await visitor.find('input, select', 'Tensor');
      await visitor.sees(/How its values lie on the grid/, SEE);
      await expectGoodState(visitor, 'what it costs');
    });

    it('gives a file in which LiteRT finds what the page shows', async () => {
      const {name, data} = await visitor.download(() => visitor.press('Download .tflite, integers'));
      expect(name).toBe('tm_my_image_model.tflite');
      inFile = alike(await fileClasses(data, inputs), float);
      expect(inFile).toBe(shown);
      await expectGoodState(visitor, 'a file that was taken');
    });

    it('runs the file', async () => {
      await visitor.press('Run the file');
      const row = await visitor.sees(/Same class as the float model\s+\d+\s+\d+/, RUN);
      expect(row.match(/\d+/g)!.map(Number)).toEqual([shown, inFile]);
      await expectGoodState(visitor, 'a file that was run');
    });

    it('is still there after a reload, until it is forgotten', async () => {
      await visitor.page.reload();
      await visitor.sees(/Your last model is still here/, MODEL);
      await visitor.fill('Computes with', 'cpu');
      const again = await visitor.download(() => visitor.press('Download .tflite, integers'));
      expect(alike(await fileClasses(again.data, inputs), float)).toBe(inFile);
      await expectGoodState(visitor, 'the last visit');
      await visitor.press('Forget this one');
      await visitor.sees(/Bring a model/);
      await visitor.page.reload();
      await visitor.sees(/Computes with/);
      expect(await visitor.text()).not.toContain('Your last model');
      await visitor.sees(/Bring a model/);
    });
  });
}
