/** Every op and gradient gives what TensorFlow gives, from wherever its inputs are. */
import {
  type Case,
  type Golden,
  hasRoute,
  mismatchOf,
  readGolden,
  type Route,
  sizeOf,
  type Stored,
} from '../support/golden';
import {onSecondWebGL} from '../support/environment';
import {RESIDENCIES, type Residency} from '../support/residency';

/** Larger cases are about the number of workgroups and need not be asked in every way. */
const LARGE = 1e5;

const ROUTES: readonly Route[] = ['op', 'tape'];

/** So many cases are on their way at a time: reading them one by one would wait for the GPU each time. */
const TOGETHER = 64;

async function mismatchesOf(golden: Golden, cases: readonly Case[], residency: Residency, route: Route) {
  const found: string[] = [];
  for (let i = 0; i < cases.length; i += TOGETHER) {
    const answers = cases.slice(i, i + TOGETHER).map(one => mismatchOf(golden, one, residency, route));
    found.push(...(await Promise.all(answers)).filter(mismatch => mismatch !== undefined));
  }
  return found;
}

/** How many mismatches a failed spec describes. */
const DESCRIBED = 5;

/**
 * From each residency so many cases are asked: all, but where another browser or version of WebGL runs the same programs on all.
 * There each residency has its own share of them: each op is asked each case from one, and tf.grads those of the host's share.
 */
const EACH = onSecondWebGL ? RESIDENCIES.length : 1;

/** Enough elements for the ways that devices take with large tensors of many channels. */
const STACK = 2 ** 17;

/** Whether a case rounds x on a range for each of several channels, and its shape leaves room for one more dimension. */
function isPerChannel({op, attrs, inputs, outputs}: Case): boolean {
  const [x, ...range] = Object.values(inputs);
  const several = range.some(({shape}) => shape.length === 1 && shape[0]! > 1);
  return (
    attrs.axis !== undefined &&
    several &&
    outputs.length === 1 &&
    x!.length > 0 &&
    x!.shape.length < 5 &&
    !op.endsWith('Gradient')
  );
}

/** The case many times over, in a new first dimension: stored values repeat where a shape has more. */
function stacked(one: Case): Case {
  const {axis = -1} = one.attrs;
  const deep = (stored: Stored) => ({...stored, shape: [Math.ceil(STACK / stored.length), ...stored.shape]});
  return {
    ...one,
    attrs: {...one.attrs, axis: axis < 0 ? axis : axis + 1},
    inputs: Object.fromEntries(
      Object.entries(one.inputs).map(([name, stored], i) => [name, i ? stored : deep(stored)]),
    ),
    outputs: one.outputs.map(deep),
  };
}

const isAskedDirectly = (one: Case) => hasRoute(one, 'op');

async function defineGoldenSpecs(): Promise<void> {
  const golden = await readGolden();
  const names = [...new Set(golden.cases.map(({op}) => op))];

  function define(title: string, cases: readonly Case[], residency: Residency, route: Route): void {
    if (cases.length === 0) return;
    it(`${title}: ${cases.length} cases, inputs ${residency}${route === 'tape' ? ', by tf.grads' : ''}`, async () => {
      const mismatches = await mismatchesOf(golden, cases, residency, route);
      setSpecProperty('cases', cases.length);
      setSpecProperty('mismatches', mismatches.length);
      expect(mismatches.length).withContext(mismatches.slice(0, DESCRIBED).join('\n')).toBe(0);
    });
  }

  describe('golden', () => {
    it('holds at least 2000 cases of 12 ops', () => {
      expect(golden.cases.length).toBeGreaterThanOrEqual(2000);
      expect(names.length).toBe(12);
      const unasked = golden.cases.filter(one => !ROUTES.some(route => hasRoute(one, route)));
      expect(unasked.map(({op}) => op)).toEqual([]);
    });

    for (const op of names) {
      const cases = golden.cases.filter(one => one.op === op);
      const asked = cases.filter(one => sizeOf(one) < LARGE);
      for (const [place, residency] of RESIDENCIES.entries()) {
        const share = place % EACH;
        // Where the tape hands on to a gradient's own op, that one is asked of tensors wherever they are.
        const routes = ROUTES.filter(route => route === 'op' || residency === 'host' || !asked.some(isAskedDirectly));
        for (const route of routes) {
          define(
            op,
            asked.filter(one => hasRoute(one, route)).filter((_, i) => i % EACH === share),
            residency,
            route,
          );
        }
      }
      const large = cases.filter(one => isPerChannel(one) && sizeOf(one) < LARGE).map(stacked);
      // One of four is enough: the arithmetic is that of the small ones.
      for (const residency of RESIDENCIES) {
        define(
          `${op}, stacked`,
          large.filter((_, i) => i % (4 * EACH) === 0),
          residency,
          'op',
        );
      }
      for (const one of cases.filter(one => sizeOf(one) >= LARGE)) {
        define(one.name, [one], 'host', hasRoute(one, 'op') ? 'op' : 'tape');
      }
    }
  });
}

await defineGoldenSpecs();
