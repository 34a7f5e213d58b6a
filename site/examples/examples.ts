/** Models to begin with. The first is shipped with the site; the others are TensorFlow.js's own, and come from where they are kept. */
import type {Scaling} from '../quantize/worker/contract';

export interface Example {
  readonly name: string;
  readonly title: string;
  /** What it does, how large it is. */
  readonly about: string;
  /** Of its model.json: from the site's folder on, or whole. */
  readonly url: string;
  readonly scaling: Scaling;
  /** Whether samples with labels come along. */
  readonly hasSamples: boolean;
}

const PUBLISHED = 'https://storage.googleapis.com/tfjs-models/';

export const EXAMPLES: readonly Example[] = [
  {
    name: 'digits',
    title: 'Handwritten digits',
    about: 'A small network of every common kind of layer for images of 8x8 pixels, with 360 images to test it. 15 kB.',
    url: 'examples/digits/model.json',
    scaling: {kind: 'unit'},
    hasSamples: true,
  },
  {
    name: 'mobilenet_v1_025',
    title: 'MobileNet v1, 0.25',
    about: 'Says which of 1000 things a photo shows. A layers model of 1.9 MB, from storage.googleapis.com.',
    url: `${PUBLISHED}tfjs/mobilenet_v1_0.25_224/model.json`,
    scaling: {kind: 'symmetric'},
    hasSamples: false,
  },
  {
    name: 'mobilenet_v2',
    title: 'MobileNet v2',
    about: 'The same more accurately. A graph model of 14 MB, from storage.googleapis.com.',
    url: `${PUBLISHED}savedmodel/mobilenet_v2_1.0_224/model.json`,
    scaling: {kind: 'unit'},
    hasSamples: false,
  },
  {
    name: 'iris',
    title: 'Iris',
    about:
      'Tells three kinds of flowers by four lengths: bring a .csv. A layers model of 2 kB, from storage.googleapis.com.',
    url: `${PUBLISHED}tfjs/iris_v1/model.json`,
    scaling: {kind: 'raw'},
    hasSamples: false,
  },
];
