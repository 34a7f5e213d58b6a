/** Images as pixels of the model's size. */
import type {GivenFile, PortInfo} from '../contract';
import {nameOf, someOf} from '../files';
import type {Job} from '../job';
import {matchClasses, type Placed, placedFiles} from './classes';
import {mixedOrder, type SampleSet, type Wanted} from './sample_set';

/** What an input sees. */
export interface ImageShape {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** Images that the model leaves the size of open are made so large. */
const OPEN_SIZE = 224;

/** Less is no side of an image, but values of a sensor, or of a row, where no channels tell. */
const SMALLEST = 8;

/** More bytes of pixels than this are not kept. */
const MOST_BYTES = 2 ** 28;

/** The shape of images that fit an input: [height, width, channels], [height, width], or so many pixels of a square. */
export function imageShapeOf({shape, dtype}: PortInfo): ImageShape | undefined {
  if (dtype === 'string' || dtype === 'bool') return undefined;
  const [height = null, width = null, channels = 1, ...others] = shape.slice(1);
  if (others.length > 0) return undefined;
  if (shape.length === 2) {
    const side = Math.sqrt(height ?? 0);
    return Number.isInteger(side) && side >= SMALLEST ? {height: side, width: side, channels: 1} : undefined;
  }
  const isImage = shape.length === 4 || Math.min(height ?? 0, width ?? 0) >= SMALLEST;
  if (shape.length < 3 || !isImage || channels === null || ![1, 3, 4].includes(channels)) return undefined;
  return {height: height ?? OPEN_SIZE, width: width ?? OPEN_SIZE, channels};
}

/** As Teachable Machine does: the middle of the image, as much as has the input's shape, made as large as the input. */
export class ImageReader {
  readonly #shape: ImageShape;
  readonly #context: OffscreenCanvasRenderingContext2D;

  constructor(shape: ImageShape) {
    this.#shape = shape;
    const canvas = new OffscreenCanvas(shape.width, shape.height);
    this.#context = canvas.getContext('2d', {willReadFrequently: true})!;
    this.#context.imageSmoothingQuality = 'high';
  }

  /** The pixels of an image, which is closed. */
  read(image: ImageBitmap): Uint8Array {
    const {width, height, channels} = this.#shape;
    const scale = Math.min(image.width / width, image.height / height);
    const [w, h] = [width * scale, height * scale];
    if (channels < 4) this.#context.fillStyle = 'white';
    if (channels < 4) this.#context.fillRect(0, 0, width, height);
    else this.#context.clearRect(0, 0, width, height);
    this.#context.drawImage(image, (image.width - w) / 2, (image.height - h) / 2, w, h, 0, 0, width, height);
    image.close();
    return ofChannels(this.#context.getImageData(0, 0, width, height).data, channels);
  }
}

/** Of RGBA pixels what so many channels hold: one is how light they are. */
export function ofChannels(rgba: Uint8ClampedArray, channels: number): Uint8Array {
  if (channels === 4) return Uint8Array.from(rgba);
  const pixels = new Uint8Array((rgba.length / 4) * channels);
  for (let i = 0, to = 0; i < rgba.length; i += 4) {
    if (channels === 1) pixels[to++] = Math.round(0.299 * rgba[i]! + 0.587 * rgba[i + 1]! + 0.114 * rgba[i + 2]!);
    else for (let c = 0; c < 3; ++c) pixels[to++] = rgba[i + c]!;
  }
  return pixels;
}

/** RGBA pixels that show an image of so many channels. */
export function shownPixels(bytes: ArrayLike<number>, {width, height, channels}: ImageShape): ImageData {
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; ++i) {
    for (let c = 0; c < 3; ++c) image.data[4 * i + c] = bytes[i * channels + (channels === 1 ? 0 : c)]!;
    image.data[4 * i + 3] = channels === 4 ? bytes[i * channels + 3]! : 255;
  }
  return image;
}

/** Reads images; folders are classes. Those that the browser cannot read are left out. */
export async function readImages(files: readonly GivenFile[], wanted: Wanted, job: Job): Promise<SampleSet> {
  const [port] = wanted.inputs;
  const shape = wanted.inputs.length === 1 ? imageShapeOf(port!) : undefined;
  if (!shape) {
    const takes =
      wanted.inputs.length > 1
        ? `${wanted.inputs.length} inputs`
        : `samples of shape [${port!.shape
            .slice(1)
            .map(dim => dim ?? 'any')
            .join(', ')}]`;
    throw new Error(
      `The model takes ${takes}, which images are not. Give a .csv, a .npy file for each input, or random noise.`,
    );
  }
  const placed = placedFiles(files, wanted.labels);
  const named = placed.flatMap(({className}) => className ?? []);
  const {classOf, warnings} = matchClasses(named, wanted);
  const isUsed = ({className}: Placed) => !classOf || (className !== undefined && classOf.has(className));
  const used = placed.filter(isUsed);
  const loose = classOf ? placed.filter(({className}) => className === undefined).length : 0;
  const size = shape.height * shape.width * shape.channels;
  const most = Math.floor(MOST_BYTES / size);
  const order = Array.from(mixedOrder(used.length), i => used[i]!).slice(0, most);
  const {pixels, read, unread} = await pixelsOf(order, shape, size, job);
  if (read.length === 0) {
    throw new Error(`None of the images could be read (${someOf(unread)}). Give PNG, JPEG or WebP files.`);
  }
  const isOpen = port!.shape.length === 4 && port!.shape.slice(1).includes(null);
  return {
    of: 'images',
    count: read.length,
    columns: [
      {
        values: pixels.subarray(0, read.length * size),
        shape: port!.shape.slice(1).map((dim, i) => dim ?? [shape.height, shape.width][i]!),
      },
    ],
    labels: classOf && Int32Array.from(read, ({className}) => classOf.get(className!)!),
    isTest: read.some(({isTest}) => isTest) ? read.map(({isTest}) => isTest) : undefined,
    columnNames: undefined,
    labelColumn: undefined,
    warnings: [
      ...warnings,
      ...(unread.length > 0 ? [`Images left out, as they could not be read: ${someOf(unread)}.`] : []),
      ...(loose > 0 ? [`Images left out, as they lie in no class's folder: ${loose}.`] : []),
      ...(used.length > most ? [`Of ${used.length} images ${most} are taken, as this page has no room for more.`] : []),
      ...(isOpen ? [`The model takes images of any size: they are made ${shape.width}x${shape.height}.`] : []),
    ],
  };
}

async function pixelsOf(order: readonly Placed[], shape: ImageShape, size: number, job: Job) {
  const reader = new ImageReader(shape);
  const pixels = new Uint8Array(order.length * size);
  const read: Placed[] = [];
  const unread: string[] = [];
  for (const [i, each] of order.entries()) {
    if (i % 16 === 0) await job.turn();
    try {
      pixels.set(reader.read(await createImageBitmap(each.file.data)), read.length * size);
      read.push(each);
    } catch {
      unread.push(nameOf(each.file.path));
    }
    job.tell('Reading images', i + 1, order.length);
  }
  return {pixels, read, unread};
}
