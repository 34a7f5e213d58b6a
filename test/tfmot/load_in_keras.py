"""Loads a layers model that TensorFlow.js saved into Keras, compares predictions, and trains it on there.

    VENV/bin/python load_in_keras.py MODEL_JSON EXPECTED_JSON [SAVED_H5]

MODEL_JSON is what `model.save` or the converter wrote, with its weight files next to it: a model quantized with
scheme 'tfmot'. EXPECTED_JSON holds shape and x, the input, and predictions, what TensorFlow.js predicts for it, all flat.
The exit status tells whether Keras predicts the same. SAVED_H5 gets the Keras model, before it is trained further;
converted.py shows its way back.
"""

import json
import os
import sys

from common import keras, np, tfmot

TOLERANCE = 1e-6
# Where classes come from is given by quantize_scope; TensorFlow.js changes the case of these names.
KERAS_3_KEYS = ("module", "registered_name", "build_config")


def load_model(path):
    with open(path) as file:
        content = json.load(file)
    topology = content["modelTopology"]
    config = without_keras_3_keys(topology.get("model_config", topology))
    with tfmot.quantization.keras.quantize_scope():
        model = keras.models.model_from_config(config)
    assign(model, read_weights(content["weightsManifest"], os.path.dirname(path)))
    return model


def without_keras_3_keys(config):
    if isinstance(config, list):
        return [without_keras_3_keys(item) for item in config]
    if isinstance(config, dict):
        return {key: without_keras_3_keys(value) for key, value in config.items() if key not in KERAS_3_KEYS}
    return config


def read_weights(manifest, folder):
    """Name -> array, of all groups, each of which is one run of bytes cut into files."""
    weights = {}
    for group in manifest:
        data = b"".join(read_bytes(os.path.join(folder, path)) for path in group["paths"])
        for entry in group["weights"]:
            if "quantization" in entry:
                raise ValueError(f"{entry['name']} is stored quantized: save the model without that")
            shape, dtype = entry["shape"], np.dtype(entry["dtype"])
            size = int(np.prod(shape)) * dtype.itemsize
            weights[entry["name"]] = np.frombuffer(data[:size], dtype).reshape(shape)
            data = data[size:]
        if data:
            raise ValueError(f"{group['paths']} hold {len(data)} bytes that belong to no weight")
    return weights


def read_bytes(path):
    with open(path, "rb") as file:
        return file.read()


def assign(model, weights):
    """Gives every variable its weight, whether named after the wrapper (quant_X/kernel) or the wrapped layer (X/kernel)."""
    left = dict(weights)
    for layer in model.layers:
        for variable in layer.weights:
            names = [f"{owner.name}/{last_part(variable)}" for owner in (getattr(layer, "layer", layer), layer)]
            found = next((name for name in names if name in left), None)
            if found is None:
                raise ValueError(f"no weight for {variable.name}: neither {' nor '.join(names)}")
            variable.assign(left.pop(found))
    if left:
        raise ValueError(f"no variable for {', '.join(left)}")


def last_part(variable):
    return variable.name.split(":")[0].split("/")[-1]


def train_on(model, x, predictions):
    """One step towards the predicted classes; says how much of the model moved."""
    before = [variable.numpy() for variable in model.weights]
    model.compile("adam", "sparse_categorical_crossentropy")
    loss = model.train_on_batch(x, predictions.argmax(-1))
    moved = sum(not np.array_equal(old, new.numpy()) for old, new in zip(before, model.weights))
    return f"a training step in Keras: loss {loss:.4f}, {moved} of {len(before)} variables moved"


def main(model_path, expected_path, saved_path=None):
    model = load_model(model_path)
    with open(expected_path) as file:
        expected = json.load(file)
    x = np.array(expected["x"], np.float32).reshape(expected["shape"])
    predictions = model.predict(x, verbose=0)
    difference = np.abs(predictions.reshape(-1) - np.array(expected["predictions"], np.float32)).max()
    print(f"largest difference of {predictions.size} predictions: {difference:.2g}")
    if saved_path:
        model.save(saved_path, include_optimizer=False)
    print(train_on(model, x, predictions))
    return difference <= TOLERANCE


if __name__ == "__main__":
    sys.exit(not main(*sys.argv[1:]))
