/** The knapsack of widths: one of several for each layer, so that least is lost for what all take together. */

/** A width that a layer may have. */
export interface Width {
  readonly numBits: number;
  /** What the layer takes at this width. */
  readonly cost: number;
  /** What is lost if the layer alone has it. */
  readonly loss: number;
}

/** A width for each layer, such that no other widths that take no more lose less, as far as losses add up. */
export interface Combination {
  readonly cost: number;
  readonly loss: number;
  /** The width of each layer, in their order. */
  readonly numBits: readonly number[];
}

/** A combination of the first layers' widths: the last one, and what went before. */
interface Partial {
  readonly cost: number;
  readonly loss: number;
  readonly numBits: number;
  readonly before: Partial | undefined;
}

/** Before the first layer. */
const NOTHING: Partial = {cost: 0, loss: 0, numBits: 0, before: undefined};

/** How many combinations are kept from layer to layer: an exact front may grow with every one. */
const MOST = 4096;

/** A narrower width that seems to lose less than a wider one does so by chance: it counts as losing as much. */
function withoutChance(widths: readonly Width[]): Width[] {
  let most = 0;
  const widestFirst = [...widths].sort((a, b) => b.numBits - a.numBits);
  return widestFirst.map(width => ({...width, loss: (most = Math.max(most, width.loss))}));
}

/** Those that lose less than all that take no more. */
function undominated<T extends {readonly cost: number; readonly loss: number}>(points: readonly T[]): T[] {
  let least = Infinity;
  const sorted = [...points].sort((a, b) => a.cost - b.cost || a.loss - b.loss);
  return sorted.filter(({loss}, i) => {
    const isBetter = i === 0 || loss < least;
    if (isBetter) least = loss;
    return isBetter;
  });
}

/** About `most` points of a front at even distances of cost: of those between, that which loses least; and the first. */
export function thinned<T extends {readonly cost: number}>(front: readonly T[], most: number): T[] {
  if (front.length <= most) return [...front];
  const [low, high] = [front[0]!.cost, front[front.length - 1]!.cost];
  const bucketOf = ({cost}: T) => Math.floor(((cost - low) / (high - low)) * (most - 2));
  return front.filter((point, i) => i === 0 || i === front.length - 1 || bucketOf(point) !== bucketOf(front[i + 1]!));
}

function widthsOf(last: Partial): number[] {
  const widths: number[] = [];
  for (let each = last; each.before; each = each.before) widths.push(each.numBits);
  return widths.reverse();
}

/**
 * The Pareto front of all combinations of a width for each layer, by rising cost and falling loss. Losses add up. Exact, as
 * long as no more than {@link MOST} combinations of some layers are on their own front; else as fine as that many are.
 *
 * Layer by layer, as Nemhauser and Ullmann solve a knapsack: what is dominated among the first layers is so among all.
 */
export function paretoFront(layers: readonly (readonly Width[])[], most = MOST): Combination[] {
  let front: Partial[] = [NOTHING];
  for (const widths of layers) {
    const options = undominated(withoutChance(widths));
    const grown = front.flatMap(before =>
      options.map(({numBits, cost, loss}): Partial => {
        return {cost: before.cost + cost, loss: before.loss + loss, numBits, before};
      }),
    );
    front = thinned(undominated(grown), most);
  }
  return front.map(last => ({cost: last.cost, loss: last.loss, numBits: widthsOf(last)}));
}
