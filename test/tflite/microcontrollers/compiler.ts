/** Generated C++, compiled and run. In Node only. */

/** What TensorFlow Lite Micro and Arduino have, as far as the texts call it. */
const INCLUDE = 'test/tflite/microcontrollers/include';

/** The oldest C++ that TensorFlow Lite Micro was built as on boards, and whatever a compiler finds to say. */
const OPTIONS = ['-std=c++11', '-O0', '-Wall', '-Wextra', '-Wpedantic', '-Werror', '-I', INCLUDE, '-I'];

/** What a program prints that is made of files and a main; how its compiler says no, otherwise. */
export async function printedBy(files: ReadonlyMap<string, string>, main: string): Promise<string> {
  const {execFileSync} = await import('node:child_process');
  const {mkdtempSync, rmSync, writeFileSync} = await import('node:fs');
  const {tmpdir} = await import('node:os');
  const run = (program: string, ...args: string[]) => execFileSync(program, args, {encoding: 'utf8', stdio: 'pipe'});
  const folder = mkdtempSync(`${tmpdir()}/microcontroller-`);
  try {
    const texts = new Map([...files, ['main.cpp', main]]);
    for (const [file, text] of texts) writeFileSync(`${folder}/${file}`, text);
    const sources = [...texts.keys()].filter(file => file.endsWith('.cpp')).map(file => `${folder}/${file}`);
    const program = `${folder}/program`;
    const compiler = run(process.execPath, 'scripts/compiler.mjs').trim();
    run(compiler, ...OPTIONS, folder, ...sources, '-o', program);
    return run(program);
  } finally {
    rmSync(folder, {recursive: true});
  }
}
