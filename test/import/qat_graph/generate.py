"""Writes this folder: a network that tfmot quantized and trained, as its SavedModel becomes a graph model and a .tflite.

    VENV/bin/python generate.py CONVERTER

VENV is that of test/tfmot, CONVERTER the tensorflowjs_converter of test/graph_models.

    model.json, group1-shard1of1.bin    the TensorFlow.js converter's output
    model.tflite                        what TensorFlow's own converter makes of the same SavedModel
"""

import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tfmot"))

from common import keras, np, tf, tfmot

HERE = os.path.dirname(os.path.abspath(__file__))
layers = keras.layers


def build_model():
    image = layers.Input((12, 12, 3), name="image")
    x = layers.Conv2D(8, 3, padding="same", use_bias=False, name="stem")(image)
    x = stem = layers.ReLU(name="stem_relu")(layers.BatchNormalization(name="stem_norm")(x))
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise")(x)
    x = layers.ReLU(6.0, name="depthwise_relu")(layers.BatchNormalization(name="depthwise_norm")(x))
    x = layers.Conv2D(8, 1, name="pointwise")(x)
    x = layers.Add(name="joined")([stem, x])
    x = layers.Conv2D(12, 3, strides=2, padding="same", activation="relu", name="down")(x)
    x = layers.GlobalAveragePooling2D(name="pooled")(x)
    return keras.Model(image, layers.Dense(5, activation="softmax", name="classes")(x), name="qat_graph")


def make_data(generator, count):
    """Images in sixteenths: the class's pattern and noise."""
    patterns = np.random.default_rng(5).integers(0, 16, (5, 12, 12, 3))
    labels = generator.integers(0, 5, count)
    noisy = np.rint(patterns[labels] + generator.normal(0, 6, (count, 12, 12, 3)))
    return (np.clip(noisy, 0, 15) / 16).astype(np.float32), labels


def train(model, x, labels, epochs):
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model.fit(x, labels, 32, epochs=epochs, shuffle=False, verbose=0).history["accuracy"][-1]


def main(converter):
    x, labels = make_data(np.random.default_rng(3), 512)
    original = build_model()
    accuracy = train(original, x, labels, 6), train(model := tfmot.quantization.keras.quantize_model(original), x, labels, 3)
    print("accuracy", accuracy)
    with tempfile.TemporaryDirectory() as temporary:
        saved = os.path.join(temporary, "saved")
        serve = tf.function(lambda image: {"classes": model(image, training=False)})
        signature = serve.get_concrete_function(tf.TensorSpec((None, 12, 12, 3), tf.float32, name="image"))
        tf.saved_model.save(model, saved, signatures=signature)
        lite = tf.lite.TFLiteConverter.from_saved_model(saved)
        lite.optimizations = [tf.lite.Optimize.DEFAULT]
        with open(os.path.join(HERE, "model.tflite"), "wb") as file:
            file.write(lite.convert())
        written = os.path.join(temporary, "graph")
        environment = {key: value for key, value in os.environ.items() if not key.startswith("TF_")}
        # The converter knows no FakeQuantWithMinMaxVarsPerChannel.
        options = ["--input_format=tf_saved_model", "--skip_op_check"]
        subprocess.run([converter, *options, saved, written], check=True, env=environment)
        for name in ("model.json", "group1-shard1of1.bin"):
            shutil.copy(os.path.join(written, name), HERE)


if __name__ == "__main__":
    main(*sys.argv[1:])
