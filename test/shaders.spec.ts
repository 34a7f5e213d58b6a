/** The shaders that users get are those that are written: scripts/shader_text.mjs. */
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';

type Minified = (file: string, text: string) => string;

/** Names, numbers, lines that are directives, and signs one by one. */
const TOKEN = /^#.*$|[A-Za-z_]\w*|(?:0x[\da-fp.+]+|\d+\.?\d*(?:e[-+]?\d+)?)[fu]?|\S/gm;

function tokensOf(text: string): string[] {
  const plain = text.replace(/\/\/.*$/gm, '');
  return (plain.match(TOKEN) ?? []).flatMap(token => (token.startsWith('#') ? token.match(/\w+|\S/g)! : [token]));
}

/** Numbers by what they are: 1.0 and 1. are one. */
function meaningOf(token: string): string {
  return /^\d+\.\d*$/.test(token) ? `${Number(token)}.` : token;
}

const isName = (token: string) => /^[A-Za-z_]/.test(token);

describe('Minified shaders', () => {
  let minified: Minified;

  beforeAll(async () => {
    const script = pathToFileURL('scripts/shader_text.mjs').href;
    ({minified} = (await import(script)) as {minified: Minified});
  });

  for (const backend of ['webgl', 'webgpu']) {
    const folder = join('shaders', backend);
    const files = readdirSync(folder).map(name => join(folder, name));

    it(`of ${backend} are the same programs under other names`, () => {
      const nameOf = new Map<string, string>();
      const pairs = files.flatMap(file => {
        const text = readFileSync(file, 'utf8');
        const [written, shipped] = [tokensOf(text), tokensOf(minified(file, text))];
        expect(shipped.length).withContext(file).toBe(written.length);
        return written.map((token, i) => [token, shipped[i]!] as const);
      });
      for (const [written, shipped] of pairs) {
        if (!isName(written)) expect(meaningOf(shipped)).toBe(meaningOf(written));
        else if (!nameOf.has(written)) nameOf.set(written, shipped);
        else expect(shipped).toBe(nameOf.get(written)!);
      }
      expect(new Set(nameOf.values()).size).toBe(nameOf.size);
      const others = [...nameOf].filter(([written, shipped]) => written !== shipped);
      expect(others.length).toBeGreaterThan(70);
    });

    it(`of ${backend} keep what is not theirs to name`, () => {
      const texts = files.map(file => minified(file, readFileSync(file, 'utf8'))).join('\n');
      const kept = {
        webgl:
          'main setOutput gridAt gl_FragCoord clipSpacePos resultUV NUDGE MULTIPLY INSIDE OVERLAID X_LAYOUT gridSteps stridePlaces PACKED texelFetch',
        webgpu:
          'main uniforms result NUDGE MULTIPLY INSIDE OF WIDTH gridAt gridOf Channels Levels together partials bitcast select clamp',
      }[backend]!;
      for (const name of kept.split(' ')) expect(texts).toMatch(new RegExp(`\\b${name}\\b`));
      for (const name of ['roundHalfEven', 'nearest', 'lowest', 'SMALLEST_NORMAL']) expect(texts).not.toContain(name);
    });
  }
});
