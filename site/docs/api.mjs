/** The API reference: what the sources say of every public export, as pages of markdown. */
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {Application, Comment, Logger, LogLevel, ReflectionKind} from 'typedoc';
import {MarkdownPageEvent, MemberRouter} from 'typedoc-plugin-markdown';
import {importName, SOURCES} from '../../scripts/entries.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

const TFJS = 'https://js.tensorflow.org/api/4.22.0/#class:';

/** The first page, above the list of entries. */
const INTRODUCTION = `Every function, class and type that can be imported, by what it is imported from.

Each page has an example, which a test runs as it is printed; those that load a model from a URL, or save one in a page, it
compiles. Where an example does not make them, these are yours: \`model\`, a float LayersModel that tells classes; \`q\`, what
\`quantizeModel\` and \`calibrate\` made of it; \`images\`, some samples; and \`labels\`, their classes as rows of 0 and 1.`;

const SETTINGS = {
  plugin: ['typedoc-plugin-markdown'],
  name: 'API reference',
  tsconfig: join(ROOT, 'tsconfig.json'),
  entryPoints: Object.values(SOURCES),
  router: 'folders',
  readme: 'none',
  excludeExternals: true,
  excludeInternal: true,
  excludePrivate: true,
  disableSources: true,
  externalSymbolLinkMappings: {
    '@tensorflow/tfjs-core': {Tensor: `${TFJS}Tensor`},
    '@tensorflow/tfjs-layers': {LayersModel: `${TFJS}LayersModel`},
  },
  // Their types are checked by tsc.
  skipErrorChecking: true,
  logLevel: 'Warn',
  sort: ['alphabetical'],
  // By what is needed first.
  sortEntryPoints: false,
  groupOrder: ['Functions', 'Classes', 'Types', 'Constructors', 'Properties', 'Accessors', 'Methods'],
  entryFileName: 'index',
  hidePageHeader: true,
  hideBreadcrumbs: true,
  useCodeBlocks: true,
  expandObjects: true,
  expandParameters: true,
  indexFormat: 'table',
  parametersFormat: 'table',
  interfacePropertiesFormat: 'table',
  typeAliasPropertiesFormat: 'table',
  typeDeclarationFormat: 'table',
  tableColumnSettings: {hideInherited: true, hideModifiers: true, hideOverrides: true, hideSources: true},
  pageTitleTemplates: {
    index: '{projectName}',
    module: '{name}',
    member: ({name}) => name.replace(/\(\)$/, ''),
  },
};

/** What readers need not tell apart. */
const WORDS = {
  kind_interface: 'Type',
  kind_type_alias: 'Type',
  kind_plural_interface: 'Types',
  kind_plural_type_alias: 'Types',
  kind_module: 'Import',
  kind_plural_module: 'Imports',
};

/** Each page in a folder of its own: api/qat/calibrate/. Types have one more, as an ArenaSize is beside an arenaSize. */
class FolderRouter extends MemberRouter {
  getIdealBaseName(reflection) {
    if (reflection.kindOf(ReflectionKind.Module)) return `${reflection.name.split('/').at(-1)}/index`;
    const isType = reflection.kindOf([ReflectionKind.Interface, ReflectionKind.TypeAlias]);
    const folder = this.getIdealBaseName(reflection.parent).replace(/index$/, isType ? 'types/' : '');
    return `${folder}${reflection.name}/index`;
  }
}

/** What typedoc has to say, of which nothing is to be passed over. */
class Complaints extends Logger {
  messages = [];

  addContext(message, _level, ...context) {
    return [message, ...context.map(each => each?.name ?? each?.getText?.()).filter(Boolean)].join(': ');
  }

  log(message, level) {
    if (level >= LogLevel.Warn) this.messages.push(message);
  }

  refuse() {
    if (this.messages.length > 0) throw new Error(`The sources' comments:\n${this.messages.join('\n')}`);
  }
}

/** What typedoc reads in the sources: a module for each entry, under the name that it is imported by. */
export async function readApi() {
  const app = await Application.bootstrapWithPlugins(SETTINGS);
  app.logger = new Complaints();
  app.internationalization.addTranslations('en', WORDS);
  app.renderer.defineRouter('folders', FolderRouter);
  const nameOf = new Map(Object.entries(SOURCES).map(([name, path]) => [path, name]));
  const entries = app.getEntryPoints();
  for (const entry of entries) entry.displayName = nameOf.get(entry.sourceFile.fileName);
  const project = app.converter.convert(entries);
  project.comment = new Comment([{kind: 'text', text: INTRODUCTION}]);
  // It hands on what is another entry's, and all of tfjs, of which typedoc takes what we add to for ours.
  const tf = project.children.find(({name}) => name === importName('tf'));
  for (const child of [...tf.children]) project.removeReflection(child);
  delete tf.groups;
  app.validate(project);
  app.logger.refuse();
  return {app, project};
}

/** What typedoc's page does not say: what it is imported from. In HTML, as the first paragraph is the page's description. */
function withOrigin({contents, model, url}) {
  if (!model.parent?.kindOf(ReflectionKind.Module)) return contents;
  const entry = '../'.repeat(url.split('/').length - 2);
  const origin = `<p>${ReflectionKind.singularString(model.kind)} of <a href="${entry}"><code>${model.parent.name}</code></a></p>`;
  return contents.replace(/^# .*\n/, title => `${title}\n${origin}\n`);
}

/** Links to folders, in the place of the files in them. */
function toFolders(markdown) {
  return markdown.replaceAll(/\]\((?!https?:)([^()\s]*?)index\.md(#[^()\s]*)?\)/g, (_, folder, anchor = '') => {
    return `](${folder || (anchor ? '' : './')}${anchor})`;
  });
}

/** The last member of a union, which typedoc's pages have at the start of its line. */
const indented = markdown => markdown.replaceAll(/^\| (?=.*;$)/gm, '  | ');

/** A page of typedoc's as one of the site's. */
function pageOf(page) {
  const path = ['api', ...page.url.split('/').slice(0, -1)].join('/');
  return {path, title: page.model.name, markdown: indented(toFolders(withOrigin(page)))};
}

/** What the entry that hands on all of tfjs has of its own. */
const HANDED_ON = `\nBeside tfjs it has what [\`${importName('index')}\`](../${importName('index')}/) has.\n`;

/**
 * The pages: each belongs into `path`/index.html, beside which its links are right.
 *
 * @param {{app: Application, project: import('typedoc').ProjectReflection}} [api] - what {@link readApi} gives.
 * @returns {Promise<{path: string, title: string, markdown: string}[]>}
 */
export async function apiPages(api) {
  const {app, project} = api ?? (await readApi());
  const pages = [];
  app.renderer.on(MarkdownPageEvent.END, page => pages.push(pageOf(page)));
  const folder = mkdtempSync(join(tmpdir(), 'api-'));
  try {
    await app.outputs.writeOutput({name: 'markdown', path: folder}, project);
  } finally {
    rmSync(folder, {recursive: true, force: true});
  }
  app.logger.refuse();
  pages.find(({title}) => title === importName('tf')).markdown += HANDED_ON;
  return pages;
}
