/** Nodes that no layer computes, gathered into as few layers as can be. */
import {throwProblems} from '../../check/rules';
import type {GraphDef, NodeDef} from '../../graph_model/check_graph';
import type {Constant} from '../../graph_model/constant';
import type {NodeSet} from '../../graph_model/node_run';
import type {Reason} from '../../graph_model/saved_segment';
import {calledFunctions, segmentProblems} from '../../graph_model/segment_problems';
import {Joined} from './control_flow';
import type {Facts} from './facts';
import {type Edge, EdgeMap, type GraphNode, referenceOf} from './graph_reader';
import {type FloatUnit, isLayers, type LayerUnit, type Plan} from './plan';

/** Nodes that become one layer. */
export interface Segment {
  readonly graph: NodeSet;
  readonly constants: ReadonlyMap<string, Constant>;
  /** The constants that are trained. */
  readonly weights: readonly string[];
  readonly reasons: readonly Reason[];
  readonly nodes: readonly GraphNode[];
  readonly takes: readonly Edge[];
  readonly gives: readonly Edge[];
}

/** Which of what an op takes multiplies, so that it is trained. */
const MULTIPLIES: Readonly<Record<string, readonly number[]>> = {
  Conv1D: [1],
  Conv2D: [1],
  Conv3D: [1],
  _FusedConv2D: [1],
  DepthwiseConv2dNative: [1],
  FusedDepthwiseConv2dNative: [1],
  Conv2DBackpropInput: [1],
  MatMul: [0, 1],
  _FusedMatMul: [0, 1],
  BatchMatMul: [0, 1],
  BatchMatMulV2: [0, 1],
  Einsum: [0, 1],
  Gather: [0],
  GatherV2: [0],
};

/** What a unit hangs on. */
interface Needs {
  /** Values that layers or other units give. */
  readonly values: readonly Edge[];
  /** Nodes that compute with shapes, and what of constants tfjs cannot compute beforehand. */
  readonly nodes: readonly GraphNode[];
}

class Segmenter {
  readonly #plan: Plan;
  readonly #facts: Facts;
  readonly #library: GraphDef['library'];
  readonly #anyInput: Edge;
  readonly #givers = new EdgeMap<LayerUnit>();
  readonly #unitOf = new Map<GraphNode, FloatUnit>();
  readonly #needs = new Map<FloatUnit, Needs>();
  readonly #joined = new Joined<FloatUnit>();

  constructor(plan: Plan, facts: Facts, library: GraphDef['library'], anyInput: Edge) {
    this.#library = library;
    this.#anyInput = anyInput;
    this.#plan = plan;
    this.#facts = facts;
    for (const unit of plan.units) {
      if (isLayers(unit)) this.#givers.set(unit.gives, unit);
      else for (const node of unit.nodes) this.#unitOf.set(node, unit);
    }
  }

  /** Where a value comes from; of nodes that might have been in a layer, and of what no input changes, itself. */
  #source(edge: Edge): Edge {
    const isItself = this.#unitOf.has(edge.node) || this.#facts.kind(edge.node) !== 'values';
    return isItself ? edge : this.#plan.source(edge);
  }

  /** @param outputs - what the model gives. */
  segments(outputs: readonly Edge[]): Segment[] {
    this.#join();
    const sets = new Map<FloatUnit, FloatUnit[]>();
    for (const unit of this.#plan.units) {
      if (isLayers(unit)) continue;
      const root = this.#joined.of(unit);
      const set = sets.get(root);
      if (set) set.push(unit);
      else sets.set(root, [unit]);
    }
    const taken = this.#takenOutside(outputs);
    return [...sets.values()].map(units => this.#segmentOf(units, taken));
  }

  /** What a unit takes of its own nodes, or of others. */
  #needsOf(unit: FloatUnit): Needs {
    const known = this.#needs.get(unit);
    if (known) return known;
    const nodes = new Set<GraphNode>();
    const values = new EdgeMap<Edge>();
    const path = unit.nodes.flatMap(({inputs}) => inputs);
    while (path.length > 0) {
      const edge = this.#source(path.pop()!);
      const {node} = edge;
      if (this.#facts.kind(node) === 'values') {
        if (this.#unitOf.get(node) !== unit) values.set(edge, edge);
      } else if (!this.#facts.value(edge) && !nodes.has(node)) {
        nodes.add(node);
        path.push(...node.inputs);
      }
    }
    const needs = {values: values.values(), nodes: [...nodes]};
    this.#needs.set(unit, needs);
    return needs;
  }

  /**
   * Joins units that hand on values to each other. How often one has passed from units through layers to units tells whether
   * two may be one: if none has been passed meanwhile, no layer is between them.
   */
  #join(): void {
    const levels = new Map<LayerUnit | FloatUnit, number>();
    for (const unit of this.#plan.units) {
      const from = isLayers(unit) ? unit.takes : this.#needsOf(unit).values;
      let level = 0;
      for (const edge of from) {
        const giver = this.#unitOf.get(edge.node) ?? this.#givers.get(edge);
        if (giver) level = Math.max(level, levels.get(giver)! + (isLayers(unit) && !isLayers(giver) ? 1 : 0));
      }
      levels.set(unit, level);
      if (isLayers(unit)) continue;
      for (const {node} of from) {
        const giver = this.#unitOf.get(node);
        if (giver && levels.get(giver) === level) this.#joined.join(unit, giver);
      }
    }
  }

  /** What others take of each segment, by the unit that stands for it. */
  #takenOutside(outputs: readonly Edge[]): Map<FloatUnit, EdgeMap<Edge>> {
    const taken = new Map<FloatUnit, EdgeMap<Edge>>();
    const take = (edge: Edge, by: FloatUnit | undefined) => {
      const unit = this.#unitOf.get(edge.node);
      const root = unit && this.#joined.of(unit);
      if (!root || root === by) return;
      if (!taken.has(root)) taken.set(root, new EdgeMap());
      taken.get(root)!.set(edge, edge);
    };
    for (const unit of this.#plan.units) {
      const from = isLayers(unit) ? unit.takes : this.#needsOf(unit).values;
      const by = isLayers(unit) ? undefined : this.#joined.of(unit);
      for (const edge of from) take(edge, by);
    }
    for (const edge of outputs) take(this.#plan.source(edge), undefined);
    return taken;
  }

  #segmentOf(units: readonly FloatUnit[], taken: ReadonlyMap<FloatUnit, EdgeMap<Edge>>): Segment {
    const root = this.#joined.of(units[0]!);
    const gives = taken.get(root)?.values() ?? [];
    const takes = new EdgeMap<Edge>();
    const nodes = new Set<GraphNode>();
    for (const unit of units) {
      const needs = this.#needsOf(unit);
      for (const node of [...needs.nodes, ...unit.nodes]) nodes.add(node);
      for (const edge of needs.values) {
        const giver = this.#unitOf.get(edge.node);
        if (!giver || this.#joined.of(giver) !== root) takes.set(edge, edge);
      }
    }
    // A layer is called on something.
    if (takes.values().length === 0) takes.set(this.#anyInput, this.#anyInput);
    const constants = new Map<string, Constant>();
    const weights = new Set<string>();
    const constantNodes = new Map<string, NodeDef>();
    const defs = [...nodes].map(node => {
      const multiplied = Object.hasOwn(MULTIPLIES, node.op) ? MULTIPLIES[node.op]! : [];
      const input = node.inputs.map((each, i) => {
        const edge = this.#source(each);
        const isComputed = this.#facts.kind(edge.node) === 'values' || nodes.has(edge.node);
        const value = isComputed ? undefined : this.#facts.value(edge);
        if (!value) return referenceOf(edge);
        const name = edge.output === 0 ? edge.node.name : `${edge.node.name}/${edge.output}`;
        constants.set(name, value);
        constantNodes.set(name, {name, op: 'Const'});
        if (multiplied.includes(i) && value.dtype === 'float32') weights.add(name);
        return name;
      });
      if (node.op === 'Const') constants.set(node.name, this.#facts.constant({node, output: 0})!);
      const branches = node.branches.filter(each => nodes.has(each)).map(({name}) => `^${name}`);
      return {...node.def, input: [...input, ...branches]};
    });
    const values = takes.values();
    const functions = calledFunctions(defs, this.#library);
    for (const {name, op} of functions.flatMap(({nodeDef = []}) => nodeDef)) {
      const value = op === 'Const' ? this.#facts.weight(name) : undefined;
      if (value) constants.set(name, value);
    }
    return {
      graph: {
        nodes: [...constantNodes.values(), ...defs],
        ...(functions.length > 0 && {library: {function: functions}}),
        inputs: values.map(referenceOf),
        outputs: gives.map(referenceOf),
      },
      constants,
      weights: [...weights],
      reasons: distinct(units.flatMap(({reasons}) => reasons)),
      nodes: units.flatMap(unit => unit.nodes),
      takes: values,
      gives,
    };
  }
}

function distinct(reasons: readonly Reason[]): Reason[] {
  return [...new Map(reasons.map(each => [`${each.op} ${each.reason}`, each])).values()];
}

/**
 * The segments of a plan, in no order.
 *
 * @param library - the functions of the graph.
 * @param inputs - of the model.
 * @param outputs - what it gives.
 * @throws if nodes of a segment cannot be run in a layer.
 */
export function segmentsOf(
  plan: Plan,
  facts: Facts,
  library: GraphDef['library'],
  inputs: readonly Edge[],
  outputs: readonly Edge[],
): Segment[] {
  const segments = new Segmenter(plan, facts, library, inputs[0]!).segments(outputs);
  throwProblems(
    'importModel',
    segments.flatMap(({graph}) => segmentProblems(graph)),
  );
  return segments;
}
