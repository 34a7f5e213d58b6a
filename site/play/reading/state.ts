/** What the networks read in what is drawn. */
import {effect, signal} from '@preact/signals';
import {isDrawing, pixels, setPixels} from '../drawing/state';
import {reader} from '../workers';
import type {NetworkName, Reading, TestImages, Trained} from '../worker/contract';

/** Widths that networks which read have been trained for. */
export const widths = signal<readonly number[]>([]);
/** The width of one more, which is quantized as asked. */
export const chosenWidth = signal(5);
/** By {@link keyOf}. */
export const readings = signal<Readonly<Record<string, Reading>>>({});
/** Whether the readings are of what is drawn, and the pen is up. */
export const isSettled = signal(false);

export const FLOAT: NetworkName = {method: 'float', bits: undefined};

export const keyOf = ({method, bits}: NetworkName) => `${method} ${bits}`;

/** Networks that read: one of each method for each width, and that of the chosen width. */
export function networks(): NetworkName[] {
  const trained = widths.value.flatMap((bits): NetworkName[] => [
    {method: 'PTQ', bits},
    {method: 'QAT', bits},
  ]);
  const chosen: NetworkName = {method: 'PTQ', bits: chosenWidth.value};
  return [FLOAT, ...trained, ...(widths.value.includes(chosenWidth.value) ? [] : [chosen])];
}

/** How often anything changed that is read. */
let changes = 0;
let isReading = false;

/** Reads until nothing has changed meanwhile. */
async function readOn(): Promise<void> {
  if (isReading) return;
  isReading = true;
  try {
    for (let seen = -1; seen !== changes;) {
      seen = changes;
      await Promise.all(networks().map(readBy));
    }
    isSettled.value = !isDrawing.value;
  } finally {
    isReading = false;
  }
}

async function readBy(network: NetworkName): Promise<void> {
  const reading = await reader.digits.read(pixels.value, network);
  if (reading) readings.value = {...readings.value, [keyOf(network)]: reading};
}

/** Has these networks read. */
export function open(trained: Trained): void {
  void reader.digits.open(trained);
  readings.value = {};
  widths.value = trained.flatMap(({method, bits}) => (method === 'QAT' && bits !== undefined ? [bits] : []));
}

/** Depends on what is read, and on which networks read. */
function isToBeRead(): boolean {
  return [pixels.value, chosenWidth.value, isDrawing.value, widths.value].length > 0 && widths.value.length > 0;
}

effect(() => {
  if (!isToBeRead()) return;
  changes += 1;
  isSettled.value = false;
  void readOn();
});

let examples: Promise<TestImages> | undefined;
const shown = new Map<number, number>();

/** Shows an image of a digit that no network was trained on, each time another. */
export async function showExample(digit: number): Promise<void> {
  const {images, labels} = await (examples ??= reader.digits.testImages());
  const those = images.filter((_, i) => labels[i] === digit);
  const next = shown.get(digit) ?? 0;
  shown.set(digit, (next + 1) % those.length);
  setPixels(those[next]!);
}
