/** Markdown as HTML: headings with anchors, code in colors, tables that scroll within themselves. */
import hljs from 'highlight.js/lib/core';
import bash from 'highlight.js/lib/languages/bash';
import cpp from 'highlight.js/lib/languages/cpp';
import javascript from 'highlight.js/lib/languages/javascript';
import json from 'highlight.js/lib/languages/json';
import plaintext from 'highlight.js/lib/languages/plaintext';
import python from 'highlight.js/lib/languages/python';
import typescript from 'highlight.js/lib/languages/typescript';
import xml from 'highlight.js/lib/languages/xml';
import MarkdownIt from 'markdown-it';
import anchor from 'markdown-it-anchor';

const LANGUAGES = {bash, cpp, javascript, json, plaintext, python, typescript, xml};
for (const [name, language] of Object.entries(LANGUAGES)) hljs.registerLanguage(name, language);
hljs.registerAliases('diagram', {languageName: 'plaintext'});

/** As GitHub does, so that links hold on both. */
export function slugOf(text) {
  return text
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-');
}

export const {escapeHtml} = new MarkdownIt().utils;

/** Blocks can be scrolled by keys, so they have names. What follows the language is said to tests. */
function codeBlock(code, info) {
  const [language] = info.split(' ');
  if (language && !hljs.getLanguage(language)) {
    throw new Error(`A block of code is said to be ${language}, which site/docs/markdown.mjs does not know.`);
  }
  const html = language ? hljs.highlight(code, {language}).value : escapeHtml(code);
  const isOutput = !language || hljs.getLanguage(language).name === 'Plain text';
  const name = isOutput ? 'Text' : `Code, ${hljs.getLanguage(language).name}`;
  return `<div class="code${isOutput ? ' output' : ''}"><pre tabindex="0" role="group" aria-label="${name}"><code>${html}</code></pre></div>\n`;
}

const markdown = new MarkdownIt({html: true}).use(anchor, {
  slugify: slugOf,
  tabIndex: false,
});

Object.assign(markdown.renderer.rules, {
  fence: (tokens, i) => codeBlock(tokens[i].content, tokens[i].info),
  code_block: (tokens, i) => codeBlock(tokens[i].content, ''),
  table_open: () => '<div class="overflow-auto" tabindex="0" role="group" aria-label="Table"><table>',
  table_close: () => '</table></div>\n',
  // A header that says nothing is none.
  th_open: (tokens, i, options, _env, self) => {
    if (tokens[i + 1].content === '') for (const token of [tokens[i], tokens[i + 2]]) token.tag = 'td';
    return self.renderToken(tokens, i, options);
  },
  // The name of the heading is its link's: the sign alone would say nothing.
  heading_close: (tokens, i) => {
    const {tag} = tokens[i];
    const id = tokens[i - 2].attrGet('id');
    const name = escapeHtml(textOf(tokens[i - 1]));
    return tag === 'h1' ? '</h1>\n' : ` <a class="anchor" href="#${id}" aria-label="Link to ${name}">#</a></${tag}>\n`;
  },
  code_inline: (tokens, i) => {
    const {content, meta} = tokens[i];
    const code = `<code>${escapeHtml(content)}</code>`;
    return meta ? `<a class="name" href="${meta.href}">${code}</a>` : code;
  },
});

/** What an inline token says, without markup. */
function textOf({children}) {
  return children
    .map(({type, content}) =>
      type === 'softbreak' || type === 'hardbreak' ? ' ' : type === 'html_inline' ? '' : content,
    )
    .join('');
}

/** Addresses in tags that are written as HTML. */
function inTags(html, address) {
  return html.replace(/\b(href|src|srcset)="([^"]*)"/g, (_, name, value) => `${name}="${escapeHtml(address(value))}"`);
}

/** Gives every link and image the address that `address` makes of it. */
function readdress(tokens, address) {
  for (const token of tokens) {
    if (token.type === 'link_open') token.attrSet('href', address(token.attrGet('href')));
    if (token.type === 'image') token.attrSet('src', address(token.attrGet('src')));
    if (/^html_/.test(token.type)) token.content = inTags(token.content, address);
    if (token.children) readdress(token.children, address);
  }
}

/** Says by classes how columns are aligned, as pages may not style themselves. */
function classesOfColumns(tokens) {
  for (const token of tokens) {
    const style = /^t[hd]_open$/.test(token.type) ? token.attrGet('style') : null;
    if (style) token.attrs = [['class', style.replace('text-align:', 'align-')]];
  }
}

/** Has names of the API lead to its pages, but in headings and links. */
function linkNames(tokens, hrefOfName) {
  tokens.forEach((token, i) => {
    if (token.type !== 'inline' || tokens[i - 1]?.type === 'heading_open') return;
    let links = 0;
    for (const child of token.children) {
      if (child.type === 'link_open') ++links;
      if (child.type === 'link_close') --links;
      const href = child.type === 'code_inline' && links === 0 ? hrefOfName(child.content) : undefined;
      if (href) child.meta = {href};
    }
  });
}

/** The headings, each with the text that is under it alone. */
function sectionsOf(tokens) {
  const sections = [];
  tokens.forEach((token, i) => {
    if (token.type === 'heading_open') {
      sections.push({level: Number(token.tag[1]), id: token.attrGet('id'), heading: textOf(tokens[i + 1]), texts: []});
    } else if (token.type === 'inline' && tokens[i - 1]?.type !== 'heading_open') {
      sections.at(-1)?.texts.push(textOf(token));
    } else if (token.type === 'fence') {
      sections.at(-1)?.texts.push(token.content);
    }
  });
  return sections;
}

/** Of a page's description, in characters. */
const LENGTH = 200;

/** The first paragraph, or as many of its sentences as there is room for. */
function descriptionOf(tokens) {
  const at = tokens.findIndex(({type, level}) => type === 'paragraph_open' && level === 0);
  const [first, ...sentences] = (at < 0 ? '' : textOf(tokens[at + 1]).trim()).split(/(?<=[.?!]) (?=\p{Lu})/u);
  let whole = first;
  for (const next of sentences) {
    if (`${whole} ${next}`.length > LENGTH) break;
    whole = `${whole} ${next}`;
  }
  return whole.length <= LENGTH ? whole : `${whole.slice(0, LENGTH).replace(/\s+\S*$/, '')} …`;
}

/**
 * Reads and writes a document.
 *
 * @param {string} source - markdown that starts with its title, a heading of the first level.
 * @param {{address: (href: string) => string, hrefOfName: (name: string) => string | undefined}} to - where links lead: what is
 *   written as an address of the site, and the address of a name of the API.
 * @returns {{html: string, title: string, description: string, sections: {level: number, id: string, heading: string, texts: string[]}[]}}
 */
export function render(source, {address, hrefOfName}) {
  const tokens = markdown.parse(source, {});
  readdress(tokens, address);
  classesOfColumns(tokens);
  linkNames(tokens, hrefOfName);
  const sections = sectionsOf(tokens);
  const html = markdown.renderer.render(tokens, markdown.options, {});
  return {html, title: sections[0]?.heading, description: descriptionOf(tokens), sections};
}
