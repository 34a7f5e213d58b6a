"""Writes models.json.gz: small models of Keras 3 and Keras 2 as the TensorFlow.js converter writes them, and what Keras predicts.

    VENV/bin/python generate.py

VENV is that of ../graph_models (the converter comes with Keras 3 and tf_keras). For each model: its model.json; the
weights in base64; the inputs, and Keras's outputs for them, as float32 in base64 with their shapes. `.keras` files go
through the converter's own format for those, `.h5` files through the other.
"""

import base64
import gzip
import json
import os
import sys
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tf_keras
from tensorflowjs.converters import converter

import networks

HERE = os.path.dirname(os.path.abspath(__file__))
IN_KERAS_FORMAT = ("images", "words", "nested", "recurrent", "normalized", "shared")


def fill(model, generator):
    """Weights that no layer starts with."""
    for weight in model.weights:
        path = getattr(weight, "path", weight.name)
        value = generator.normal(0, 0.5, weight.shape)
        if any(part in path for part in ("gamma", "variance")):
            value = np.abs(value) + 0.5
        if "count" not in path and "seed" not in path:
            weight.assign(value.astype(weight.dtype if isinstance(weight.dtype, str) else weight.dtype.as_numpy_dtype))


    for layer in model.layers:
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()


def inputs_of(model, generator):
    def values(tensor):
        shape = [2, *tensor.shape[1:]]
        if "int" in str(tensor.dtype):
            return generator.integers(0, 4, shape).astype(np.int32)
        x = generator.normal(0, 1.5, shape).astype(np.float32)
        # Steps that Masking leaves out.
        if len(shape) == 3:
            x[0, 1] = 0
        return x

    return [values(tensor) for tensor in model.inputs]


def flat(outputs):
    if isinstance(outputs, dict):
        return [outputs[key] for key in sorted(outputs)]
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]


def stored(array):
    array = np.asarray(array)
    kind = np.int32 if array.dtype.kind in "iu" else np.float32
    return {
        "shape": list(array.shape),
        "dtype": "int32" if kind is np.int32 else "float32",
        "data": base64.b64encode(array.astype("<i4" if kind is np.int32 else "<f4").tobytes()).decode(),
    }


def converted(model, suffix):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model" + suffix)
        model.save(path)
        out = os.path.join(folder, "out")
        converter.convert(["--input_format", "keras" if suffix == ".h5" else "keras_keras", "--output_format", "tfjs_layers_model", path, out])
        with open(os.path.join(out, "model.json")) as file:
            artifacts = json.load(file)
        weights = b""
        for group in artifacts["weightsManifest"]:
            for name in group["paths"]:
                with open(os.path.join(out, name), "rb") as file:
                    weights += file.read()
    return {"json": artifacts, "weights": base64.b64encode(weights).decode()}


def main():
    only = sys.argv[1:]
    written = {}
    for framework, name in ((keras, "keras3"), (tf_keras, "keras2")):
        for network, build in networks.of(framework, framework is keras).items():
            if only and network not in only:
                continue
            framework.backend.clear_session()
            generator = np.random.default_rng(len(network))
            try:
                model = build()
                fill(model, generator)
                inputs = inputs_of(model, generator)
                given = dict(zip(sorted(model.input), inputs)) if network == 'dictionary' else inputs
                outputs = flat(model(given if isinstance(given, dict) or len(inputs) > 1 else inputs[0], training=False))
                io = {"inputs": [stored(x) for x in inputs], "outputs": [stored(y) for y in outputs]}
            except Exception as error:
                print(name, network, "NOT BUILT:", str(error)[:300], file=sys.stderr)
                continue
            for suffix in (".h5", ".keras"):
                if suffix == ".keras" and network not in IN_KERAS_FORMAT:
                    continue
                try:
                    written[f"{name}/{network}{suffix}"] = {**converted(model, suffix), **io}
                except BaseException as error:
                    print(name, network, suffix, "NOT CONVERTED:", str(error)[:300], file=sys.stderr)
    with open(os.path.join(HERE, "models.json.gz"), "wb") as file:
        file.write(gzip.compress(json.dumps(written).encode(), 9, mtime=0))
    print(len(written), "models")


main()
