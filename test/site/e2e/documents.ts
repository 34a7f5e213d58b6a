/** The documentation: pages, their search, links between them. */
import {expectGoodState} from './states';
import {Visitor} from './visitor';

export function documents(): void {
  describe('in its documentation', () => {
    let visitor: Visitor;

    beforeAll(async () => {
      visitor = await Visitor.come('docs/');
    });
    afterAll(() => visitor.leave());

    it('leads from the overview to a guide', async () => {
      await expectGoodState(visitor, 'the overview');
      await visitor.go('docs/teachable-machine/');
      await visitor.sees(/Teachable Machine/, 'h1');
      await expectGoodState(visitor, 'a guide');
    });

    it('shows results as plots', async () => {
      await visitor.go('docs/accuracy/');
      await visitor.page.waitForSelector('main svg');
      await expectGoodState(visitor, 'results');
    });

    it('finds words, by keys', async () => {
      await visitor.page.keyboard.press('/');
      await visitor.page.waitForSelector('dialog[open]');
      await expectGoodState(visitor, 'an open search');
      await visitor.page.keyboard.type('quantizeModel');
      await visitor.sees(/\d+ found/, 'dialog');
      await expectGoodState(visitor, 'what was found');
      await Promise.all([visitor.page.waitForNavigation(), visitor.page.keyboard.press('Enter')]);
      await visitor.sees(/quantizeModel/, 'h1');
      expect(visitor.page.url()).toContain('/docs/api/');
      await expectGoodState(visitor, 'a page of the API');
    });
  });
}
