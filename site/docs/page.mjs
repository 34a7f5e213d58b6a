/** A page of the documentation: navigation, content, its own headings, what comes before and after. */
import {inLayout} from '../shell/layout.mjs';
import {between} from './links.mjs';
import {escapeHtml} from './markdown.mjs';

/** More headings than this are no overview. */
const MOST_HEADINGS = 40;

function linkTo(here, {path, title}) {
  const current = here.path === path ? ' aria-current="page"' : '';
  return `<a href="${between(here.path, path)}"${current}>${escapeHtml(title)}</a>`;
}

/** What an entry of the package has: what runs, and below it the types. */
function members(here, pages) {
  const isType = ({path}) => path.includes('/types/');
  const list = shown => `<ul>${shown.map(page => `<li>${linkTo(here, page)}</li>`).join('')}</ul>`;
  const types = pages.filter(isType);
  if (types.length === 0) return list(pages);
  const open = isType(here) ? ' open' : '';
  return `${list(pages.filter(page => !isType(page)))}<details${open}><summary>Types</summary>${list(types)}</details>`;
}

/** Pages of a group; the one that this page belongs under has its members below it. */
function entries(here, pages) {
  const items = pages.map(page => {
    const isOpen = page.members?.length > 0 && here.path.startsWith(page.path);
    return `<li>${linkTo(here, page)}${isOpen ? members(here, page.members) : ''}</li>`;
  });
  return items.join('');
}

function navigation(here, groups) {
  const lists = groups.map(
    ({group, pages}, i) =>
      `<p class="group" id="group-${i}">${group}</p><ul aria-labelledby="group-${i}">${entries(here, pages)}</ul>`,
  );
  return `
    <nav id="documents" aria-label="Documentation" popover>
      <p class="first">${linkTo(here, {path: 'docs/', title: 'Overview'})}</p>
      ${lists.join('\n')}
    </nav>`;
}

/** The headings of a page, those below others inside them. */
function contents(sections) {
  const all = sections.filter(({level}) => level === 2 || level === 3);
  const shown = all.length > MOST_HEADINGS ? all.filter(({level}) => level === 2) : all;
  if (shown.length < 2) return '';
  const items = shown.map(
    ({level, id, heading}) => `<li class="level-${level}"><a href="#${id}">${escapeHtml(heading)}</a></li>`,
  );
  return `
    <nav id="contents" aria-label="On this page" popover>
      <p class="group">On this page</p>
      <ul>${items.join('')}</ul>
    </nav>`;
}

function neighbours(here, {previous, next}) {
  if (!previous && !next) return '';
  const link = (page, rel, word) =>
    page
      ? `<a rel="${rel}" href="${between(here.path, page.path)}"><small>${word}</small> ${escapeHtml(page.title)}</a>`
      : '<span></span>';
  return `<nav class="neighbours" aria-label="Before and after">${link(previous, 'prev', 'Before')}${link(next, 'next', 'Next')}</nav>`;
}

/**
 * A page as HTML.
 *
 * @param {{path: string, title: string}} here
 * @param {{html: string, description: string, sections: object[], plots?: object}} content - `plots`: data of its plots by name.
 * @param {{groups: object[], previous?: object, next?: object}} around
 */
export function pageHtml(here, {html, description, sections, plots}, around) {
  const root = between(here.path, '');
  const headings = contents(sections);
  const data = plots
    ? `<script type="application/json" id="plots">${JSON.stringify(plots).replaceAll('<', '\\u003c')}</script>
    <script type="module" src="${root}assets/plots.js"></script>`
    : '';
  const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>${escapeHtml(here.title)}: tfjs-quantization</title>
    <meta name="description" content="${escapeHtml(description)}" />
    <link rel="stylesheet" href="${root}assets/docs.css" />
    <script type="module" src="${root}assets/docs.js"></script>
    ${data}
  </head>
  <body class="docs${here.path.startsWith('docs/api/') ? ' api' : ''}">
    <div class="columns container-fluid">
      <div class="side">
        <div class="bar">
          <button class="outline secondary" type="button" popovertarget="documents">Documents</button>
          ${headings && '<button class="outline secondary" type="button" popovertarget="contents">On this page</button>'}
          <button class="outline secondary search" type="button" aria-keyshortcuts="/" data-index="${between(here.path, 'docs/')}search.json">
            Search <kbd aria-hidden="true">/</kbd>
          </button>
        </div>
        ${navigation(here, around.groups)}
      </div>
      <main id="main">
        <article>
${html}
        </article>
        ${neighbours(here, around)}
      </main>
      ${headings}
    </div>
  </body>
</html>
`;
  return inLayout(page, {path: here.path, stylesItself: plots !== undefined});
}
