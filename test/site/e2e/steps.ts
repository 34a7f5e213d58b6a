/** The steps of the page, each by its section. */
const section = (step: string) => `[aria-labelledby=${step}]`;

export const MODEL = section('model');
export const SAMPLES = section('samples');
export const BITS = section('quantize');
export const SEE = section('see');
export const IMPROVE = section('improve');
export const RUN = section('run');
