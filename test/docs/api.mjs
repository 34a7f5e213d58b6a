/**
 * Reads what the sources say of every public export, and runs the examples as they are printed: all in one process, on the cpu
 * backend.
 *
 * Prints JSON: what the sources do not say (`missing`), which links of the pages lead nowhere (`astray`), what the compiler has against
 * examples (`refused`), which are named as not to be run and are not there (`stale`), and what went wrong with each that ran (`ran`).
 */
import {execFile} from 'node:child_process';
import {mkdirSync, readFileSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import {build} from 'esbuild';
import {ReflectionKind} from 'typedoc';
import ts from 'typescript';
import {SOURCES} from '../../scripts/entries.mjs';
import {esbuildShaders} from '../../scripts/shader_text.mjs';
import {apiPages, readApi} from '../../site/docs/api.mjs';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const ROOT = join(HERE, '../..');

const URL_OF_MODEL = 'a model behind a URL';

/** Examples that are compiled and not run, as they need what is not here. */
const NOT_RUN = {
  mendGraph: URL_OF_MODEL,
  registerGraphOps: URL_OF_MODEL,
  describeImport: URL_OF_MODEL,
  importModel: URL_OF_MODEL,
  ImportOptions: URL_OF_MODEL,
  ImportProgress: URL_OF_MODEL,
  ModelSource: `${URL_OF_MODEL}, and files chosen in a page`,
  mendLayers: URL_OF_MODEL,
  quantizedSaveHandler: 'the IndexedDB of a page',
};

/** What examples take for given, with its type. */
const GIVEN = {
  model: 'LayersModel',
  q: 'LayersModel',
  images: 'Tensor4D',
  labels: 'Tensor2D',
};

/** Makes `q` of what given.js has. */
const QUANTIZED = `import {calibrate as calibrateGiven, quantizeModel as quantizeGiven} from 'tfjs-quantization/qat';
const q = quantizeGiven(model);
await calibrateGiven(q, images);`;

const {Function, TypeAlias, Constructor, Accessor, Method} = ReflectionKind;

const textOf = parts => parts.map(({text}) => text).join('');

const hasSummary = each => textOf(each?.comment?.summary ?? []).trim() !== '';

/** The blocks of examples of a declaration, a function's at any of its signatures. */
function examplesOf(declaration) {
  const comments = [declaration, ...(declaration.signatures ?? [])].map(({comment}) => comment);
  const tags = comments.flatMap(comment => comment?.blockTags ?? []).filter(({tag}) => tag === '@example');
  return tags.flatMap(({content}) => [...textOf(content).matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code));
}

/** What a signature does not say. */
function missingOf(signature, name) {
  const silent = (signature.parameters ?? []).filter(each => !hasSummary(each) && each.name !== 'this');
  const returns = signature.comment?.blockTags.some(({tag}) => tag === '@returns');
  const isVoid = /^(void|Promise<void>)$/.test(String(signature.type));
  const isMade = signature.kindOf(ReflectionKind.ConstructorSignature);
  const isMethod = signature.parent.kind === Method;
  return [
    ...(hasSummary(signature) || isMade ? [] : [`${name}: a summary`]),
    ...silent.map(parameter => `${name}: @param ${parameter.name}`),
    ...(returns || isVoid || isMade || isMethod ? [] : [`${name}: @returns`]),
  ];
}

/** What a declaration, or one within it, does not say. */
function missingIn(declaration, name) {
  const {kind, signatures = [], getSignature, children = [], type} = declaration;
  if ([Function, Method, Constructor].includes(kind)) return signatures.flatMap(each => missingOf(each, name));
  const said = kind === Accessor ? getSignature : declaration;
  const within = kind === TypeAlias ? (type.declaration?.children ?? []) : children;
  return [
    ...(hasSummary(said) ? [] : [`${name}: a summary`]),
    ...within.flatMap(each => missingIn(each, `${name}.${each.name}`)),
  ];
}

/** The exports, each where it is at home. */
function exportsOf(project) {
  return project.children.flatMap(module => module.children ?? []).filter(each => !each.isReference());
}

/** The names that an example takes for given: those that it uses and does not make. */
function givenIn(code) {
  const uses = name => new RegExp(`(?<![.\\w'])${name}\\b(?!['\\w]|: )`).test(code);
  const makes = name => new RegExp(`(const|let) (${name}|\\{[^}]*\\b${name}\\b[^}]*\\}) =`).test(code);
  return Object.keys(GIVEN).filter(name => uses(name) && !makes(name));
}

/** What an example says that it prints: behind a console.log, and behind the print of a tensor, its numbers. */
function printedIn(code) {
  return [...code.matchAll(/^.*(?:console\.log\(.*\); \/\/ |\.print\(\); \/\/ (?=[-[\d]))(.*)$/gm)].map(
    ([, said]) => said,
  );
}

/** What the compiler has against examples, as if each were a file of its own. */
function refusedOf(examples) {
  const {config} = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile);
  const {options} = ts.parseJsonConfigFileContent(config, ts.sys, ROOT, {
    strict: false,
    noUnusedLocals: false,
    noImplicitOverride: false,
    allowImportingTsExtensions: true,
    paths: Object.fromEntries(Object.entries(SOURCES).map(([name, path]) => [name, [path]])),
  });
  const files = new Map(
    examples.map(({name, code}, i) => {
      const declared = givenIn(code).map(each => `declare const ${each}: import('@tensorflow/tfjs').${GIVEN[each]};`);
      return [join(HERE, `${name}_${i}.ts`), `${declared.join(' ')}\n${code}\nexport {};`];
    }),
  );
  const host = ts.createCompilerHost(options);
  const {fileExists, readFile, getSourceFile} = host;
  host.fileExists = path => files.has(path) || fileExists.call(host, path);
  host.readFile = path => files.get(path) ?? readFile.call(host, path);
  host.getSourceFile = (path, ...rest) =>
    files.has(path) ? ts.createSourceFile(path, files.get(path), ...rest) : getSourceFile.call(host, path, ...rest);
  const program = ts.createProgram([...files.keys(), join(ROOT, 'src/entries/all.ts')], options, host);
  return [...files.keys()].flatMap((path, i) => {
    const file = program.getSourceFile(path);
    const found = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
    return found.map(({messageText, start}) => {
      const {line} = file.getLineAndCharacterOfPosition(start);
      return `${examples[i].name}, line ${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
    });
  });
}

/** A module that runs examples one after the other: each a module of its own, and so is what each takes for given. */
async function bundle(examples, outfile) {
  const given = readFileSync(join(HERE, 'given.js'), 'utf8');
  const moduleOf = ({code}, i) => {
    const [names, made] = [givenIn(code), givenIn(code).includes('q')];
    const taken = new Set([...names.filter(name => name !== 'q'), ...(made ? ['model', 'images'] : [])]);
    return [
      ...(taken.size > 0 ? [`import {${[...taken]}} from 'given:${i}';`] : []),
      ...(made ? [QUANTIZED] : []),
      code,
    ];
  };
  const modules = {
    name: 'examples',
    setup({onResolve, onLoad}) {
      onResolve({filter: /^(example|given):/}, ({path}) => ({path, namespace: 'examples'}));
      onLoad({filter: /./, namespace: 'examples'}, ({path}) => {
        const [kind, i] = path.split(':');
        const contents = kind === 'given' ? given : moduleOf(examples[i], i).join('\n');
        return {contents, resolveDir: HERE};
      });
    },
  };
  const all = examples.map(
    ({name, code}, i) =>
      `{name: '${name}', says: ${JSON.stringify(printedIn(code))}, run: () => import('example:${i}')}`,
  );
  const contents = `import './cpu';\nimport {runExamples} from './examples';\nawait runExamples([${all}]);`;
  await build({
    stdin: {contents, resolveDir: HERE},
    bundle: true,
    format: 'esm',
    platform: 'node',
    mainFields: ['module', 'main'],
    alias: SOURCES,
    plugins: [modules, esbuildShaders],
    target: 'es2022',
    logLevel: 'error',
    banner: {js: "import {createRequire} from 'node:module';\nconst require = createRequire(import.meta.url);"},
    outfile,
  });
}

/** What went wrong with each example. */
async function run(examples) {
  const folder = join(ROOT, '.cache/docs/api');
  rmSync(folder, {recursive: true, force: true});
  mkdirSync(folder, {recursive: true});
  await bundle(examples, `${folder}.mjs`);
  const {stdout} = await promisify(execFile)(process.execPath, [`${folder}.mjs`], {cwd: folder, maxBuffer: 2 ** 26});
  return JSON.parse(stdout);
}

/** Links, of the pages, that lead to no page, or to no place in it. */
function astrayIn(pages) {
  const root = 'https://site/';
  const targets = new Map(pages.map(({path, markdown}) => [`${root}${path}/`, markdown]));
  return pages.flatMap(({path, markdown}) => {
    const links = [...markdown.matchAll(/(?<=\]\(|href=")(?!https:)[^)"\s]*(?=[)"])/g)].map(([link]) => link);
    const isAstray = link => {
      const {origin, pathname, hash} = new URL(link, `${root}${path}/`);
      const target = targets.get(`${origin}${pathname}`);
      return target === undefined || (hash && !target.includes(`<a id="${hash.slice(1)}">`));
    };
    return links.filter(isAstray).map(link => `${path}: ${link}`);
  });
}

const api = await readApi();
const exported = exportsOf(api.project);
const examples = exported.flatMap(each => examplesOf(each).map(code => ({name: each.name, code})));
const without = exported.filter(each => examplesOf(each).length === 0).map(({name}) => `${name}: @example`);
const running = run(examples.filter(({name}) => !(name in NOT_RUN)));
const result = {
  missing: [...exported.flatMap(each => missingIn(each, each.name)), ...without],
  refused: refusedOf(examples),
  stale: Object.keys(NOT_RUN).filter(name => !examples.some(each => each.name === name)),
  astray: astrayIn(await apiPages(api)),
  ran: await running,
};
console.log(JSON.stringify(result));
