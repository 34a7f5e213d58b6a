/** The documentation: every document and every page of the API's reference as a page of the site, and the index that finds them. */
import {cp, mkdir, writeFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {ROOT} from '../../lab/command.mjs';
import {importTypeScript} from '../../scripts/page.mjs';
import {apiPages} from './api.mjs';
import {readDocuments} from './documents.mjs';
import {between, Links} from './links.mjs';
import {escapeHtml, render, slugOf} from './markdown.mjs';
import {NAVIGATION} from './navigation.mjs';
import {pageHtml} from './page.mjs';
import {withPlots} from './plots.mjs';

const SEARCH = join(ROOT, 'site/docs/search.ts');

/** The API's pages: its overview, each entry of the package, and what each entry has. */
async function readApi() {
  const pages = (await apiPages()).map(({path, title, markdown}) => ({path: `docs/${path}/`, title, markdown}));
  const under = ({path}) => pages.filter(page => page.path.startsWith(path) && page.path !== path);
  const isEntry = ({path}) => /^docs\/api\/[^/]+\/$/.test(path);
  const navigation = pages
    .filter(page => page.path === 'docs/api/' || isEntry(page))
    .map(page => ({...page, members: isEntry(page) ? under(page) : []}));
  return {pages, navigation};
}

/** The address of a function, a class or a type by its name, where one thing alone has it. */
function namesOf(apiPages) {
  const names = new Map();
  for (const {path, title} of apiPages) names.set(title, names.has(title) ? undefined : path);
  return names;
}

const OVERVIEW = {path: 'docs/', title: 'Documentation'};

/** The page that lists all others. */
function overview(groups, contents) {
  const item = page =>
    `<li><a href="${between('docs/', page.path)}">${escapeHtml(page.title)}</a><br>${escapeHtml(contents.get(page.path).description)}</li>`;
  const sections = groups.map(({group}) => ({level: 2, id: slugOf(group), heading: group, texts: []}));
  const lists = groups.map(
    ({pages}, i) =>
      `<h2 id="${sections[i].id}">${sections[i].heading}</h2><ul class="overview">${pages.map(item).join('')}</ul>`,
  );
  const [first] = groups[0].pages;
  const html = `<h1>${OVERVIEW.title}</h1>
<p>New here? Begin with <a href="${between('docs/', first.path)}">${escapeHtml(first.title)}</a>, which takes three minutes. Without installing
anything, <a href="../">quantize a model in this browser</a>, or <a href="../play/">play with bits</a>. What you look for by name is found by search: press <kbd>/</kbd>.</p>
${lists.join('\n')}`;
  return {html, sections, description: 'Guides, results and the API of tfjs-quantization.'};
}

/** Headings that are on every page of the API: what is under them belongs to what is above. */
const isOfEvery = ({file}, {level, heading}) => file === undefined && level > 1 && !heading.endsWith('()');

/** What is found of a page: each heading with the text under it. */
function sectionsOf(page, {sections}) {
  const found = [];
  for (const section of sections) {
    const {level, id, heading, texts} = section;
    if (isOfEvery(page, section)) found.at(-1).texts.push(...texts);
    else found.push({id: level === 1 ? '' : `#${id}`, heading: level === 1 ? page.title : heading, texts: [...texts]});
  }
  return found.map(({id, heading, texts}) => ({
    id: `${page.path.replace(/^docs\//, '')}${id}`,
    title: page.title,
    heading,
    text: texts.join(' ').replace(/\s+/g, ' '),
  }));
}

/** Renders all pages, and refuses links that lead nowhere. */
async function renderAll(pages, names) {
  const links = new Links(pages);
  const contents = new Map();
  for (const page of pages) {
    const {markdown, plots} = await withPlots(page);
    const address = href => links.address(page, href);
    const hrefOfName = name => {
      const path = names.get(/^\w+/.exec(name)?.[0] ?? '');
      return path && path !== page.path && /^\w+(\(.*\))?$/s.test(name) ? between(page.path, path) : undefined;
    };
    contents.set(page.path, {...render(markdown, {address, hrefOfName}), plots});
  }
  links.check(({path}) => new Set(Array.from(contents.get(path).html.matchAll(/\bid="([^"]+)"/g), ([, id]) => id)));
  return {contents, images: links.images};
}

export async function buildDocs(outDir) {
  const [documents, api, {indexOf}] = await Promise.all([readDocuments(), readApi(), importTypeScript(SEARCH)]);
  const pages = [...documents, ...api.pages];
  const groups = NAVIGATION.map(({group}) => ({group, pages: documents.filter(page => page.group === group)}));
  if (api.navigation.length > 0) groups.push({group: 'API reference', pages: api.navigation});
  const {contents, images} = await renderAll(pages, namesOf(api.pages));

  const write = async (path, content) => {
    const file = join(outDir, path);
    await mkdir(dirname(file), {recursive: true});
    await writeFile(file, content);
  };
  const writePage = (page, content, around) => write(`${page.path}index.html`, pageHtml(page, content, around));
  const isDocument = page => page?.file !== undefined;
  await Promise.all([
    writePage(OVERVIEW, overview(groups, contents), {groups}),
    ...pages.map((page, i) => {
      const neighbour = at => (isDocument(page) && isDocument(pages[at]) ? pages[at] : undefined);
      return writePage(page, contents.get(page.path), {groups, previous: neighbour(i - 1), next: neighbour(i + 1)});
    }),
    write('docs/search.json', indexOf(pages.flatMap(page => sectionsOf(page, contents.get(page.path))))),
    ...[...images].map(([place, file]) => cp(join(ROOT, file), join(outDir, place))),
  ]);
}
