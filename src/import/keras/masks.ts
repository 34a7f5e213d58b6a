/** Masks: where Keras hands them on and tfjs does not, a model would predict something else. */
import type {MendedLayer} from './parts';
import {tensorsOf} from './topology';

/** tfjs's classes that hand on the mask of what they are given: those with supportsMasking. */
const HAND_ON = new Set(
  (
    'Activation Add AlphaDropout Average BatchNormalization Concatenate Dense Dropout GaussianDropout GaussianNoise ' +
    'LayerNormalization Maximum Minimum Multiply PReLU ReLU SpatialDropout1D TimeDistributed'
  ).split(' '),
);
/** Layers that leave Keras's masks behind. */
const END = new Set(
  'Dot Flatten GlobalMaxPooling1D GlobalMaxPooling2D GlobalAveragePooling2D Permute RepeatVector Reshape'.split(' '),
);
const RECURRENT = new Set('Bidirectional ConvLSTM2D GRU LSTM RNN SimpleRNN'.split(' '));

/** A mask that arrives, or one that tfjs has lost: in which layer. */
type State = 'mask' | {readonly lostIn: string};

function returnsSequences({layer: {config}}: MendedLayer): boolean {
  const inner = (config['layer'] as {config?: Record<string, unknown>} | undefined)?.config;
  return (inner ?? config)['return_sequences'] === true;
}

/** Follows masks through the layers of a model, and refuses those that would not come where Keras needs them. */
export class MaskFollower {
  readonly #states = new Map<string, State>();

  /** What is wrong with the masks that a layer gets. Ask for the layers one after the other. */
  problem(mended: MendedLayer): string | undefined {
    const {layer, parts} = mended;
    const {className, config} = layer;
    if (className === 'Masking' || (className === 'Embedding' && config['mask_zero'] === true)) {
      this.#states.set(layer.name, 'mask');
      return undefined;
    }
    const given = layer.calls.flatMap(tensorsOf).flatMap(tensor => this.#states.get(tensor.layer) ?? []);
    if (given.length === 0 || END.has(className)) return undefined;
    const lost = given.find(state => state !== 'mask');
    if (className === 'GlobalAveragePooling1D')
      return 'in Keras it leaves out steps that are masked, and tfjs takes all';
    if (RECURRENT.has(className) || layer.model) {
      if (lost) return `in Keras it leaves out steps that are masked, and tfjs loses the mask in '${lost.lostIn}'`;
      if (layer.model || returnsSequences(mended))
        this.#states.set(layer.name, layer.model ? {lostIn: layer.name} : 'mask');
      return undefined;
    }
    const isHandedOn = parts.every(part => HAND_ON.has(part.className));
    this.#states.set(layer.name, lost ?? (isHandedOn ? 'mask' : {lostIn: layer.name}));
    return undefined;
  }
}
