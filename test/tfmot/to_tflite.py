"""Writes converted.tflite: what TensorFlow's own converter makes of the network in converted/.

    VENV/bin/python to_tflite.py
"""

import os

from common import HERE, tf
from load_in_keras import load_model

model = load_model(os.path.join(HERE, "converted", "model.json"))
converter = tf.lite.TFLiteConverter.from_keras_model(model)
converter.optimizations = [tf.lite.Optimize.DEFAULT]
with open(os.path.join(HERE, "converted.tflite"), "wb") as file:
    file.write(converter.convert())
