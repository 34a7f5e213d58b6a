/** What each of Keras's classes of layers becomes. */
import {addActivation} from './activations';
import type {Ask} from './ask';
import {activationOf, isRegistered, ownActivation} from './fields';
import {addOwn, type Harmless, isOne, refuseUnread, type Rule} from './own';
import * as standIns from './stand_ins';
import {dims, handOn} from './stand_ins';
import {upSampling} from './up_sampling';
import {bidirectional, rnn, timeDistributed} from './wrappers';

/** A class that tfjs has, too. */
interface Row {
  /** The fields that it reads. */
  readonly reads: string;
  /** Values of further fields that change nothing, and of fields that it ignores. */
  readonly harmless?: Harmless;
  /** Makes the parts; the layer itself, if left out. */
  readonly rule?: Rule;
}

const CONV =
  'filters kernel_size strides padding data_format dilation_rate groups activation use_bias kernel_initializer bias_initializer ' +
  'kernel_regularizer bias_regularizer activity_regularizer kernel_constraint bias_constraint';

const DEPTHWISE = `${CONV} depth_multiplier depthwise_initializer depthwise_regularizer depthwise_constraint`;
const SEPARABLE = `${DEPTHWISE} pointwise_initializer pointwise_regularizer pointwise_constraint`;
const CELL =
  'units activation recurrent_activation use_bias kernel_initializer recurrent_initializer bias_initializer unit_forget_bias ' +
  'kernel_regularizer recurrent_regularizer bias_regularizer activity_regularizer kernel_constraint recurrent_constraint ' +
  'bias_constraint dropout recurrent_dropout';

const RNN = `${CELL} return_sequences return_state go_backwards stateful unroll time_distributed input_length input_dim`;
const NORM =
  'axis epsilon center scale beta_initializer gamma_initializer beta_regularizer gamma_regularizer beta_constraint gamma_constraint';

const POOL = 'pool_size strides padding data_format';
const noDilation = {dilation_rate: isOne};
const noGroups = {groups: isOne};
const layerNormalization: Rule = ask => {
  const {axis} = ask.config;
  const axes = [axis ?? -1].flat() as number[];
  for (const field of ['beta_constraint', 'gamma_constraint']) {
    if (ask.config[field]) ask.refuseField(field, 'tfjs takes no notice of that', 'Save the model without it');
  }
  return addOwn(ask, {changes: {axis: axes.length === 1 ? axes[0] : axes}});
};

const batchNormalization: Rule = ask => {
  const {axis} = ask.config;
  if (!Array.isArray(axis)) return addOwn(ask);
  if (axis.length !== 1) return ask.refuseField('axis', 'tfjs normalizes along one');
  return addOwn(ask, {changes: {axis: axis[0] as unknown}});
};

const gru: Rule = ask => {
  // Left out, it was not there: Keras before 2.1.
  if (ask.config['reset_after'] === true) {
    return ask.refuseField(
      'reset_after',
      'tfjs has no such GRU',
      `Train it with reset_after=False; or c${AS_GRAPH_TAIL}`,
    );
  }
  return addOwn(ask);
};

const AS_GRAPH_TAIL =
  'onvert the model to a graph model (tensorflowjs_converter --output_format=tfjs_graph_model), and import that';

const ROWS: Readonly<Record<string, Row>> = {
  Activation: {
    reads: 'activation',
    rule: ask => {
      const activation = activationOf(ask.config['activation']);
      const own = activation && !activation.config ? ownActivation(activation.name, ask.isKeras3) : undefined;
      return own === undefined ? addActivation(ask, ask.config['activation'], 0) : addOwn(ask);
    },
  },
  ActivityRegularization: {reads: 'l1 l2', rule: handOn},
  Add: {reads: ''},
  AlphaDropout: {reads: 'rate noise_shape'},
  Average: {reads: ''},
  AveragePooling1D: {reads: POOL.replace(' data_format', '')},
  AveragePooling2D: {reads: POOL},
  AveragePooling3D: {reads: POOL},
  BatchNormalization: {
    reads: `${NORM} momentum moving_mean_initializer moving_variance_initializer`,
    rule: batchNormalization,
  },
  Bidirectional: {reads: 'layer merge_mode backward_layer', rule: bidirectional},
  CenterCrop: {reads: 'height width data_format', rule: standIns.centerCrop},
  Concatenate: {reads: 'axis'},
  Conv1D: {reads: CONV.replace(' data_format', ''), rule: standIns.conv1d},
  Conv1DTranspose: {
    reads: CONV,
    harmless: {
      dilation_rate: isOne,
      output_padding: value => value === null,
      data_format: value => value === 'channels_last',
    },
    rule: standIns.asImages('Conv2DTranspose', (_, {filters}) => Number(filters)),
  },
  Conv2D: {reads: CONV, rule: standIns.convolution},
  Conv2DTranspose: {reads: CONV, harmless: {...noDilation, ...noGroups}},
  Conv3D: {reads: CONV, harmless: noGroups},
  Conv3DTranspose: {reads: CONV, harmless: {...noDilation, ...noGroups}},
  ConvLSTM2D: {reads: `${RNN} ${CONV}`, harmless: noGroups},
  Cropping1D: {
    reads: 'cropping',
    rule: standIns.stepsAsImages('Cropping2D', ({cropping}) => ({cropping: [dims(cropping, 2), [0, 0]]})),
  },
  Cropping2D: {reads: 'cropping data_format'},
  Dense: {reads: `${CELL} input_dim`},
  DepthwiseConv1D: {
    reads: DEPTHWISE,
    harmless: {...noDilation, data_format: value => value === 'channels_last'},
    rule: standIns.asImages(
      'DepthwiseConv2D',
      (channels, config) => channels * Number(config['depth_multiplier'] ?? 1),
    ),
  },
  DepthwiseConv2D: {reads: DEPTHWISE, harmless: {...noDilation, ...noGroups}},
  Dot: {reads: 'axes normalize'},
  Dropout: {reads: 'rate noise_shape'},
  ELU: {reads: 'alpha', harmless: {alpha: isOne}},
  Embedding: {
    reads:
      'input_dim output_dim embeddings_initializer embeddings_regularizer activity_regularizer embeddings_constraint mask_zero input_length',
  },
  Flatten: {reads: 'data_format'},
  GRU: {reads: RNN, rule: gru},
  GRUCell: {reads: CELL, rule: gru},
  GaussianDropout: {reads: 'rate'},
  GaussianNoise: {reads: 'stddev'},
  GlobalAveragePooling1D: {reads: 'data_format keepdims', rule: standIns.pooling(1)},
  GlobalAveragePooling2D: {reads: 'data_format keepdims', rule: standIns.pooling(2)},
  GlobalAveragePooling3D: {reads: 'data_format keepdims', rule: standIns.pooling(3)},
  GlobalMaxPooling1D: {reads: 'data_format keepdims', rule: standIns.pooling(1)},
  GlobalMaxPooling2D: {reads: 'data_format keepdims', rule: standIns.pooling(2)},
  GlobalMaxPooling3D: {reads: 'data_format keepdims', rule: standIns.pooling(3)},
  Identity: {reads: '', rule: handOn},
  LSTM: {reads: RNN},
  LSTMCell: {reads: CELL},
  LayerNormalization: {reads: NORM, rule: layerNormalization},
  LayerScale: {reads: 'init_values projection_dim', rule: standIns.layerScale},
  LeakyReLU: {
    reads: 'alpha negative_slope',
    rule: ask => {
      const {negative_slope: slope, alpha} = ask.config;
      return addOwn(ask, {changes: {negative_slope: undefined, alpha: slope ?? alpha}});
    },
  },
  Masking: {reads: 'mask_value'},
  MaxPooling1D: {reads: POOL.replace(' data_format', '')},
  MaxPooling2D: {reads: POOL},
  MaxPooling3D: {reads: POOL},
  Maximum: {reads: ''},
  Minimum: {reads: ''},
  Multiply: {reads: ''},
  Normalization: {reads: 'axis mean variance invert', rule: standIns.normalization},
  PReLU: {reads: 'alpha_initializer alpha_regularizer alpha_constraint shared_axes'},
  Permute: {reads: 'dims'},
  RNN: {reads: `${RNN} cell`, rule: rnn},
  ReLU: {reads: 'max_value negative_slope threshold', rule: standIns.relu},
  RepeatVector: {reads: 'n'},
  Rescaling: {
    reads: 'scale offset',
    rule: ask => {
      const {scale, offset} = ask.config;
      return Array.isArray(scale) || Array.isArray(offset) ? standIns.addAffine(ask, scale, offset ?? 0) : addOwn(ask);
    },
  },
  Reshape: {reads: 'target_shape'},
  SeparableConv1D: {
    reads: SEPARABLE,
    harmless: {...noGroups, data_format: value => value === 'channels_last'},
    rule: standIns.asImages('SeparableConv2D', (_, {filters}) => Number(filters)),
  },
  SeparableConv2D: {
    reads: SEPARABLE,
    harmless: {...noGroups, data_format: value => value === 'channels_last'},
    rule: ask => addOwn(ask, {changes: standIns.KERNEL_FIELDS}),
  },
  SimpleRNN: {reads: RNN},
  SimpleRNNCell: {reads: CELL},
  Softmax: {reads: 'axis'},
  SpatialDropout1D: {reads: 'rate'},
  SpatialDropout2D: {reads: 'rate data_format', rule: standIns.spatialDropout([null, 1, 1, null])},
  SpatialDropout3D: {reads: 'rate data_format', rule: standIns.spatialDropout([null, 1, 1, 1, null])},
  Subtract: {reads: '', rule: standIns.subtract},
  ThresholdedReLU: {reads: 'theta'},
  TimeDistributed: {reads: 'layer', rule: timeDistributed},
  UpSampling1D: {
    reads: 'size',
    rule: standIns.stepsAsImages('UpSampling2D', ({size}) => ({size: [dims(size, 1)[0], 1]})),
  },
  UpSampling2D: {reads: 'size data_format interpolation', rule: upSampling},
  ZeroPadding1D: {
    reads: 'padding',
    harmless: {data_format: value => value === 'channels_last'},
    rule: standIns.stepsAsImages('ZeroPadding2D', ({padding}) => ({padding: [dims(padding, 2), [0, 0]]})),
  },
  ZeroPadding2D: {reads: 'padding data_format'},
};

/** What is random while a model is trained, and hands on what it is given when it predicts: augmentations of images, above all. */
const AUGMENTING = new Set(
  (
    'AugMix AutoContrast CutMix Equalization MixUp RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter ' +
    'RandomContrast RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale RandomHeight RandomHue ' +
    'RandomInvert RandomPerspective RandomPosterization RandomRotation RandomSaturation RandomSharpness RandomShear ' +
    'RandomTranslation RandomWidth RandomZoom StochasticDepth'
  ).split(' '),
);

/** tfjs's classes that compute something else than Keras's of the same name. */
const OTHERS = new Set(['CategoryEncoding', 'Resizing']);

/** Makes the parts of a layer. */
export function applyRule(ask: Ask): void {
  const {className} = ask.layer;
  if (Object.hasOwn(ROWS, className)) {
    const row = ROWS[className]!;
    const {zero_output_for_mask: zeroes} = ask.config;
    const harmless = {zero_output_for_mask: () => zeroes !== true || !ask.around.hasMasks, ...row.harmless};
    refuseUnread(ask, row.reads, harmless);
    if (row.rule) row.rule(ask);
    else addOwn(ask);
  } else if (AUGMENTING.has(className)) handOn(ask);
  else if (isRegistered(className) && !OTHERS.has(className)) addOwn(ask);
  else {
    const bare = className.split('>').at(-1)!;
    if (bare !== className && isRegistered(bare)) addOwn(ask, {className: bare});
    else
      ask.refuse(
        'tfjs has no such class',
        `Register it with tf.serialization.registerClass, leave it out (cut the model in Keras), or c${AS_GRAPH_TAIL}`,
      );
  }
}

/** Whether a class is none of Keras's, so that nobody here knows its weights. */
export function isCustom(className: string): boolean {
  return !Object.hasOwn(ROWS, className) && !AUGMENTING.has(className) && className !== 'InputLayer';
}
