/** One of Keras's layers, and what a rule may ask of it and say. */
import {inJson} from '../../graph_model/model_json';
import {type Part, Parts} from './parts';
import type {Call, Config, KerasLayer, KerasModel, KerasTensor, Shape} from './topology';
import {tensorsIn} from './topology';

/** What is known beyond the layer. */
export interface Surroundings {
  readonly isKeras3: boolean;
  /** Whether any layer gives masks. */
  readonly hasMasks: boolean;
  readonly shapeOf: (tensor: KerasTensor) => Shape | undefined;
  /** Whether a tensor is a mask that tfjs makes itself. */
  readonly isMask: (tensor: KerasTensor) => boolean;
  readonly read: (className: string, config: Config, path: readonly string[]) => KerasModel | null;
  /** What a layer becomes that is within another. */
  readonly partsOf: (layer: KerasLayer, path: readonly string[]) => Part[];
  readonly refuse: (problem: string) => null;
}

/** What to do with a layer that tfjs lacks. */
const AS_GRAPH =
  'Convert it to a graph model (tensorflowjs_converter --output_format=tfjs_graph_model), and import that';

export class Ask {
  readonly layer: KerasLayer;
  readonly config: Config;
  readonly around: Surroundings;
  readonly parts: Parts;
  readonly path: readonly string[];

  constructor(layer: KerasLayer, around: Surroundings, path: readonly string[]) {
    this.layer = layer;
    this.config = layer.config;
    this.around = around;
    this.parts = new Parts(layer.name);
    this.path = path;
  }

  get isKeras3(): boolean {
    return this.around.isKeras3;
  }

  /** The layer, as errors name it. */
  get where(): string {
    const within = this.path.length > 1 ? ` of the model '${this.path.slice(1).join("' in '")}'` : '';
    return `layer '${this.layer.name}' (${this.layer.className})${within}`;
  }

  refuse(problem: string, remedy = AS_GRAPH): null {
    return this.around.refuse(`${this.where}: ${problem}. ${remedy}.`);
  }

  refuseField(field: string, why: string, remedy = AS_GRAPH): null {
    return this.refuse(`${field} is ${inJson(this.config[field])}, but ${why}`, remedy);
  }

  /** The tensors that a call takes, in tfjs's order, but masks, which tfjs hands on itself. */
  inputsOf({args, kwargs}: Call): KerasTensor[] {
    const named = Object.entries(kwargs).filter(([name]) => name !== 'mask');
    return [...args, ...named.map(([, value]) => value)]
      .flatMap(tensorsIn)
      .filter(tensor => !this.around.isMask(tensor));
  }

  get inputs(): KerasTensor[] {
    const [call] = this.layer.calls;
    return call ? this.inputsOf(call) : [];
  }

  /** The shape of what the layer takes first. */
  get shape(): Shape | undefined {
    const [first] = this.inputs;
    return first && this.around.shapeOf(first);
  }

  /** The shape, all of which must be known but the batch. */
  get knownShape(): number[] | undefined {
    const known = this.shape?.slice(1);
    return known?.every(dim => dim !== null) ? known : undefined;
  }

  /** How many channels there are, the last dimension. */
  get channels(): number | undefined {
    return this.shape?.at(-1) ?? undefined;
  }
}
