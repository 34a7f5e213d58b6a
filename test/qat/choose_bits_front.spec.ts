/** The knapsack of widths, against all combinations there are. */
import fc from 'fast-check';
import {paretoFront, thinned, type Width} from '../../src/qat/bits/front';

interface Sum {
  readonly cost: number;
  readonly loss: number;
}

/** All combinations, one after the other. */
function combinationsOf(layers: readonly (readonly Width[])[]): Sum[] {
  return layers.reduce<Sum[]>(
    (sums, widths) =>
      sums.flatMap(sum => widths.map(each => ({cost: sum.cost + each.cost, loss: sum.loss + each.loss}))),
    [{cost: 0, loss: 0}],
  );
}

const WIDTHS = [2, 3, 4, 8];

/** Layers that take more, and lose less or as much, the wider they are. Whole numbers, whose sums are exact. */
const layer = fc
  .tuple(fc.integer({min: 1, max: 50}), fc.array(fc.nat(100), {minLength: 4, maxLength: 4}))
  .map(([count, losses]): Width[] => {
    const falling = [...losses].sort((a, b) => b - a);
    return WIDTHS.map((numBits, i) => ({numBits, cost: numBits * count, loss: falling[i]!}));
  });
const problem = fc.array(layer, {minLength: 1, maxLength: 4});

/** The least loss of what takes no more. */
function leastWithin(sums: readonly Sum[], budget: number): number {
  return Math.min(...sums.filter(({cost}) => cost <= budget).map(({loss}) => loss));
}

describe('paretoFront', () => {
  it('loses as little as any combination does within any budget', () => {
    fc.assert(
      fc.property(problem, layers => {
        const all = combinationsOf(layers);
        const front = paretoFront(layers);
        for (const {cost} of all) expect(leastWithin(front, cost)).toBe(leastWithin(all, cost));
      }),
      {numRuns: 25},
    );
  });

  it('rises in cost and falls in loss, and each point is what its widths take and lose', () => {
    fc.assert(
      fc.property(problem, layers => {
        const front = paretoFront(layers);
        front.slice(1).forEach((point, i) => {
          expect(point.cost).toBeGreaterThan(front[i]!.cost);
          expect(point.loss).toBeLessThan(front[i]!.loss);
        });
        for (const {numBits, cost, loss} of front) {
          const chosen = layers.map((widths, i) => widths.find(each => each.numBits === numBits[i])!);
          expect(cost).toBe(chosen.reduce((sum, each) => sum + each.cost, 0));
          expect(loss).toBe(chosen.reduce((sum, each) => sum + each.loss, 0));
        }
      }),
      {numRuns: 25},
    );
  });

  it('keeps its ends, and costs little more, where there are too many combinations to keep', () => {
    fc.assert(
      fc.property(problem, layers => {
        const [exact, rough] = [paretoFront(layers), paretoFront(layers, 16)];
        expect(rough.length).toBeLessThanOrEqual(16);
        expect(rough[0]!.cost).toBe(exact[0]!.cost);
        expect(rough[rough.length - 1]!.loss).toBe(exact[exact.length - 1]!.loss);
        // A bucket of cost for each layer.
        const span = exact[exact.length - 1]!.cost - exact[0]!.cost;
        for (const {cost, loss} of exact) {
          expect(leastWithin(rough, cost + (layers.length * span) / 14)).toBeLessThanOrEqual(loss);
        }
      }),
      {numRuns: 25},
    );
  });

  it('takes a narrower width that seems to lose less for one that loses as much', () => {
    const widths = [
      {numBits: 2, cost: 2, loss: 0.5},
      {numBits: 4, cost: 4, loss: 0.1},
      {numBits: 8, cost: 8, loss: 0.2},
    ];
    expect(paretoFront([widths])).toEqual([
      {cost: 2, loss: 0.5, numBits: [2]},
      {cost: 4, loss: 0.2, numBits: [4]},
    ]);
  });

  it('gives way to infinite losses, and has the cheapest where all are', () => {
    const broken = [2, 4].map(numBits => ({numBits, cost: numBits, loss: Infinity}));
    const sound = [2, 4].map(numBits => ({numBits, cost: numBits, loss: 1 / numBits}));
    expect(paretoFront([broken, sound])).toEqual([{cost: 4, loss: Infinity, numBits: [2, 2]}]);
    const halfBroken = [{...broken[0]!}, {...sound[1]!}];
    expect(paretoFront([halfBroken]).map(({numBits}) => numBits)).toEqual([[2], [4]]);
  });

  it('serves many layers', () => {
    const layers = Array.from({length: 60}, (_, i) =>
      WIDTHS.map(numBits => ({numBits, cost: numBits * (1000 + 37 * i), loss: (1 + (i % 7)) / 4 ** numBits})),
    );
    const front = paretoFront(layers, 512);
    expect(front.length).toBeLessThanOrEqual(512);
    expect(front[0]!.numBits).toEqual(layers.map(() => 2));
    expect(front[front.length - 1]!.numBits).toEqual(layers.map(() => 8));
  });
});

describe('thinned', () => {
  it('leaves what is short, and keeps both ends of what is long', () => {
    const points = Array.from({length: 100}, (_, cost) => ({cost}));
    expect(thinned(points.slice(0, 10), 10)).toEqual(points.slice(0, 10));
    const few = thinned(points, 10);
    expect(few.length).toBeLessThanOrEqual(10);
    expect([few[0], few[few.length - 1]]).toEqual([{cost: 0}, {cost: 99}]);
  });
});
