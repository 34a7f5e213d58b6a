"""Writes the graph models of this folder with the real TensorFlow.js converter, and what TensorFlow makes of them.

    python -m venv VENV && VENV/bin/pip install -r requirements.txt
    VENV/bin/python generate.py

Each model becomes a folder with the converter's model.json and weights, and stripped.json, the same model without
attributes at their default. expected.json holds, per model, the inputs and
the outputs of the TensorFlow function before its conversion, as base64 of little-endian arrays, since JSON has no NaN.
"""

import base64
import json
import os
import shutil
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.python.framework import op_def_registry
from tensorflowjs.converters import tf_saved_model_conversion_v2 as converter

HERE = os.path.dirname(os.path.abspath(__file__))
RAW = tf.raw_ops
FLOAT = tf.float32

# Outputs are equal bit by bit unless their name says that they hold a sum, whose order is open, or a convolution.
SUMS = ("dmin", "dmax", "conv")


def spec(*shape, dtype=FLOAT, name):
    return tf.TensorSpec(shape, dtype, name=name)


# --- inputs -----------------------------------------------------------------------------------------------------------

EDGES = [0.0, -0.0, np.nan, np.inf, -np.inf, 1e-40, -1e-40, 0.5, -0.5, 6.0, -6.0, 1.0, -1.0, 0.49999997, 2.5, 100.0]


def values(shape, seed, edges=True, spread=4.0):
    """Random float32 numbers, of which the first are the awkward ones."""
    x = np.random.default_rng(seed).normal(0, spread, shape).astype(np.float32)
    if edges:
        x.reshape(-1)[: len(EDGES)] = EDGES
    return x


def gradients(shape, seed):
    return values(shape, seed, edges=False, spread=1.0)


def scalar(value, dtype=np.float32):
    return np.array(value, dtype)


X = values((5, 13), 1)
DY = gradients((5, 13), 2)
FINITE = values((5, 13), 3, edges=False)
LOW, HIGH = scalar(-1.7), scalar(3.3)
LOWS = np.array([-1, -2.5, 0, 1, -3, -0.1, -6, -1, -1.5, 0, -2, -8, -1e-3], np.float32)
HIGHS = np.array([1, 0.3, 0, 2, -1, 7, 6, 0, 3.3, 255, 2, 8, 1e-3], np.float32)

XSPEC = spec(5, 13, name="x")
DYSPEC = spec(5, 13, name="dy")
RANGE = [spec(name="min"), spec(name="max")]
RANGES = [spec(13, name="min"), spec(13, name="max")]

NARROW4 = {"num_bits": 4, "narrow_range": True}
WIDE16 = {"num_bits": 16, "narrow_range": False}


def outputs_named(prefix, tensors):
    return {f"{prefix}_{name}": tensor for name, tensor in zip(("dx", "dmin", "dmax"), tensors)}


# --- one model per family, every op in the main graph -----------------------------------------------------------------


def args(x, dy):
    narrow = {"min": -1.37, "max": 0.1, **NARROW4}
    return {
        "plain": RAW.FakeQuantWithMinMaxArgs(inputs=x),
        "narrow": RAW.FakeQuantWithMinMaxArgs(inputs=x, **narrow),
        "plain_dx": RAW.FakeQuantWithMinMaxArgsGradient(gradients=dy, inputs=x),
        "narrow_dx": RAW.FakeQuantWithMinMaxArgsGradient(gradients=dy, inputs=x, **narrow),
    }


def with_range(forward, gradient):
    def family(x, dy, min, max):
        return {
            "plain": forward(inputs=x, min=min, max=max),
            "narrow": forward(inputs=x, min=min, max=max, **NARROW4),
            "wide": forward(inputs=x, min=min, max=max, **WIDE16),
            **outputs_named("plain", gradient(gradients=dy, inputs=x, min=min, max=max)),
            **outputs_named("narrow", gradient(gradients=dy, inputs=x, min=min, max=max, **NARROW4)),
        }

    return family


def quantize_v2(x, min, max):
    op, given = RAW.QuantizeAndDequantizeV2, {"range_given": True}
    return {
        "measured": op(input=x, input_min=min, input_max=max),
        "given": op(input=x, input_min=min, input_max=max, **given),
        "half_up": op(input=x, input_min=min, input_max=max, round_mode="HALF_UP", num_bits=3, **given),
        "unsigned": op(input=x, input_min=0.0, input_max=max, signed_input=False, num_bits=5, **given),
        "slices": op(input=x, input_min=tf.zeros(13), input_max=tf.zeros(13), axis=1, narrow_range=True),
    }


def quantize_v3(x, min, max):
    op = RAW.QuantizeAndDequantizeV3
    lows, highs = tf.constant(LOWS - 1), tf.constant(HIGHS + 1)
    return {
        "given": op(input=x, input_min=min, input_max=max, num_bits=8),
        "narrow": op(input=x, input_min=min, input_max=max, num_bits=4, narrow_range=True),
        "measured": op(input=x, input_min=min, input_max=max, num_bits=6, range_given=False),
        "unsigned": op(input=x, input_min=0.0, input_max=max, num_bits=5, signed_input=False),
        "slices": op(input=x, input_min=lows, input_max=highs, num_bits=7, axis=1),
    }


def quantize_v3_bits(x, min, max, bits):
    """The width is computed, so it is no constant of the graph."""
    return {"given": RAW.QuantizeAndDequantizeV3(input=x, input_min=min, input_max=max, num_bits=bits * 2 + 1)}


def quantize_v4(x, min, max):
    op, given = RAW.QuantizeAndDequantizeV4, {"range_given": True}
    return {
        "measured": op(input=x, input_min=min, input_max=max),
        "given": op(input=x, input_min=min, input_max=max, **given),
        "half_up": op(input=x, input_min=min, input_max=max, round_mode="HALF_UP", num_bits=3, **given),
        "unsigned": op(input=x, input_min=0.0, input_max=max, signed_input=False, num_bits=17, **given),
        "slices": op(input=x, input_min=tf.zeros(5), input_max=tf.zeros(5), axis=0, num_bits=4),
        # What Python's tf.quantization.quantize_and_dequantize_v2 emits, with its dummy bounds.
        "python": tf.quantization.quantize_and_dequantize_v2(x, 0.0, 0.0, num_bits=5),
    }


def quantize_v4_grad(x, dy, min, max):
    op = RAW.QuantizeAndDequantizeV4Grad
    lows, highs = tf.constant(LOWS), tf.constant(HIGHS)
    return {
        **outputs_named("plain", op(gradients=dy, input=x, input_min=min, input_max=max)),
        **outputs_named("slices", op(gradients=dy, input=x, input_min=lows, input_max=highs, axis=1)),
    }


# --- bodies of While and If -------------------------------------------------------------------------------------------


def while_vars(x, dy, min, max, steps):
    """Trains a range: the body uses and returns the second and third outputs."""

    def body(step, low, high, _dx, _dmin, _dmax):
        dx, dmin, dmax = RAW.FakeQuantWithMinMaxVarsGradient(gradients=dy, inputs=x, min=low, max=high, num_bits=4)
        return step + 1, low - 0.0625 * dmin, high - 0.0625 * dmax, dx, dmin, dmax

    start = (0, min, max, tf.zeros_like(x), 0.0, 0.0)
    _, low, high, dx, dmin, dmax = tf.while_loop(lambda step, *_: step < steps, body, start)
    quantized = RAW.FakeQuantWithMinMaxVars(inputs=x, min=min, max=max)
    return {"low_conv": low, "high_conv": high, "quantized": quantized, **outputs_named("last", (dx, dmin, dmax))}


def while_mixed(x, dy, min, max, steps):
    """Forward ops, V4Grad and V3 inside a body. The bounds swap places, so an output taken for another shows."""

    def body(step, y, low, high, _dx, total):
        dx, dlow, dhigh = RAW.QuantizeAndDequantizeV4Grad(gradients=dy, input=y, input_min=low, input_max=high)
        y = RAW.FakeQuantWithMinMaxVars(inputs=y, min=low, max=high, num_bits=5)
        y = RAW.QuantizeAndDequantizeV3(input=y * 0.9, input_min=low, input_max=high, num_bits=6)
        y = RAW.FakeQuantWithMinMaxArgs(inputs=y, min=-2.0, max=2.0, narrow_range=True)
        return step + 1, y, low + dlow, high + dhigh, dx, total + dlow + dhigh

    start = (0, x, min, max, tf.zeros_like(x), 0.0)
    _, y, low, high, dx, total = tf.while_loop(lambda step, *_: step < steps, body, start)
    return {"y": y, "low": low, "high": high, "dx": dx, "total": total}


def cond_channels(x, dy, min, max, flag):
    """The branches return the outputs in different orders, the second one through arithmetic."""

    def straight():
        return tuple(RAW.FakeQuantWithMinMaxVarsPerChannelGradient(gradients=dy, inputs=x, min=min, max=max))

    def crossed():
        dx, dmin, dmax = RAW.FakeQuantWithMinMaxVarsPerChannelGradient(
            gradients=dy, inputs=x, min=min, max=max, num_bits=3, narrow_range=True
        )
        return dx * 2.0, dmax, dmin + 1.0

    return outputs_named("taken", tf.cond(flag, straight, crossed))


def cond_in_while(x, dy, min, max, steps):
    """A function within a function: each turn takes the other branch."""

    def body(step, low, high, dx, dmin, dmax):
        def gradient():
            return tuple(RAW.FakeQuantWithMinMaxVarsGradient(gradients=dy, inputs=x, min=low, max=high))

        dx, dmin, dmax = tf.cond(step % 2 == 0, gradient, lambda: (dx, dmax, dmin))
        return step + 1, low, high, dx, dmin, dmax

    start = (0, min, max, tf.zeros_like(x), 0.0, 0.0)
    return outputs_named("last", tf.while_loop(lambda step, *_: step < steps, body, start)[3:])


# --- a quantization-aware network -------------------------------------------------------------------------------------


class QatNetwork(tf.Module):
    """Two convolutions and a dense layer with fake-quantized weights (per channel) and activations."""

    def __init__(self, seed):
        random = np.random.default_rng(seed)

        def weight(*shape):
            return tf.Variable(random.normal(0, 0.5, shape).astype(np.float32))

        self.kernels = [weight(3, 3, 1, 4), weight(3, 3, 4, 6)]
        self.biases = [weight(4), weight(6)]
        self.dense = weight(6, 3)
        self.ranges = [(tf.Variable(low), tf.Variable(high)) for low, high in ((-0.1, 2.3), (0.0, 3.1), (0.0, 4.7))]

    def activation(self, x, index, margins):
        low, high = self.ranges[index]
        if margins is not None:
            margins.append(distance_to_tie(x.numpy(), low.numpy(), high.numpy(), bits=4))
        return tf.quantization.fake_quant_with_min_max_vars(x, low, high, num_bits=4)

    def run(self, x, margins=None):
        y = self.activation(x, 0, margins)
        for index, (kernel, bias) in enumerate(zip(self.kernels, self.biases)):
            edge = tf.reduce_max(tf.abs(kernel), axis=[0, 1, 2])
            kernel = tf.quantization.fake_quant_with_min_max_vars_per_channel(kernel, -edge, edge, narrow_range=True)
            y = tf.nn.relu(tf.nn.conv2d(y, kernel, strides=1, padding="SAME") + bias)
            y = self.activation(y, index + 1, margins)
        return tf.reduce_mean(y, axis=[1, 2]) @ self.dense

    @tf.function(input_signature=[spec(1, 6, 6, 1, name="x")])
    def __call__(self, x):
        return {"conv": self.run(x)}


def distance_to_tie(x, low, high, bits):
    """How near, in steps, a value comes to the middle between two levels: nearer ones may fall either way."""
    steps = np.clip((x - low) * (2**bits - 1) / (high - low), -0.25, 2**bits - 0.75)
    offset = np.round(-low * (2**bits - 1) / (high - low)) + low * (2**bits - 1) / (high - low)
    return np.min(np.abs((steps + offset) % 1 - 0.5))


def qat_network():
    """The first network and image whose activations all stay clear of the ties, whatever the order of the sums."""
    for seed in range(1000):
        network = QatNetwork(seed)
        x = np.random.default_rng(seed).uniform(0, 2, (1, 6, 6, 1)).astype(np.float32)
        margins = []
        network.run(tf.constant(x), margins)
        if min(margins) > 1e-3:
            return network, x
    raise RuntimeError("no network stays clear of the ties")


# --- writing ----------------------------------------------------------------------------------------------------------


def packed(array):
    array = np.asarray(array)
    kind = {"float32": "<f4", "int32": "<i4", "bool": "u1"}[str(array.dtype)]
    return {
        "dtype": str(array.dtype),
        "shape": list(array.shape),
        "data": base64.b64encode(array.astype(kind).tobytes()).decode(),
    }


def convert(module, function, folder):
    """Saves, and converts with control flow as functions. The converter knows none of these ops but Vars."""
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as saved:
        tf.saved_model.save(module, saved, signatures=function)
        converter.convert_tf_saved_model(saved, folder, skip_op_check=True, control_flow_v2=True)


def strip_defaults(folder):
    """Writes a second topology without the attributes that have TensorFlow's default, as some writers leave them out."""
    with open(os.path.join(folder, "model.json")) as file:
        model = json.load(file)
    graph = model["modelTopology"]
    nodes = graph["node"] + [n for f in graph.get("library", {}).get("function", []) for n in f.get("nodeDef", [])]
    for node in nodes:
        if "Quant" not in node["op"]:
            continue
        for definition in op_def_registry.get(node["op"]).attr:
            default = json_format.MessageToDict(definition.default_value)
            if default and node["attr"].get(definition.name) == default:
                del node["attr"][definition.name]
    with open(os.path.join(folder, "stripped.json"), "w") as file:
        json.dump(model, file, separators=(",", ":"))


def graph_outputs(folder, keys):
    """The graph's name of each output: the converter numbers them in the order of their sorted keys."""
    with open(os.path.join(folder, "model.json")) as file:
        nodes = {node["name"] for node in json.load(file)["modelTopology"]["node"]}
    names = {key: f"Identity_{i}" if i else "Identity" for i, key in enumerate(sorted(keys))}
    if not nodes.issuperset(names.values()):
        raise RuntimeError(f"{folder}: an output has lost its Identity")
    return names


def write(name, module, function, feeds):
    """Converts `function` and returns its entry of expected.json: one case per dictionary of inputs."""
    folder = os.path.join(HERE, name)
    convert(module, function, folder)
    strip_defaults(folder)
    cases = []
    for feed in feeds:
        result = {key: tensor.numpy() for key, tensor in function(**{k: tf.constant(v) for k, v in feed.items()}).items()}
        nodes = graph_outputs(folder, result)
        outputs = {
            key: {**packed(value), "node": nodes[key], "exact": not key.endswith(SUMS)} for key, value in result.items()
        }
        cases.append({"inputs": {key: packed(value) for key, value in feed.items()}, "outputs": outputs})
    print(f"{name}: {len(cases)} cases, {', '.join(cases[0]['outputs'])}")
    return cases


def write_function(name, function, signature, feeds):
    module = tf.Module()
    module.run = tf.function(function, input_signature=signature)
    return write(name, module, module.run.get_concrete_function(), feeds)


def main():
    ranged = {"x": X, "dy": DY, "min": LOW, "max": HIGH}
    channels = {"x": X, "dy": DY, "min": LOWS, "max": HIGHS}
    measured = {"x": FINITE, "min": LOW, "max": HIGH}
    steps = spec(dtype=tf.int32, name="steps")
    loop = [{**ranged, "x": FINITE, "steps": scalar(n, np.int32)} for n in (0, 1, 3)]
    looped = [XSPEC, DYSPEC, *RANGE, steps]
    vars_family = with_range(RAW.FakeQuantWithMinMaxVars, RAW.FakeQuantWithMinMaxVarsGradient)
    channel_family = with_range(RAW.FakeQuantWithMinMaxVarsPerChannel, RAW.FakeQuantWithMinMaxVarsPerChannelGradient)

    expected = {
        "args": write_function("args", args, [XSPEC, DYSPEC], [{"x": X, "dy": DY}]),
        "vars": write_function(
            "vars",
            vars_family,
            [XSPEC, DYSPEC, *RANGE],
            [{**ranged, "min": scalar(low), "max": scalar(high)} for low, high in ((-1.7, 3.3), (1, 2), (-2, -1), (0, 0))],
        ),
        "vars_per_channel": write_function("vars_per_channel", channel_family, [XSPEC, DYSPEC, *RANGES], [channels]),
        "quantize_v2": write_function("quantize_v2", quantize_v2, [XSPEC, *RANGE], [measured]),
        "quantize_v3": write_function("quantize_v3", quantize_v3, [XSPEC, *RANGE], [measured]),
        "quantize_v3_bits": write_function(
            "quantize_v3_bits",
            quantize_v3_bits,
            [XSPEC, *RANGE, spec(dtype=tf.int32, name="bits")],
            [{**measured, "bits": scalar(bits, np.int32)} for bits in (1, 3)],
        ),
        "quantize_v4": write_function("quantize_v4", quantize_v4, [XSPEC, *RANGE], [measured]),
        "quantize_v4_grad": write_function("quantize_v4_grad", quantize_v4_grad, [XSPEC, DYSPEC, *RANGE], [ranged]),
        "while_vars": write_function("while_vars", while_vars, looped, loop),
        "while_mixed": write_function("while_mixed", while_mixed, looped, loop),
        "cond_channels": write_function(
            "cond_channels",
            cond_channels,
            [XSPEC, DYSPEC, *RANGES, spec(dtype=tf.bool, name="flag")],
            [{**channels, "flag": np.array(flag)} for flag in (True, False)],
        ),
        "cond_in_while": write_function("cond_in_while", cond_in_while, looped, loop),
    }
    network, image = qat_network()
    function = network.__call__.get_concrete_function()
    expected["qat_network"] = write("qat_network", network, function, [{"x": image}])

    with open(os.path.join(HERE, "expected.json"), "w") as file:
        json.dump(expected, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
