/** Whether commands that documents show are there, with their options. In Node only. */
import {readdirSync, readFileSync} from 'node:fs';

interface Manifest {
  readonly version: string;
  readonly name: string;
  readonly scripts: Readonly<Record<string, string>>;
}

const read = <T>(path: string) => JSON.parse(readFileSync(path, 'utf8')) as T;

/** What tensorflowjs 4.22's converter takes, by its converter.py. */
const CONVERTER: Readonly<Record<string, readonly string[]>> = {
  '--input_format': [
    'keras',
    'keras_saved_model',
    'keras_keras',
    'tf_saved_model',
    'tf_frozen_model',
    'tf_hub',
    'tfjs_layers_model',
  ],
  '--output_format': ['tfjs_layers_model', 'tfjs_graph_model', 'keras', 'keras_saved_model', 'keras_keras'],
  '--skip_op_check': [],
};

/** What is wrong with `name@version` after npm install, if anything. */
function wrongWithPackage(spec: string): string[] {
  const [, name = '', version] = /^(@?[^@]+)(?:@(.+))?$/.exec(spec) ?? [];
  if (name === read<Manifest>('package.json').name) return [];
  const others = read<Record<string, string>>('test/docs/packages.json');
  try {
    const known = others[name] ?? read<Manifest>(`node_modules/${name}/package.json`).version;
    if (version === undefined || `${known}.`.startsWith(`${version}.`)) return [];
    return [`${spec} is not the ${name} that is tested with, ${known}`];
  } catch {
    return [`nothing is tested with ${spec}`];
  }
}

const helps = new Map<string, Promise<string>>();

/** What a script of the package says to --help. */
function helpOf(script: string): Promise<string> {
  const [, file = ''] = /^node (\S+)$/.exec(script) ?? [];
  const ask = async () => {
    const {execFileSync} = await import('node:child_process');
    return execFileSync(process.execPath, [file, '--help'], {encoding: 'utf8', stdio: 'pipe'});
  };
  if (!helps.has(script)) helps.set(script, ask());
  return helps.get(script)!;
}

/** `npm run name -- --option value`; start and test go without `run`. */
async function wrongWithScript(words: readonly string[]): Promise<string[]> {
  const [name = '', ...rest] = words[0] === 'run' ? words.slice(1) : words;
  const script = read<Manifest>('package.json').scripts[name];
  if (script === undefined) return [`npm has no script ${name}`];
  const options = rest.filter(word => word.startsWith('--') && word !== '--');
  if (options.length === 0) return [];
  const help = await helpOf(script);
  return options
    .filter(option => !help.split(/[^\w-]+/).includes(option))
    .map(option => `npm run ${name} does not know ${option}`);
}

function wrongWithConverter(words: readonly string[]): string[] {
  return words.flatMap((word, i) => {
    if (!word.startsWith('--')) return [];
    const [option = '', value = words[i + 1]] = word.split('=');
    const values = CONVERTER[option];
    if (!values) return [`tensorflowjs_converter does not know ${option}`];
    return values.length === 0 || values.includes(value ?? '') ? [] : [`${option} does not take ${String(value)}`];
  });
}

/** What pip is asked for must be what tests are run with. */
function wrongWithPip(specs: readonly string[]): string[] {
  const lists = readdirSync('test', {recursive: true})
    .map(String)
    .filter(path => path.endsWith('requirements.txt'));
  const known = lists.flatMap(path => readFileSync(`test/${path}`, 'utf8').split('\n'));
  return specs.filter(spec => !known.some(line => line === spec || line.startsWith(`${spec}==`)));
}

/** What is wrong with the commands of a block, a line each. */
export async function wrongWith(block: string): Promise<string[]> {
  const commands = block
    .replaceAll('\\\n', ' ')
    .split(/\n|&&/)
    .map(line => line.replace(/(^|\s)#.*/, '').trim());
  const wrong: string[] = [];
  for (const command of commands.filter(line => line !== '')) {
    const [program, ...words] = command.split(/\s+/);
    if (program === 'npm' && words[0] === 'install') wrong.push(...words.slice(1).flatMap(wrongWithPackage));
    else if (program === 'npm' && ['ci', 'pack'].includes(words.join(' '))) continue;
    else if (command === 'python3 -m http.server') continue;
    else if (program === 'npm') wrong.push(...(await wrongWithScript(words)));
    else if (program === 'tensorflowjs_converter') wrong.push(...wrongWithConverter(words));
    else if (program === 'pip' && words[0] === 'install') wrong.push(...wrongWithPip(words.slice(1)));
    else wrong.push(`no one checks ${command}`);
  }
  return wrong;
}
