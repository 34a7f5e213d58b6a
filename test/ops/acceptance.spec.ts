/** The acceptance set for inexact GPUs lets through what it says and nothing else. */
import type {Scheme} from '../../kernels/device';
import {fakeQuantize, fakeQuantLevels, nudge} from '../../kernels/grid';
import {acceptsGradient, acceptsValue, EXACT, HARDWARE, isSame, ulpOf} from '../support/acceptance';

const RANGE = [-6, 6] as const;
const SCHEME: Scheme = {fit: 'nudge', rounding: 'divide', levels: fakeQuantLevels(8, false), clamped: true};
const GRID = nudge(...RANGE, SCHEME.levels);

/** The float32 `steps` after x. */
function neighbour(x: number, steps: number): number {
  const float = new Float32Array([x]);
  const bits = new Int32Array(float.buffer);
  bits[0]! += steps;
  return float[0]!;
}

const acceptsHere = (actual: number, x: number) => acceptsValue(actual, x, RANGE, SCHEME, EXACT);
const acceptsOnGpu = (actual: number, x: number) => acceptsValue(actual, x, RANGE, SCHEME, HARDWARE);

describe('the acceptance set', () => {
  const inLevel = 10.2 * GRID.scale;
  const value = fakeQuantize(inLevel, GRID, 'divide');
  const atTie = Math.fround(10.5 * GRID.scale);

  it('knows NaN and the sign of zero', () => {
    expect(isSame(NaN, NaN)).toBeTrue();
    expect(isSame(0, -0)).toBeFalse();
    expect(isSame(NaN, 0)).toBeFalse();
  });

  it('measures ulp', () => {
    for (const x of [1, 1.999, 2, -3, 1e-30, 6e37])
      expect(Math.abs(neighbour(Math.fround(x), 1) - Math.fround(x))).toBe(ulpOf(Math.fround(x)));
  });

  it('is the one value where results are exact', () => {
    expect(acceptsHere(value, inLevel)).toBeTrue();
    expect(acceptsHere(neighbour(value, 1), inLevel)).toBeFalse();
    expect(acceptsHere(fakeQuantize(atTie, GRID, 'divide') - GRID.scale, atTie)).toBeFalse();
  });

  it('holds a few ulp of the value on a GPU, and no more', () => {
    expect(acceptsOnGpu(neighbour(value, HARDWARE.valueUlps), inLevel)).toBeTrue();
    expect(acceptsOnGpu(neighbour(value, HARDWARE.valueUlps + 1), inLevel)).toBeFalse();
    expect(acceptsOnGpu(NaN, inLevel)).toBeFalse();
    expect(acceptsOnGpu(0, NaN)).toBeFalse();
  });

  it('holds the neighbouring level next to a tie, and nowhere else', () => {
    const [below, above] = [Math.fround(10 * GRID.scale), Math.fround(11 * GRID.scale)];
    expect(acceptsOnGpu(below, atTie)).toBeTrue();
    expect(acceptsOnGpu(above, atTie)).toBeTrue();
    expect(acceptsOnGpu(above, inLevel)).toBeFalse();
    expect(acceptsOnGpu(Math.fround(12 * GRID.scale), atTie)).toBeFalse();
    expect(acceptsOnGpu(above, Math.fround(10.499 * GRID.scale))).toBeFalse();
  });

  it('holds either gradient on a bound, and one elsewhere', () => {
    const accepts = (actual: number, x: number, tolerance = HARDWARE) =>
      acceptsGradient(actual, 3, x, RANGE, SCHEME, 'inside', tolerance);
    expect(accepts(3, 0)).toBeTrue();
    expect(accepts(0, 0)).toBeFalse();
    expect(accepts(0, GRID.high)).toBeTrue();
    expect(accepts(2, GRID.high)).toBeFalse();
    expect(accepts(3, neighbour(GRID.high, 100))).toBeFalse();
    expect(accepts(0, GRID.high, EXACT)).toBeFalse();
  });
});
