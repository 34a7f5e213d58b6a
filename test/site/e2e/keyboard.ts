/** From the first visit to a file by keys alone. */
import {Visitor} from './visitor';
import {run} from '../../tflite/runtimes';

export function keyboard(): void {
  describe('by keyboard', () => {
    let visitor: Visitor;

    beforeAll(async () => {
      visitor = await Visitor.come();
      await visitor.find('select', 'Computes with');
    });
    afterAll(() => visitor.leave());

    const focused = () =>
      visitor.page.evaluate(() => {
        const element = document.activeElement as HTMLInputElement;
        const name = element.ariaLabel ?? (element.labels?.[0] ?? element).innerText;
        // Who cannot see where they are is lost.
        const {outlineStyle, boxShadow} = getComputedStyle(element);
        return {name: name.trim(), isSeen: outlineStyle !== 'none' || boxShadow !== 'none', id: element.id};
      });

    /** Goes on by Tab, at most once around the page. */
    const tabTo = async (name: string, isBack = false) => {
      for (let i = 0; i < 150; ++i) {
        if (isBack) await visitor.page.keyboard.down('Shift');
        await visitor.page.keyboard.press('Tab');
        if (isBack) await visitor.page.keyboard.up('Shift');
        const now = await focused();
        if (!now.name.startsWith(name)) continue;
        expect(now.isSeen).withContext(name).toBeTrue();
        return;
      }
      throw new Error(`Tab does not get to ${name}.`);
    };
    const press = async (name: string) => {
      await tabTo(name);
      await visitor.page.keyboard.press('Enter');
    };
    const isLedTo = (id: string) =>
      visitor.page.waitForFunction(wanted => document.activeElement?.id === wanted, {}, id);

    it('skips to the content', async () => {
      await press('Skip to content');
      await visitor.page.keyboard.press('Tab');
      expect((await focused()).name).toBe('Try it with the digits network');
    });

    it('chooses what computes', async () => {
      await tabTo('Computes with');
      const isChosen = async () => {
        await visitor.find('select', 'Computes with');
        return visitor.page.$eval('.machine select', select => select.value === 'cpu');
      };
      // The last where there is a GPU, else the first.
      for (const key of ['End', 'Home'] as const) if (!(await isChosen())) await visitor.page.keyboard.press(key);
      expect(await isChosen()).toBeTrue();
    });

    it('takes the example, quantizes it, and gets a file', async () => {
      await tabTo('Try it with the digits network', true);
      await visitor.page.keyboard.press('Enter');
      await isLedTo('quantize');
      await press('Quantize');
      await isLedTo('see');
      const {data} = await visitor.download(() => press('Download .tflite, integers'));
      expect((await run(data, 'reference', [[new Float32Array(64)]])).length).toBe(1);
    });
  });
}
