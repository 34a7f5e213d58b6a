/** Documents as pages: what becomes of headings, code, links and tables, and how they are found. */
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';
import {indexOf, openIndex, type Section} from '../../site/docs/search';

interface Rendered {
  readonly html: string;
  readonly title: string;
  readonly description: string;
  readonly sections: readonly {readonly id: string; readonly texts: readonly string[]}[];
}

interface Markdown {
  slugOf: (text: string) => string;
  render: (
    source: string,
    to: {address: (href: string) => string; hrefOfName: (name: string) => string | undefined},
  ) => Rendered;
}

interface Page {
  readonly path: string;
  readonly file?: string;
}

interface LinksModule {
  Links: new (pages: readonly Page[]) => {
    readonly images: ReadonlyMap<string, string>;
    address: (page: Page, href: string) => string;
    check: (idsOf: (page: Page) => ReadonlySet<string>) => void;
  };
}

interface Ratios {
  readonly points: readonly {row: string; series: string; shape: string; median: number; low: number; high: number}[];
}

interface Speed {
  speedPage: (markdown: string) => Promise<{markdown: string; plots: Readonly<Record<string, Ratios>>}>;
}

interface Layout {
  inLayout: (html: string, page: {path: string; stylesItself: boolean}) => string;
}

const load = <T>(file: string) => import(pathToFileURL(join(process.cwd(), file)).href) as Promise<T>;

describe('documents of the site', () => {
  describe('as HTML', () => {
    let markdown: Markdown;
    const render = (source: string, names: Readonly<Record<string, string>> = {}) =>
      markdown.render(source, {address: href => `to:${href}`, hrefOfName: name => names[name]});

    beforeAll(async () => {
      markdown = await load('site/docs/markdown.mjs');
    });

    it('have the anchors that GitHub gives', () => {
      const expected = {
        'Any file out: .tflite, ONNX, C++, small tfjs models': 'any-file-out-tflite-onnx-c-small-tfjs-models',
        'MobileNet v2, without labels': 'mobilenet-v2-without-labels',
        'toTFLite(model, options?)': 'totflitemodel-options',
        'snake_case – and “größer”': 'snake_case--and-größer',
      };
      for (const [heading, slug] of Object.entries(expected)) expect(markdown.slugOf(heading)).toBe(slug);
      const {sections} = render('# Title\n\n## `toTFLite` twice\n\n## `toTFLite` twice\n');
      expect(sections.map(({id}) => id)).toEqual(['title', 'totflite-twice', 'totflite-twice-1']);
    });

    it('lead where they are told, also from tags', () => {
      const {html} = render(
        '# T\n\n[a](b.md#c) ![d](e.svg)\n\n<picture><source srcset="h.png"><img src="f.png" alt="g"></picture>\n',
      );
      expect(html).toContain('<a href="to:b.md#c">');
      expect(html).toContain('src="to:e.svg"');
      expect(html).toContain('<source srcset="to:h.png"><img src="to:f.png"');
    });

    it('link names of the API, but in headings and links', () => {
      const {html} = render('# `calibrate`\n\n`calibrate` and [`calibrate`](x) and `other`\n', {calibrate: '../api/'});
      expect(html.split('href="../api/"').length - 1).toBe(1);
    });

    it('color code by the first word of the fence, and refuse unknown languages', () => {
      expect(render('# T\n\n```js page\nconst a = 1;\n```\n').html).toContain(
        '<span class="hljs-keyword">const</span>',
      );
      expect(render('# T\n\n```text\n<b>\n```\n').html).toContain('&lt;b&gt;');
      expect(() => render('# T\n\n```cobol\nSTOP\n```\n')).toThrowError(/cobol/);
    });

    it('have no empty headers of tables, nor styles and scripts of their own', () => {
      const {html} = render('# T\n\n|  | b |\n| :- | -: |\n| 1 | 2 |\n');
      expect(html).toContain('<th class="align-right">b</th>');
      expect(html).not.toMatch(/<th[^>]*><\/th>/);
      expect(html).not.toMatch(/<script|\sstyle=/);
    });

    it('are described by whole sentences', () => {
      const long = `${'Word '.repeat(30)}ends here. ${'Next '.repeat(30)}ends too.`;
      expect(render(`# T\n\n${long}\n`).description).toBe(`${'Word '.repeat(30)}ends here.`);
    });
  });

  describe('with links', () => {
    const readme = {path: 'docs/about/', file: 'README.md'};
    const onnx = {path: 'docs/onnx/', file: 'docs/onnx.md'};
    const api = {path: 'docs/api/qat/calibrate/'};
    let links: InstanceType<LinksModule['Links']>;

    beforeEach(async () => {
      const {Links} = await load<LinksModule>('site/docs/links.mjs');
      links = new Links([readme, onnx, api]);
    });

    it('name folders of pages', () => {
      expect(links.address(onnx, '../README.md#use')).toBe('../about/#use');
      expect(links.address(readme, 'docs/onnx.md')).toBe('../onnx/');
      expect(links.address(onnx, '#here')).toBe('#here');
      expect(links.address(api, '../../../onnx/')).toBe('../../../onnx/');
      expect(links.address(onnx, 'https://example.com/a.md')).toBe('https://example.com/a.md');
      links.check(() => new Set(['use', 'here']));
    });

    it('take images along', () => {
      expect(links.address({path: 'docs/x/', file: 'docs/x.md'}, 'drops-front.svg')).toBe('../images/drops-front.svg');
      expect([...links.images]).toEqual([['docs/images/drops-front.svg', 'docs/drops-front.svg']]);
    });

    it('are refused, all at once, where they lead nowhere', () => {
      links.address(onnx, 'gone.md');
      links.address(readme, 'docs/onnx.md#gone');
      links.address(onnx, '../src/index.ts');
      links.address(onnx, 'gone.svg');
      const check = () => links.check(() => new Set());
      for (const words of [/gone\.md leads to no page/, /#gone leads to no heading/, /index\.ts/, /gone\.svg/]) {
        expect(check).toThrowError(words);
      }
    });
  });

  describe('when searched', () => {
    const section = (id: string, heading: string, text: string): Section => ({id, title: heading, heading, text});
    const find = openIndex(
      indexOf([
        section('a', 'quantizeModel', 'A copy of a model that trains quantized.'),
        section('b', 'Importing', 'quantizeModel takes any LayersModel, and calibrate sets ranges: 1024 of them.'),
        section('c', 'CalibrateOptions', 'How calibrate goes about it; calibrate, calibrate.'),
        section('d', 'calibrate', 'Sets the ranges of activations.'),
      ]),
    );
    const ids = (words: string) => find(words).map(({id}) => id);

    it('give what is called so first', () => {
      expect(ids('calibrate')[0]).toBe('d');
      expect(ids('quantizeModel')[0]).toBe('a');
    });

    it('know parts of names, beginnings and slips', () => {
      expect(ids('layers')).toEqual(['b']);
      expect(ids('quanti')).toContain('a');
      expect(ids('calibarte')).toContain('d');
    });

    it('want all words, and know no bare numbers', () => {
      expect(ids('ranges activations')).toEqual(['d']);
      expect(ids('1024')).toEqual([]);
    });
  });

  describe('of the benchmark', () => {
    const table = (title: string, ms: string) => `### ${title}

| shape | ours, ms | yardstick | composed | ours / yardstick | composed / ours | dispatches |
| --- | --- | --- | --- | --- | --- | --- |
| 1k | 0.1 (0.05) | 0.2 | 1 | 0.50 (0.40–0.60) | 10.00 (9.00–11.00) | 1 : 18 |
| 4M | ${ms} | 40 | 300 | 0.75 (0.70–0.80) | 10.50 (9.50–11.50) | 1 : 18 |
| 1x224x224x3 | out of memory |  |  |  |  |  |
`;
    const results = (title: string) => `# Results\n\nWords.\n\n## Goals\n\n## Everything\n\n${table(title, '30')}`;
    let speed: Speed;

    beforeAll(async () => {
      speed = await load('site/docs/results/speed.mjs');
    });

    it('are read back from its tables', async () => {
      const {plots, markdown} = await speed.speedPage(
        results('forward, per tensor (yardstick: relu), webgl: ANGLE (x), C'),
      );
      expect(plots['composed']!.points).toEqual([
        {row: 'forward, per tensor', series: 'webgl', shape: '4M', median: 10.5, low: 9.5, high: 11.5},
      ]);
      expect(plots['yardstick']!.points.map(({median}) => median)).toEqual([0.75]);
      expect(markdown).toContain('data-plot="composed"');
    });

    it('are refused where they cannot be read', async () => {
      await expectAsync(speed.speedPage(results('forward, on a new backend'))).toBeRejectedWithError(/cannot read/);
    });
  });

  it('have a policy without inline styles, and a worker of their part of the site', async () => {
    const {inLayout} = await load<Layout>('site/shell/layout.mjs');
    const page = '<head><meta charset="utf-8" /></head><body><main id="main"></main></body>';
    const document = inLayout(page, {path: 'docs/onnx/', stylesItself: false});
    expect(document).not.toContain("'unsafe-inline'");
    expect(document).not.toContain("'unsafe-eval'");
    expect(document).toContain('data-worker="../../docs/sw.js"');
    expect(inLayout(page, {path: '', stylesItself: true})).toContain("style-src 'self' 'unsafe-inline'");
  });
});
