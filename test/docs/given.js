// What stands in for the reader's: a float network, images without labels, and some with.
import * as tf from '@tensorflow/tfjs';

const image = tf.input({shape: [8, 8, 1], name: 'image'});
let features = tf.layers.conv2d({filters: 8, kernelSize: 3, useBias: false, name: 'conv'}).apply(image);
features = tf.layers.reLU().apply(tf.layers.batchNormalization({name: 'norm'}).apply(features));
features = tf.layers.globalAveragePooling2d({name: 'pool'}).apply(features);
const scores = tf.layers.dense({units: 4, activation: 'softmax', name: 'scores'}).apply(features);
const model = tf.model({inputs: image, outputs: scores});
const images = tf.randomUniform([128, 8, 8, 1], 0, 1, 'float32', 1);
const labels = model.predict(images).argMax(1).oneHot(4);

export {images, labels, model};
