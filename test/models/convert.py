"""Has TensorFlow's converter make int8 files of a Keras model, for comparison with this package's.

    python convert.py MODEL CALIBRATION FOLDER

MODEL is HDF5, or a model.json of layers. CALIBRATION is a file of float32 images, in sets of COUNT; FOLDER gets 0.tflite, 1.tflite, … Needs TensorFlow
with tf_keras: the Python of test/graph_models.
"""

import os
import sys
from pathlib import Path

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import tf_keras  # noqa: E402


def load(path):
    if path.endswith(".json"):
        from tensorflowjs.converters import load_keras_model

        return load_keras_model(path)
    return tf_keras.models.load_model(path, compile=False)


def convert(model, images):
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image[None]] for image in images)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    return converter.convert()


def main():
    path, calibration, count, folder = sys.argv[1:]
    model = load(path)
    sets = np.fromfile(calibration, "<f4").reshape(-1, int(count), *model.input_shape[1:])
    for i, images in enumerate(sets):
        (Path(folder) / f"{i}.tflite").write_bytes(convert(model, images))


main()
