/** Play: what is drawn is read; networks are trained. */
import {expectGoodState} from './states';
import {Visitor} from './visitor';

const VERDICT = '.verdict';

export function play(): void {
  describe('in play', () => {
    let visitor: Visitor;

    beforeAll(async () => {
      visitor = await Visitor.come('play/');
      await visitor.sees(/ reads? a \d/, VERDICT);
    });
    afterAll(() => visitor.leave());

    it('reads a digit of the test images', async () => {
      await visitor.press('0');
      await visitor.sees(/reads? a 0/, VERDICT);
      await expectGoodState(visitor, 'play');
    });

    it('reads what a mouse draws', async () => {
      await visitor.press('Clear');
      await visitor.sees(/Nothing is drawn yet/, VERDICT);
      const pad = (await visitor.page.$('.pad svg'))!;
      await pad.scrollIntoView();
      const {x, y, width, height} = (await pad.boundingBox())!;
      const {mouse} = visitor.page;
      await mouse.move(x + 0.5 * width, y + 0.15 * height);
      await mouse.down();
      await mouse.move(x + 0.5 * width, y + 0.85 * height, {steps: 8});
      await mouse.up();
      await visitor.sees(/reads? a 1/, VERDICT);
    });

    it('reads what keys draw', async () => {
      await visitor.press('Clear');
      await visitor.sees(/Nothing is drawn yet/, VERDICT);
      const {keyboard} = visitor.page;
      await (await visitor.find('button', 'Row 1, column 1')).focus();
      for (let i = 0; i < 3; ++i) await keyboard.press('ArrowRight');
      for (let row = 0; row < 8; ++row) {
        await keyboard.press('Space');
        await keyboard.press('ArrowRight');
        await keyboard.press('Space');
        await keyboard.press('ArrowLeft');
        await keyboard.press('ArrowDown');
      }
      await visitor.sees(/reads? a 1/, VERDICT);
    });

    it('trains, and cancels', async () => {
      await visitor.fill('Bits', '4');
      await visitor.fill('Epochs', '4');
      await visitor.fill('Backend', 'cpu');
      await visitor.press('Train');
      await visitor.sees(/Training on cpu: [123] of/);
      await expectGoodState(visitor, 'training');
      await visitor.pressAtOnce('Cancel');
      await visitor.find('button', 'Train');
      await visitor.sees(/Trained beforehand/);
      await visitor.fill('Epochs', '2');
      await visitor.press('Train');
      await visitor.sees(/Trained in \d+ s on cpu/);
      await visitor.sees(/ reads? a \d/, VERDICT);
      await expectGoodState(visitor, 'trained');
    });
  });
}
