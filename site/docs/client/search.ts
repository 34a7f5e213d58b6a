/** Search: a dialog with a field and a list of links. The index comes when it is first opened. */
import {type Found, openIndex} from '../search';

const MOST = 30;
/** Of an excerpt, in characters. */
const LENGTH = 160;

function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, string>> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** What to mark: the words as they were typed, or, of those that were mistyped, what was taken for them. */
function markedIn({terms, queryTerms}: Found): string[] {
  return terms.map(term => queryTerms.find(word => term.startsWith(word)) ?? term);
}

/** Text with some words of it marked. */
function marked(text: string, terms: readonly string[]): (Node | string)[] {
  if (terms.length === 0) return [text];
  const escaped = [...terms]
    .sort((a, b) => b.length - a.length)
    .map(term => term.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const parts = text.split(new RegExp(`(${escaped.join('|')})`, 'gi'));
  return parts.map((part, i) => (i % 2 === 1 ? element('mark', {}, part) : part));
}

/** The words around the first that was found. */
function excerpt(found: Found): (Node | string)[] {
  const {text} = found;
  const terms = markedIn(found);
  const lower = text.toLowerCase();
  const places = terms.map(term => lower.indexOf(term)).filter(at => at >= 0);
  const at = Math.max(0, Math.min(...places, text.length) - LENGTH / 4);
  const from = places.length === 0 || at === 0 ? 0 : text.indexOf(' ', at) + 1;
  const part = text.slice(from, from + LENGTH);
  const isAll = from + LENGTH >= text.length;
  const whole = isAll ? part : part.replace(/\s+\S*$/, '');
  return [from > 0 ? '… ' : '', ...marked(whole, terms), isAll ? '' : ' …'];
}

class Search {
  readonly #find: (words: string) => Found[];
  readonly #folder: URL;
  readonly #field = element('input', {type: 'search', 'aria-label': 'Search the documentation', autocomplete: 'off'});
  readonly #status = element('p', {role: 'status'});
  readonly #list = element('ul');
  readonly #dialog = element('dialog', {class: 'search', 'aria-label': 'Search'});

  constructor(find: (words: string) => Found[], folder: URL) {
    this.#find = find;
    this.#folder = folder;
    const close = element('button', {'aria-label': 'Close', rel: 'prev', type: 'button'});
    const head = element('header', {}, close, this.#field);
    this.#dialog.append(element('article', {}, head, this.#status, this.#list));
    document.body.append(this.#dialog);
    close.addEventListener('click', () => this.#dialog.close());
    this.#field.addEventListener('input', () => this.#show());
    this.#dialog.addEventListener('keydown', event => this.#move(event));
    this.#dialog.addEventListener('click', ({target}) => {
      // Beside the article, or on a link to this very page.
      if (target === this.#dialog || (target instanceof Element && target.closest('a'))) this.#dialog.close();
    });
    this.#show();
  }

  open(): void {
    if (!this.#dialog.open) this.#dialog.showModal();
    this.#field.focus();
    this.#field.select();
  }

  #show(): void {
    const words = this.#field.value.trim();
    const found = words === '' ? [] : this.#find(words);
    this.#list.replaceChildren(...found.slice(0, MOST).map(each => this.#item(each)));
    this.#status.textContent =
      words === ''
        ? 'Type a word: quantizeModel, arena, int8 … Arrows move through what is found.'
        : found.length === 0
          ? `Nothing has “${words}”. Try fewer words.`
          : `${found.length > MOST ? `${MOST} of ` : ''}${found.length} found`;
  }

  #item(found: Found): HTMLLIElement {
    const {id, title, heading} = found;
    const where = heading === title ? [] : [element('small', {}, title)];
    const link = element(
      'a',
      {href: new URL(id, this.#folder).href},
      element('strong', {}, ...marked(heading, markedIn(found))),
      ...where,
    );
    return element('li', {}, link, element('p', {}, ...excerpt(found)));
  }

  /** Arrows go from the field through the links and back; Enter in the field takes the first. */
  #move(event: KeyboardEvent): void {
    const links = [...this.#list.querySelectorAll('a')];
    const at = links.indexOf(document.activeElement as HTMLAnchorElement);
    if (event.key === 'ArrowDown') links[Math.min(at + 1, links.length - 1)]?.focus();
    else if (event.key === 'ArrowUp') (at > 0 ? links[at - 1]! : this.#field).focus();
    else if (event.key === 'Enter' && event.target === this.#field) links[0]?.click();
    else return;
    event.preventDefault();
  }
}

let opened: Promise<Search> | undefined;

async function load(index: URL): Promise<Search> {
  const response = await fetch(index);
  if (!response.ok) throw new Error(`${index.href}: ${response.status}`);
  return new Search(openIndex(await response.text()), index);
}

/** Opens the dialog. */
export async function openSearch(index: URL): Promise<void> {
  opened ??= load(index);
  try {
    (await opened).open();
  } catch (error) {
    opened = undefined;
    throw error;
  }
}
