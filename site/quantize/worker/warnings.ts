/** What the package warns of, for the visitor. */

/** Does work, and tells what it warned of meanwhile: less the name of a function, which visitors do not know. */
export async function heardWarnings<T>(onWarning: (warning: string) => void, work: () => Promise<T>): Promise<T> {
  const {warn} = console;
  console.warn = (...args: unknown[]) => {
    warn(...args);
    const [first] = args;
    const [, text] =
      typeof first === 'string'
        ? (/^(?:analyzeQuantization|calibrate|chooseBits|distil|reestimateBatchNorm): (.*)$/s.exec(first) ?? [])
        : [];
    if (text !== undefined) onWarning(text[0]!.toUpperCase() + text.slice(1));
  };
  try {
    return await work();
  } finally {
    console.warn = warn;
  }
}
