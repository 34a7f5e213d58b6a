"""Writes blocks.json: blocks of Keras's layers as the real TensorFlow.js converter spells them, and what Keras makes of them.

    python -m venv VENV && VENV/bin/pip install -r ../graph_models/requirements.txt
    VENV/bin/python generate.py
"""

import base64
import json
import os
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np
import tensorflow as tf
import tf_keras
from tensorflowjs.converters import tf_saved_model_conversion_v2 as converter

HERE = os.path.dirname(os.path.abspath(__file__))
IMAGES = (4, 6, 2)
STEPS = (5, 4)
ROWS = (6,)


def chain(shape, *layers, dtype="float32"):
    """Layers one after the other."""

    def build(k):
        made = [layer(k) for layer in layers]
        x = y = k.Input(shape, dtype=dtype)
        for layer in made:
            y = layer(y)
        return k.Model(x, y)

    return build


def layer(name, *args, **options):
    """A layer of Keras, by name."""
    return lambda k: getattr(k.layers, name)(*args, **options)


def activation(name):
    return layer("Activation", name)


def squeezed(k):
    """A squeeze-and-excite block."""
    x = k.Input(IMAGES)
    y = k.layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    gate = k.layers.GlobalAveragePooling2D(keepdims=True)(y)
    gate = k.layers.Conv2D(2, 1, activation="relu")(gate)
    gate = k.layers.Conv2D(4, 1, activation="hard_sigmoid")(gate)
    return k.Model(x, k.layers.Multiply()([y, gate]))


def residual(k):
    """A bottleneck as MobileNet v2 has it, with a residual."""
    x = k.Input(IMAGES)
    y = k.layers.Conv2D(6, 1, use_bias=False)(x)
    y = k.layers.ReLU(6.0)(k.layers.BatchNormalization()(y))
    y = k.layers.DepthwiseConv2D(3, padding="same", use_bias=False)(y)
    y = k.layers.ReLU(6.0)(k.layers.BatchNormalization()(y))
    y = k.layers.BatchNormalization()(k.layers.Conv2D(2, 1, use_bias=False)(y))
    return k.Model(x, k.layers.Add()([x, y]))


def attention(k):
    x = k.Input(STEPS)
    return k.Model(x, k.layers.MultiHeadAttention(2, 3)(x, x))


def gelu(k):
    x = k.Input(IMAGES)
    return k.Model(x, k.activations.gelu(k.layers.Conv2D(4, 3)(x), approximate=True))


def upper(k):
    """A U-Net of one step."""
    x = k.Input(IMAGES)
    a = k.layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    b = k.layers.Conv2D(4, 3, padding="same", activation="relu")(k.layers.MaxPooling2D()(a))
    b = k.layers.Conv2DTranspose(4, 2, strides=2)(b)
    return k.Model(x, k.layers.Conv2D(2, 1, activation="softmax")(k.layers.Concatenate()([a, b])))


BLOCKS = {
    "attention": attention,
    "batch_norm_of_rows": chain(ROWS, layer("BatchNormalization"), layer("Dense", 3)),
    "batch_norm_of_steps": chain(STEPS, layer("BatchNormalization"), activation("relu")),
    "before_activation": chain(IMAGES, layer("BatchNormalization"), activation("relu"), layer("Conv2D", 2, 3)),
    "conv1d": chain(STEPS, layer("Conv1D", 3, 3, padding="same", activation="relu")),
    "conv1d_causal": chain(STEPS, layer("Conv1D", 3, 3, padding="causal"), layer("BatchNormalization")),
    "conv2d_dilated": chain(IMAGES, layer("Conv2D", 4, 3, dilation_rate=2, padding="same", activation="relu")),
    "conv3d": chain((3, 4, 3, 2), layer("Conv3D", 3, 2, activation="relu"), layer("GlobalAveragePooling3D")),
    "cropping1d": chain(STEPS, layer("Cropping1D", (1, 2))),
    "dense_of_images": chain(IMAGES, layer("Dense", 4, activation="relu")),
    "dense_of_steps": chain(STEPS, layer("Dense", 3, activation="relu")),
    "depthwise_multiplied": chain(IMAGES, layer("DepthwiseConv2D", 3, depth_multiplier=2), layer("BatchNormalization")),
    "embedding": chain((5,), layer("Embedding", 7, 3), layer("GlobalAveragePooling1D"), dtype="int32"),
    "gelu": gelu,
    "layer_norm": chain(STEPS, layer("LayerNormalization")),
    "pooling1d": chain(STEPS, layer("MaxPooling1D", 2), layer("GlobalMaxPooling1D")),
    "repeat": chain(ROWS, layer("RepeatVector", 3)),
    "residual": residual,
    "separable": chain(IMAGES, layer("SeparableConv2D", 4, 3, padding="same", activation="relu")),
    "softmax_over_rows": chain(IMAGES, layer("Softmax", axis=1)),
    "squeeze_and_excite": squeezed,
    "swish": chain(IMAGES, layer("Conv2D", 4, 3), layer("BatchNormalization"), activation("swish")),
    "u_net": upper,
    "up_sampling": chain(IMAGES, layer("UpSampling2D", 2), layer("Conv2D", 2, 3)),
    "up_sampling_bilinear": chain(IMAGES, layer("UpSampling2D", 2, interpolation="bilinear"), layer("Conv2D", 2, 3)),
    "up_sampling1d": chain(STEPS, layer("UpSampling1D", 2)),
    "zero_padding": chain(IMAGES, layer("ZeroPadding2D", ((0, 1), (2, 0))), layer("Conv2D", 4, 3, strides=2)),
    "zero_padding1d": chain(STEPS, layer("ZeroPadding1D", (1, 2))),
}

# Keras 2 normalizes layers with FusedBatchNormV3 in training, which tfjs does not.
NOT_RUN = ("layer_norm_keras2",)

RNG = np.random.default_rng(14)


def weights_of(model):
    """Weights that leave nothing as it is; what may be a variance stays above 0."""
    return [RNG.uniform(0.3, 1.3, w.shape).astype(np.float32) if "norm" in path else w + RNG.normal(0, 0.2, w.shape) for w, path in
            ((w, v.path if hasattr(v, "path") else v.name) for w, v in zip(model.get_weights(), model.weights))]


def values(shape, whole):
    """Values for an input, which the specs make as well."""
    places = np.arange(np.prod(shape)).reshape(shape)
    return (places % 7).astype(np.int32) if whole else (2 * np.sin(places * 0.7 + 0.3)).astype(np.float32)


def packed(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def lean(topology):
    """Without notes of shapes and devices and the place of constants, which tfjs does not read."""
    for node in topology["node"]:
        node.pop("device", None)
        attrs = node.get("attr", {})
        for name in [name for name in attrs if name.startswith("_") or name == "value"]:
            del attrs[name]
    topology.pop("library", None)
    return json.loads(json.dumps(topology).replace("StatefulPartitionedCall/", ""))


def convert(model, export, inputs):
    with tempfile.TemporaryDirectory() as folder:
        export(f"{folder}/saved")
        converter.convert_tf_saved_model(f"{folder}/saved", f"{folder}/graph")
        with open(f"{folder}/graph/model.json") as file:
            graph = json.load(file)
        shards = [path for group in graph["weightsManifest"] for path in group["paths"]]
        data = b"".join(open(f"{folder}/graph/{path}", "rb").read() for path in shards)
    weights = [spec for group in graph["weightsManifest"] for spec in group["weights"]]
    outputs = np.array(model(inputs))
    return {
        "topology": lean(graph["modelTopology"]),
        "weights": json.loads(json.dumps(weights).replace("StatefulPartitionedCall/", "")),
        "data": base64.b64encode(data).decode(),
        "input": {"shape": inputs.shape, "dtype": inputs.dtype.name},
        "output": {"shape": outputs.shape, "data": packed(outputs)},
    }


def blocks(k, export):
    for name, build in BLOCKS.items():
        k.utils.set_random_seed(len(name))
        try:
            model = build(k)
        except (TypeError, ValueError, AttributeError):
            continue  # Keras 2 lacks it
        model.set_weights(weights_of(model))
        (x,) = model.inputs
        inputs = values((2, *x.shape[1:]), "int" in str(x.dtype))
        try:
            yield name, convert(model, lambda path, model=model: export(model, path), inputs)
        except ValueError as error:
            print(f"{name} of {k.__name__} is not there: {error}")  # The converter refuses what tfjs cannot run


def main():
    found = dict(blocks(keras, lambda model, path: model.export(path, verbose=False)))
    older = dict(blocks(tf_keras, lambda model, path: tf.saved_model.save(model, path)))

    def spelled(block):
        return [node["op"] for node in block["topology"]["node"]]

    # Of Keras 2, those that are spelled otherwise.
    found.update({f"{name}_keras2": block for name, block in older.items() if spelled(block) != spelled(found.get(name, block))})
    for name in NOT_RUN:
        found.pop(name)
    with open(os.path.join(HERE, "blocks.json"), "w") as file:
        json.dump(found, file, separators=(",", ":"))


if __name__ == "__main__":
    main()
