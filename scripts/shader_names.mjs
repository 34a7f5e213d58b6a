/**
 * Short names for those that only shaders know. There is no minifier for what ours are, pieces that TypeScript joins to programs:
 * so a name becomes the same one in all pieces of a backend, in whatever scope, and stays where TypeScript has it too.
 */
import {readdirSync, readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('../', import.meta.url));

const WORD = /[A-Za-z_]\w*/g;

/** What tfjs has too. */
const TFJS = ['main', 'clipSpacePos', 'uv', 'resultUV'];

/** What the TypeScript of a backend gets from elsewhere, to say it in capitals. */
const GRID = `${ROOT}kernels/grid.ts`;

/** Components of a vector, which are no names. */
const SWIZZLE = /^[xyzwrgba]{1,4}$/;

const TYPES = ['float', 'int', 'bool', '[bi]?vec[234]', 'sampler2D'];

/** The names that a backend's shaders declare. One that is missed here stays long, in all places. */
const DECLARED = {
  webgl(text) {
    const structs = Array.from(text.matchAll(/\bstruct (\w+)/g), ([, name]) => name);
    const typed = text.matchAll(new RegExp(`\\b(?:${[...TYPES, ...structs].join('|')}) (\\w+)`, 'g'));
    return [...structs, ...Array.from(typed, ([, name]) => name)];
  },
  webgpu(text) {
    const found = text.matchAll(/\b(?:fn|let|var|const|struct|alias)(?:<\w+>)? (\w+)|\b(\w+):/g);
    return Array.from(found, ([, afterWord, beforeType]) => afterWord ?? beforeType);
  },
};

function filesIn(folder) {
  return readdirSync(`${ROOT}${folder}`).map(file => `${ROOT}${folder}/${file}`);
}

/** What a module of TypeScript has in its texts and as keys: so are uniforms, inputs and constants called. */
function saidIn(file) {
  const said = [];
  const visit = node => {
    if (ts.isImportDeclaration(node)) return;
    if (ts.isObjectLiteralElementLike(node) && node.name && ts.isIdentifier(node.name)) said.push(node.name.text);
    else if (ts.isStringLiteralLike(node) || ts.isTemplateMiddleOrTemplateTail(node) || ts.isTemplateHead(node)) {
      said.push(...(node.text.match(WORD) ?? []));
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest));
  return said;
}

/** Of a letter, then of a letter and a number, so that none is a word of the languages. */
function* candidates() {
  const letters = [...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'];
  yield* letters;
  for (let number = 0; ; ++number) yield* letters.map(letter => letter + number);
}

/** @returns {Map<string, string>} a backend's short names, the shortest for what is most frequent */
export function shortNames(backend) {
  const texts = filesIn(`shaders/${backend}`).map(file => readFileSync(file, 'utf8'));
  const text = texts.join('\n').replace(/\/\/.*$/gm, '');
  const counts = new Map();
  for (const [word] of text.matchAll(WORD)) counts.set(word, (counts.get(word) ?? 0) + 1);
  const said = filesIn(`kernels/${backend}`).flatMap(saidIn);
  const kept = new Set([
    ...TFJS,
    ...said,
    // Constants, and where inputs begin: TypeScript composes these names.
    ...[...said, ...saidIn(GRID)].map(word => word.toUpperCase()),
    ...said.map(word => `${word.toLowerCase()}At`),
  ]);
  const names = [...new Set(DECLARED[backend](text))]
    .filter(name => name.length > 2 && !kept.has(name) && !SWIZZLE.test(name))
    .sort((a, b) => counts.get(b) - counts.get(a));
  const short = new Map();
  for (const candidate of candidates()) {
    if (short.size === names.length) return short;
    if (!counts.has(candidate) && !kept.has(candidate)) short.set(names[short.size], candidate);
  }
}
