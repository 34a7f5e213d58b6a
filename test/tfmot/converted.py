"""Writes converted/: a network quantized and trained by tfmot, as the TensorFlow.js converter makes a layers model of it.

    VENV/bin/python converted.py CONVERTER

CONVERTER is the tensorflowjs_converter of a second virtual environment (tensorflowjs==4.22.0 "ydf<0.12").

    model.json, group1-shard1of1.bin    the converter's output from Keras' .h5 file
    expected.json                       shape of x, x (flat), predictions (flat): what Keras predicts for x

The inputs are those of many whose activations stay farthest from ties between levels (in levels: tieMargin).
"""

import os
import shutil
import subprocess
import sys
import tempfile

from common import HERE, flat, keras, np, tfmot, write_json
from ties import TieMargin

KEPT = 16
layers = keras.layers


def build_model():
    image = layers.Input((8, 8, 1), name="image")
    x = layers.Conv2D(8, 3, padding="same", use_bias=False, name="stem")(image)
    x = stem = layers.ReLU(name="stem_relu")(layers.BatchNormalization(name="stem_norm")(x))
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise")(x)
    x = layers.ReLU(6.0, name="depthwise_relu")(layers.BatchNormalization(name="depthwise_norm")(x))
    x = layers.Conv2D(8, 1, name="pointwise")(x)
    x = layers.ReLU(name="joined_relu")(layers.Add(name="joined")([stem, x]))
    x = layers.Conv2D(12, 3, strides=2, activation="relu", name="down")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(16, activation="relu", name="hidden")(x)
    return keras.Model(image, layers.Dense(10, activation="softmax", name="classes")(x), name="converted")


def make_data(generator, count, patterns):
    """Images in sixteenths, up to 15 of them since 16 would make 8 a tie: the class's pattern and noise."""
    labels = generator.integers(0, 10, count)
    noisy = np.rint(patterns[labels] + generator.normal(0, 8, (count, 8, 8, 1)))
    return (np.clip(noisy, 0, 15) / 16).astype(np.float32), labels


def train(model, x, labels):
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model.fit(x, labels, 32, epochs=10, shuffle=False, verbose=0).history["accuracy"][-1]


def margin_of(model, image):
    with TieMargin() as margin:
        model(image[np.newaxis], training=False)
    return margin.value


def convert(model, converter, folder):
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as temporary:
        saved = os.path.join(temporary, "model.h5")
        model.save(saved, include_optimizer=False)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("TF_")}
        subprocess.run([converter, "--input_format=keras", saved, folder], check=True, env=environment)


def main(converter):
    generator = np.random.default_rng(3)
    patterns = generator.integers(0, 16, (10, 8, 8, 1))
    original = build_model()
    x, labels = make_data(generator, 640, patterns)
    accuracy = train(original, x, labels), train(model := tfmot.quantization.keras.quantize_model(original), x, labels)
    candidates, _ = make_data(generator, 200, patterns)
    margins = np.array([margin_of(model, image) for image in candidates])
    best = np.argsort(-margins)[:KEPT]
    convert(model, converter, os.path.join(HERE, "converted"))
    predictions = model.predict(candidates[best], verbose=0)
    write_json(
        "converted/expected.json",
        {
            "shape": [KEPT, 8, 8, 1],
            "x": flat(candidates[best]),
            "predictions": flat(predictions),
            "tieMargin": round(float(margins[best].min()), 6),
        },
    )
    print(f"accuracy {accuracy}, margin {margins[best].min():.2g}, predicted {predictions.argmax(1)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
