/** What is drawn on the Play page, as the networks get it. */
import {readFileSync} from 'node:fs';
import * as tf from '@tensorflow/tfjs';
import {decode} from '../../lab/base64';
import {type Point, pixelsOf, type Stroke} from '../../site/play/drawing/pixels';
import {digitNet, rounded, setNumbers} from '../../site/play/training/network';
import type {Beforehand} from '../../site/play/training/state';

/** Part of an ellipse, by degrees: 0 is right, 90 is down. */
function arc(x: number, y: number, width: number, height: number, from: number, to: number): Point[] {
  return [...Array(25).keys()].map(i => {
    const angle = ((from + ((to - from) * i) / 24) * Math.PI) / 180;
    return {x: x + width * Math.cos(angle), y: y + height * Math.sin(angle)};
  });
}

/** Straight lines through points, as a pen is seen on its way. */
function lines(...points: readonly (readonly [x: number, y: number])[]): Point[] {
  return points.slice(1).flatMap(([x, y], i) => {
    const [fromX, fromY] = points[i]!;
    return [...Array(9).keys()].map(k => ({x: fromX + ((x - fromX) * k) / 8, y: fromY + ((y - fromY) * k) / 8}));
  });
}

/** The ten digits as people draw them. */
const DRAWN: readonly (readonly Stroke[])[] = [
  [arc(0.5, 0.5, 0.25, 0.35, -90, 270)],
  [lines([0.5, 0.1], [0.5, 0.9])],
  [[...arc(0.5, 0.32, 0.22, 0.2, -170, 30), ...lines([0.69, 0.42], [0.28, 0.85], [0.75, 0.85])]],
  [[...arc(0.45, 0.3, 0.2, 0.2, -150, 90), ...arc(0.45, 0.7, 0.24, 0.2, -90, 150)]],
  [lines([0.35, 0.1], [0.25, 0.55], [0.75, 0.55]), lines([0.6, 0.3], [0.6, 0.9])],
  [lines([0.7, 0.1], [0.35, 0.1], [0.32, 0.45]), arc(0.45, 0.66, 0.25, 0.24, -120, 140)],
  [[...lines([0.6, 0.1], [0.4, 0.35], [0.32, 0.6]), ...arc(0.5, 0.68, 0.2, 0.2, -180, 180)]],
  [lines([0.25, 0.2], [0.75, 0.2], [0.45, 0.85])],
  [[...arc(0.5, 0.3, 0.2, 0.2, -20, -270), ...arc(0.5, 0.7, 0.2, 0.2, -90, 180), ...lines([0.3, 0.7], [0.68, 0.2])]],
  [arc(0.48, 0.32, 0.2, 0.2, 0, -360), lines([0.68, 0.3], [0.66, 0.9])],
];

const moved = (strokes: readonly Stroke[], by: (point: Point) => Point) => strokes.map(stroke => stroke.map(by));

const sumOf = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0);

describe('The pixels of what is drawn', () => {
  it('are empty where nothing is', () => {
    expect([...pixelsOf([])]).toEqual(Array(64).fill(0));
  });

  it('are counts of 4x4 bits, 310 in all', () => {
    for (const strokes of DRAWN) {
      const pixels = pixelsOf(strokes);
      expect(16 * sumOf(pixels)).toBe(310);
      expect([...pixels].every(ink => Number.isInteger(16 * ink) && ink <= 1)).toBeTrue();
    }
  });

  it('are a bar of ten bits for an upright line', () => {
    // Of the eight columns of 4 bits, the two in the middle are full, those beside them have one bit of four.
    const row = [0, 0, 4, 16, 16, 4, 0, 0];
    const pixels = pixelsOf([lines([0.5, 0], [0.5, 1])]);
    for (let y = 1; y < 7; y++) expect([...pixels.subarray(8 * y, 8 * y + 8)].map(ink => 16 * ink)).toEqual(row);
  });

  /** How many bits of ink are elsewhere in what another digit becomes. */
  const movedBits = (one: readonly Stroke[], other: readonly Stroke[]) => {
    const pixels = pixelsOf(other);
    return 8 * sumOf(pixelsOf(one).map((ink, i) => Math.abs(ink - pixels[i]!)));
  };

  it('are the same wherever and however large a digit is', () => {
    // Bits that are as far from the pen as others may go either way.
    for (const strokes of DRAWN) {
      expect(
        movedBits(
          strokes,
          moved(strokes, ({x, y}) => ({x: x / 4 + 0.7, y: y / 4})),
        ),
      ).toBeLessThan(10);
    }
  });

  it('are much the same however a digit slants', () => {
    for (const strokes of DRAWN) {
      for (const slant of [-0.3, 0.3]) {
        const slanted = moved(strokes, ({x, y}) => ({x: x + slant * y, y}));
        expect(movedBits(strokes, slanted)).toBeLessThan(31);
      }
    }
  });

  it('are something for a dot and for a line that is level', () => {
    for (const strokes of [[[{x: 0.3, y: 0.3}]], [lines([0.1, 0.5], [0.9, 0.5])]]) {
      expect(16 * sumOf(pixelsOf(strokes))).toBe(310);
    }
  });
});

describe('The networks that the Play page starts with', () => {
  const {scores} = JSON.parse(readFileSync('site/play/training/trained.json', 'utf8')) as Beforehand;

  for (const {method, bits, numbers} of scores.filter(score => score.numbers !== undefined)) {
    it(`read the ten digits as people draw them: ${method} ${bits ?? ''}`, () => {
      const net = digitNet(0);
      const model = bits === undefined ? net : rounded(net, bits);
      setNumbers(model, new Float32Array(decode(numbers!).buffer));
      const answers = tf.tidy(() => {
        const seen = DRAWN.flatMap(strokes => [...pixelsOf(strokes)]);
        const scored = model.predict(tf.tensor(seen, [10, 8, 8, 1])) as tf.Tensor;
        return [...scored.argMax(1).dataSync()];
      });
      const right = answers.filter((answer, digit) => answer === digit);
      // Two bits may mistake one.
      expect(right.length)
        .withContext(String(answers))
        .toBeGreaterThanOrEqual(bits === 2 ? 9 : 10);
      if (model !== net) model.dispose();
      net.dispose();
    });
  }
});
