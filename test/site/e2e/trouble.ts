/** What goes wrong is said in words, and leaves the rest as it was. */
import {zipSync} from 'fflate';
import {expectGoodState} from './states';
import {BITS, IMPROVE, MODEL, SEE} from './steps';
import {type Files, Visitor} from './visitor';

const text = (value: string) => new TextEncoder().encode(value);

const FIGURES = `${SEE} .figures`;

/** Of a dense layer. */
const MODEL_JSON = text(
  JSON.stringify({
    modelTopology: {
      class_name: 'Sequential',
      config: {layers: [{class_name: 'Dense', config: {units: 2, batch_input_shape: [null, 3], name: 'd'}}]},
    },
    weightsManifest: [
      {
        paths: ['weights.bin'],
        weights: [
          {name: 'd/kernel', shape: [3, 2], dtype: 'float32'},
          {name: 'd/bias', shape: [2], dtype: 'float32'},
        ],
      },
    ],
  }),
);

const ZIP = zipSync({'model.json': MODEL_JSON, 'weights.bin': new Uint8Array(32)}, {level: 0});

const TROUBLES: readonly (readonly [what: string, files: Files, words: RegExp])[] = [
  ['a broken zip', {'broken.zip': text('PK\x03\x04 and then something else')}, /broken\.zip/],
  ['a truncated zip', {'half.zip': ZIP.slice(0, ZIP.length / 2)}, /half\.zip/],
  ['a model without its weights', {'model.json': MODEL_JSON}, /weights\.bin is missing/],
  ['weights without their model', {'weights.bin': new Uint8Array(32)}, /model\.json .* is missing/],
  ['too few weights', {'model.json': MODEL_JSON, 'weights.bin': new Uint8Array(30)}, /missing or cut/],
  ['a web page by the name of a model', {'model.json': text('<!doctype html><title>404</title>')}, /is a web page/],
  ['what is no model', {'cat.png': text('no image')}, /no model\.json/],
];

export function trouble(): void {
  describe('where something goes wrong', () => {
    let visitor: Visitor;

    beforeAll(async () => {
      visitor = await Visitor.come();
      await visitor.fill('Computes with', 'cpu');
      await visitor.press('Try it with the digits network');
      await visitor.press('Quantize', BITS);
      await visitor.sees(/the same class as the float model/, SEE);
    });
    afterAll(() => visitor.leave());

    for (const [what, files, words] of TROUBLES) {
      it(`tells of ${what}`, async () => {
        const before = await visitor.text(FIGURES);
        await visitor.drop(files, MODEL);
        await visitor.sees(words, `${MODEL} [role=alert]`);
        expect(await visitor.text(`${MODEL} [role=alert]`)).not.toMatch(/undefined|\[object|at .*:\d+:\d+/);
        expect(await visitor.text(FIGURES)).toBe(before);
      });
    }

    it('tells of an address that has no model', async () => {
      const before = await visitor.text(FIGURES);
      // What fails leaves the ways to bring another open.
      await visitor.press('Another model');
      for (const [path, words] of [
        ['docs/index.html', /web page|HTML/],
        ['nowhere/model.json', /404/],
      ] as const) {
        await visitor.fill('Its address', new URL(path, visitor.address).href);
        await visitor.press('Open');
        await visitor.sees(words, `${MODEL} [role=alert]`);
      }
      expect(await visitor.text(FIGURES)).toBe(before);
      // The browser tells of 404 itself.
      visitor.problems.length = 0;
      await expectGoodState(visitor, 'what went wrong');
    });

    it('cancels in the middle of calibrating', async () => {
      const before = await visitor.text(FIGURES);
      await visitor.pick('Weights', '2 bits');
      await visitor.press('Quantize again', BITS);
      await visitor.pressAtOnce('Cancel');
      await visitor.sees(/Cancelled\. All is as it was before\./, '.spoken');
      expect(await visitor.text(FIGURES)).toBe(before);
      await visitor.pick('Weights', '4 bits');
      await visitor.press('Quantize again', BITS);
      await visitor.find('button', 'Quantize again');
      expect(await visitor.text(FIGURES)).not.toBe(before);
    });

    it('cancels in the middle of improving', async () => {
      const before = await visitor.text(FIGURES);
      await visitor.fill('Steps', '600');
      await visitor.press('Improve', IMPROVE);
      await visitor.sees(/Teaching/, IMPROVE);
      await visitor.page.waitForSelector(`${IMPROVE} .curves svg`);
      await expectGoodState(visitor, 'something that goes on');
      await visitor.pressAtOnce('Cancel');
      await visitor.sees(/Cancelled\. All is as it was before\./, '.spoken');
      expect(await visitor.text(FIGURES)).toBe(before);
      await visitor.fill('Steps', '2');
      await visitor.press('Improve', IMPROVE);
      await visitor.sees(/Distance to float/, IMPROVE);
    });
  });
}
