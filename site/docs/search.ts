/** What is searched: the sections of all pages. One module makes the index and asks it, so that both read words alike. */
import MiniSearch, {type Options, type SearchResult} from 'minisearch';

/** A heading of a page, and what is said under it. */
export interface Section {
  /** Its address from the folder of the documents. */
  readonly id: string;
  /** Of the page. */
  readonly title: string;
  readonly heading: string;
  readonly text: string;
}

export type Found = Pick<SearchResult, 'terms' | 'queryTerms'> & Section;

/** Words, and parts of names: quantizeModel is found by model too. Numbers alone say nothing. */
function wordsOf(term: string): string[] | null {
  if (!/\p{L}/u.test(term)) return null;
  const parts = term.split(/(?<=\p{Ll})(?=\p{Lu})/u);
  return [...new Set([term, ...(parts.length > 1 ? parts : [])].map(word => word.toLowerCase()))];
}

const OPTIONS: Options<Section> = {
  fields: ['title', 'heading', 'text'],
  storeFields: ['title', 'heading', 'text'],
  processTerm: wordsOf,
};

/** The index as JSON. */
export function indexOf(sections: readonly Section[]): string {
  const index = new MiniSearch(OPTIONS);
  index.addAll(sections);
  return JSON.stringify(index);
}

/** A function that finds sections by words, from an index. */
export function openIndex(json: string): (words: string) => Found[] {
  const index = MiniSearch.loadJSON(json, OPTIONS);
  return words => {
    const lower = words.toLowerCase();
    return index.search(words, {
      boost: {title: 4, heading: 6},
      boostDocument: (_id, _term, stored) => ((stored?.['heading'] as string).toLowerCase() === lower ? 8 : 1),
      prefix: true,
      fuzzy: term => (term.length > 4 ? 0.2 : false),
      combineWith: 'AND',
      processTerm: term => term.toLowerCase(),
    }) as unknown as Found[];
  };
}
