"""What the scripts of this folder share: the versions of Keras that tfmot works with, and exact, compact JSON.

Import it before anything of TensorFlow.
"""

import json
import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
# One thread, so that sums are added in one order and the data comes out the same each time.
os.environ["TF_NUM_INTEROP_THREADS"] = os.environ["TF_NUM_INTRAOP_THREADS"] = "1"

import numpy as np
import tensorflow as tf
import tf_keras as keras
import tensorflow_model_optimization as tfmot

HERE = os.path.dirname(os.path.abspath(__file__))
keras.utils.set_random_seed(7)


def decimals(values):
    """A nested list of numbers whose JSON is the shortest that reads back as the same float32."""
    array = np.asarray(values)
    if array.dtype.kind in "iu":
        return array.tolist()
    return _decimal(array) if array.ndim == 0 else [decimals(item) for item in array]


def _decimal(value):
    number = float(str(np.float32(value)))
    if np.float32(number).tobytes() != np.float32(value).tobytes():
        raise ValueError(f"{value!r} has no exact JSON")
    return int(number) if number.is_integer() and abs(number) < 1e6 and str(number) != "-0.0" else number


def flat(values):
    return decimals(np.asarray(values).reshape(-1))


def write_json(path, content):
    """Writes JSON with one line per entry of the first two levels, so that a change shows as a small difference."""
    with open(os.path.join(HERE, path), "w") as file:
        file.write(_lines(content, 2) + "\n")


def _lines(content, levels):
    if levels == 0 or not isinstance(content, (dict, list)) or not content:
        return json.dumps(content, separators=(",", ":"), allow_nan=False)
    if isinstance(content, list):
        return "[\n" + ",\n".join(_lines(item, levels - 1) for item in content) + "\n]"
    return "{\n" + ",\n".join(f"{json.dumps(key)}: {_lines(item, levels - 1)}" for key, item in content.items()) + "\n}"
