// What stands in for the reader's: a float network, images without labels, and some with.
import {input, layers, model as modelOf, randomUniform} from '@tensorflow/tfjs';

const image = input({shape: [8, 8, 1], name: 'image'});
let features = layers.conv2d({filters: 8, kernelSize: 3, useBias: false, name: 'conv'}).apply(image);
features = layers.reLU().apply(layers.batchNormalization({name: 'norm'}).apply(features));
features = layers.globalAveragePooling2d({name: 'pool'}).apply(features);
const scores = layers.dense({units: 4, activation: 'softmax', name: 'scores'}).apply(features);
const model = modelOf({inputs: image, outputs: scores});
const images = randomUniform([128, 8, 8, 1], 0, 1, 'float32', 1);
const labels = model.predict(images).argMax(1).oneHot(4);

export {images, labels, model};
