/** Where links of documents lead on the site. What leads nowhere is remembered, so that all of it is told at once. */
import {existsSync} from 'node:fs';
import {basename, dirname, join, posix} from 'node:path';
import {ROOT} from '../../lab/command.mjs';

const ELSEWHERE = /^[a-z][a-z+.-]*:/i;
const IMAGE = /\.(svg|png|jpe?g|webp|gif)$/;

/** From the folder of one page to that of another. */
export function between(from, to) {
  const path = posix.relative(from, to);
  return path === '' ? './' : `${path}/`;
}

export class Links {
  /** By the file or the address that links may name. */
  #pages = new Map();
  /** Anchors that are named, to be looked for when all pages are made. */
  #named = [];
  #problems = [];
  /** Images that pages show, by where they are on the site. */
  images = new Map();

  /** @param {readonly {path: string, file?: string}[]} pages */
  constructor(pages) {
    for (const page of pages) {
      this.#pages.set(page.path, page);
      if (page.file) this.#pages.set(page.file, page);
    }
  }

  /** What a page has to write for an address in its markdown. */
  address(page, href) {
    if (ELSEWHERE.test(href)) return href;
    const [path, anchor] = href.split('#');
    if (IMAGE.test(path) && page.file) return this.#image(page, path);
    const target = path === '' ? page : this.#target(page, path);
    if (!target) {
      this.#problems.push(`${page.file ?? page.path}: ${href} leads to no page`);
      return href;
    }
    if (anchor !== undefined) this.#named.push({page, href, target, anchor});
    const folder = target === page ? '' : between(page.path, target.path);
    return anchor === undefined ? folder || './' : `${folder}#${anchor}`;
  }

  /** Documents name files beside them; the API's pages name folders. */
  #target(page, path) {
    return page.file
      ? this.#pages.get(posix.join(dirname(page.file), path))
      : this.#pages.get(posix.join(page.path, path).replace(/\/?$/, '/'));
  }

  #image(page, path) {
    const file = posix.join(dirname(page.file), path);
    if (!existsSync(join(ROOT, file))) this.#problems.push(`${page.file}: there is no ${path}`);
    const place = `docs/images/${basename(file)}`;
    if ((this.images.get(place) ?? file) !== file)
      this.#problems.push(`${page.file}: two images are ${basename(file)}`);
    this.images.set(place, file);
    return `${between(page.path, 'docs/images')}${basename(file)}`;
  }

  /** Throws what leads nowhere. `idsOf` gives the anchors of a page. */
  check(idsOf) {
    for (const {page, href, target, anchor} of this.#named) {
      if (!idsOf(target).has(anchor)) this.#problems.push(`${page.file ?? page.path}: ${href} leads to no heading`);
    }
    if (this.#problems.length > 0) throw new Error(`Links of the documents:\n${this.#problems.join('\n')}`);
  }
}
