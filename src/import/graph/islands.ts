/** Layers that are better left as the nodes that they were. */
import {type Edge, EdgeMap, type GraphNode} from './graph_reader';
import {type FloatUnit, isLayers, type LayerUnit, type Plan} from './plan';

type Unit = LayerUnit | FloatUnit;

/** Which units take something of each, and which give it something. */
class Links {
  readonly #plan: Plan;
  readonly #givers = new EdgeMap<Unit>();
  readonly #ofNodes = new Map<GraphNode, Unit>();
  readonly takers = new Map<Unit, Unit[]>();
  readonly givers = new Map<Unit, (Unit | undefined)[]>();

  constructor(plan: Plan) {
    this.#plan = plan;
    for (const unit of plan.units) {
      if (isLayers(unit)) this.#givers.set(unit.gives, unit);
      else for (const node of unit.nodes) this.#ofNodes.set(node, unit);
      this.takers.set(unit, []);
    }
    for (const unit of plan.units) {
      const taken = isLayers(unit) ? unit.takes : unit.nodes.flatMap(({inputs}) => inputs);
      const givers = taken.map(edge => this.giver(edge));
      this.givers.set(unit, givers);
      for (const giver of givers) if (giver) this.takers.get(giver)!.push(unit);
    }
  }

  /** What gives a value; undefined of inputs, constants and sizes. */
  giver(edge: Edge): Unit | undefined {
    const source = this.#plan.source(edge);
    return this.#givers.get(source) ?? this.#ofNodes.get(source.node);
  }
}

/** What computes with places, and moves them about. */
const ARITHMETIC =
  /^(Add|AddV2|AddN|Sub|Mul|RealDiv|Neg|Square|Minimum|Maximum|Cast|ConcatV2|ExpandDims|Identity|Reshape|Slice|Squeeze|StridedSlice|Transpose)$/;

function isArithmetic({match: {nodes}}: LayerUnit): boolean {
  return nodes.every(({op}) => ARITHMETIC.test(op));
}

/** Whether a unit has nothing to train. */
function isLight(unit: LayerUnit): boolean {
  return isArithmetic(unit) || unit.match.layers.every(({weights = []}) => weights.length === 0);
}

/**
 * Leaves as they are the nodes of light layers that stand between nodes that no layer computes, on all sides, and of
 * arithmetic behind them all: what is rounded there is most often a place in an image, and one segment runs faster than two.
 *
 * @param outputs - what the model gives.
 */
export function withoutIslands(plan: Plan, outputs: readonly Edge[]): Plan {
  const links = new Links(plan);
  const given = new Set(outputs.map(edge => links.giver(edge)));
  const behind = new Set<Unit>();
  for (const unit of plan.units) {
    const isBehind = () => links.givers.get(unit)!.every(giver => giver && behind.has(giver));
    if (!isLayers(unit) || (isLight(unit) && isBehind())) behind.add(unit);
  }
  const before = new Set<Unit>();
  for (const unit of [...plan.units].reverse()) {
    const isBefore = () => links.takers.get(unit)!.every(taker => before.has(taker));
    const mayEnd = !given.has(unit) || (isLayers(unit) && isArithmetic(unit));
    if (!isLayers(unit) || (isLight(unit) && mayEnd && isBefore())) before.add(unit);
  }
  const reason = 'stands among nodes that have no layer';
  const units = plan.units.map(unit => {
    return isLayers(unit) && behind.has(unit) && before.has(unit) ? asNodes(unit, reason) : unit;
  });
  return {...plan, units};
}

/** Leaves all nodes as they are. */
export function withoutLayers(plan: Plan, reason: string): Plan {
  return {...plan, units: plan.units.map(unit => (isLayers(unit) ? asNodes(unit, reason) : unit))};
}

function asNodes({match: {nodes}}: LayerUnit, reason: string): FloatUnit {
  const ops = new Set(nodes.map(({op}) => op));
  return {nodes, reasons: [...ops].map(op => ({op, reason}))};
}
