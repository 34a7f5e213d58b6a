"""Writes cases.json.gz and data.bin.gz: inputs, and what TensorFlow makes of them.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python generate.py

Learned scales have no kernel in TensorFlow: theirs is a formula in its ops, and its automatic differentiation.

Every expected output is TensorFlow's own, from its eager CPU kernels; formulas here only place inputs where they hurt: on the
bounds of a grid, halfway between its levels, and one float beside either. Running it again writes the same data.

cases.json.gz holds {"tensorflow", "cases"}; a case is {"name", "op", "attrs", "inputs", "outputs"}, a tensor {"shape", "at",
"length"}: `length` float32 values, little-endian, from index `at` of data.bin.gz, repeated in turn where the shape asks for more.

Left out, because TensorFlow has no answer worth keeping:
- QuantizeAndDequantizeV4, unsigned, with a measured range below zero: no scale fits, and it returns values near 1e35.
- QuantizeAndDequantizeV4, one bit, signed, narrow: the grid has the single level 0, and it returns infinities and NaN.
- QuantizeAndDequantizeV4 with a scalar range that is NaN or min > max: refused, so there is no output.
- QuantizeAndDequantizeV4 with a measured range of nothing but 0, -0 and denormals: which of the zeros is the greatest, and so the
  sign of every output, depends on their order.
- FakeQuantWithMinMaxVarsPerChannel on a scalar: aborts the process.
- Gradients on a learned scale that is no positive number: there are none.

TensorFlow counts denormals as 0; few other machines do. Only cases with "denormal" in their name depend on it.
"""

import collections
import gzip
import json
import math
import os
import pathlib
import zlib

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf

F = np.float32
NAN, INF = math.nan, math.inf
HERE = pathlib.Path(__file__).parent

RANGES = {
    "[0, 1]": (0, 1),
    "[-6, 6]": (-6, 6),
    "lopsided": (-0.1, 3.7),
    "mostly negative": (-5.3, 0.7),
    "positive": (1, 2),
    "negative": (-2, -1),
    "far from zero": (100, 100.5),
    "1e-6": (-1e-6, 3e-6),
    "1e-20": (-2e-20, 1e-20),
    "1e-30": (-1e-30, 2.5e-30),
    "1e-36": (-1e-36, 3e-36),
    "1e-38 (denormal steps)": (-2e-38, 5e-38),
    "1e20": (-1e20, 3e20),
    "1e38": (-1e38, 2e38),
    "wider than float32": (-3e38, 3e38),
}

DEGENERATE = {
    "0/0": (0, 0),
    "-0/0": (-0.0, 0),
    "1/1": (1, 1),
    "-1/-1": (-1, -1),
    "2/1": (2, 1),
    "1/-1": (1, -1),
    "-1/-2": (-1, -2),
    "NaN/1": (NAN, 1),
    "-1/NaN": (-1, NAN),
    "NaN/NaN": (NAN, NAN),
    "-Infinity/1": (-INF, 1),
    "-1/Infinity": (-1, INF),
    "-Infinity/Infinity": (-INF, INF),
    "Infinity/-Infinity": (INF, -INF),
    "Infinity/Infinity": (INF, INF),
    "-Infinity/-Infinity": (-INF, -INF),
    "denormal/denormal": (-1e-40, 1e-40),
    "same denormal": (1e-40, 1e-40),
    "denormal/1": (1e-40, 1),
    "-1/denormal": (-1, 1e-40),
    "0/denormal": (0, 1e-40),
    "denormal, swapped": (1e-40, -1e-40),
}

SHAPES = [
    (), (0,), (1,), (3,), (4,), (5,), (257,), (1, 1), (3, 5), (4, 4), (0, 4), (2, 0, 3), (7, 1, 3), (2, 3, 257), (2, 1, 3, 2),
    (1, 2, 3, 2, 2), (2, 1, 2, 3, 1, 2), (257, 1), (2, 4, 1),
]
AXIS_SHAPES = [(5,), (3, 4), (5, 1), (2, 4, 1), (2, 3, 4), (2, 3, 2, 3), (2, 1, 3, 2, 2), (1, 2, 2, 3, 2, 2)]
EMPTY_AXES = [((0,), 0), ((0, 3), 1), ((3, 0), 0), ((3, 0), 1), ((2, 0, 3), 0), ((2, 0, 3), 1)]


# --- TensorFlow -------------------------------------------------------------------------------------------------------------

raw = tf.raw_ops


def bits_of(attrs):
    return {"num_bits": attrs["numBits"], "narrow_range": attrs["narrowRange"]}


def args(attrs, inputs):
    return [raw.FakeQuantWithMinMaxArgs(inputs=inputs, min=attrs["min"], max=attrs["max"], **bits_of(attrs))]


def args_gradient(attrs, gradients, inputs):
    return [raw.FakeQuantWithMinMaxArgsGradient(
        gradients=gradients, inputs=inputs, min=attrs["min"], max=attrs["max"], **bits_of(attrs))]


def vars_(attrs, inputs, min, max):
    return [raw.FakeQuantWithMinMaxVars(inputs=inputs, min=min, max=max, **bits_of(attrs))]


def vars_gradient(attrs, gradients, inputs, min, max):
    return raw.FakeQuantWithMinMaxVarsGradient(gradients=gradients, inputs=inputs, min=min, max=max, **bits_of(attrs))


def per_channel(attrs, inputs, min, max):
    """TensorFlow knows only the last axis; the wanted one is moved there and back."""
    last = np.moveaxis(inputs, attrs["axis"], -1)
    y = raw.FakeQuantWithMinMaxVarsPerChannel(inputs=last, min=min, max=max, **bits_of(attrs))
    return [np.moveaxis(y.numpy(), -1, attrs["axis"])]


def per_channel_gradient(attrs, gradients, inputs, min, max):
    axis = attrs["axis"]
    dx, dmin, dmax = raw.FakeQuantWithMinMaxVarsPerChannelGradient(
        gradients=np.moveaxis(gradients, axis, -1), inputs=np.moveaxis(inputs, axis, -1), min=min, max=max, **bits_of(attrs))
    return [np.moveaxis(dx.numpy(), -1, axis), dmin, dmax]


def quantize_and_dequantize(attrs, input, inputMin, inputMax):
    """V4 refuses a given range along an axis; V3 computes it, though only with ties to even, and slice by slice V4 does too."""
    axis, given, half_up = attrs["axis"], attrs["rangeGiven"], attrs["roundMode"] == "HALF_UP"
    common = {"signed_input": attrs["signedInput"], "range_given": given, "narrow_range": attrs["narrowRange"]}

    def v4(x, low, high, axis):
        return raw.QuantizeAndDequantizeV4(
            input=x, input_min=low, input_max=high, axis=axis, num_bits=attrs["numBits"], round_mode=attrs["roundMode"], **common)

    if axis < 0 or not given:
        return [v4(input, inputMin, inputMax, axis)]
    if not half_up:
        return [raw.QuantizeAndDequantizeV3(
            input=input, input_min=inputMin, input_max=inputMax, axis=axis, num_bits=attrs["numBits"], **common)]
    slices = np.moveaxis(input, axis, 0)
    done = [v4(x, low, high, -1).numpy() for x, low, high in zip(slices, inputMin, inputMax)]
    return [np.moveaxis(np.reshape(done, slices.shape), 0, axis)]


def quantize_and_dequantize_grad(attrs, gradients, input, inputMin, inputMax):
    return raw.QuantizeAndDequantizeV4Grad(
        gradients=gradients, input=input, input_min=inputMin, input_max=inputMax, axis=attrs["axis"])


def learned_levels(attrs):
    bits, narrow = attrs["numBits"], attrs["narrowRange"]
    if attrs["symmetric"]:
        return -2 ** (bits - 1) + narrow, 2 ** (bits - 1) - 1
    return 0, 2**bits - 1 - narrow


def across(x, channels, axis):
    """One value per slice along the axis, spread over the elements of x; or the one for all; or none."""
    if channels is None or axis is None:
        return None if channels is None else tf.broadcast_to(channels, x.shape)
    return tf.broadcast_to(tf.reshape(channels, [-1 if i == axis else 1 for i in range(len(x.shape))]), x.shape)


def flush(x):
    x = tf.convert_to_tensor(x)
    return tf.where(tf.abs(x) < TINY, x * 0, x)


Learned = collections.namedtuple("Learned", "y inside below above lowest extent level")


def learned_parts(attrs, x, scale, offset):
    """The formula in float32, one rounding per op: all tensors have the shape of x."""
    qmin, qmax = learned_levels(attrs)
    extent = tf.constant(qmax - qmin, tf.float32)
    x, scale, offset = flush(x), flush(scale), None if offset is None else flush(offset)
    scale = tf.where(scale > 0, scale, NAN)
    lowest = tf.fill(x.shape, F(qmin))
    if offset is not None:
        scale = tf.where(tf.math.is_nan(offset), NAN, scale)
        lowest = tf.clip_by_value(tf.floor(offset * (1 / scale) + 0.5), -extent, 0)
    low, high = lowest * scale, (lowest + extent) * scale
    below, above, inside = x < low, x > high, (x >= low) & (x <= high)
    level = tf.round(tf.where(below, low, tf.where(above, high, x)) * (1 / scale))
    return Learned(level * scale, inside, below, above, lowest, extent, level)


def double(x):
    return tf.cast(x, tf.float64)


def through(value, smooth):
    """The value, with the derivative of what it was rounded or clamped from."""
    return smooth + tf.stop_gradient(double(value) - smooth)


def learned(attrs, inputs, scale, offset=None):
    axis = attrs.get("axis")
    return [learned_parts(attrs, inputs, across(inputs, scale, axis), across(inputs, offset, axis)).y]


def learned_gradient(attrs, gradients, inputs, scale, offset=None):
    """The formula once more, differentiated by TensorFlow. What it rounds and where x lies come from float32; the rest is
    float64, so that the detours of differentiation, such as scale / scale, round away. dy multiplies the derivatives, as in
    TensorFlow's own gradient kernels: outside, NaN in dy stays NaN."""
    axis = attrs.get("axis")
    scales, offsets = across(inputs, scale, axis), across(inputs, offset, axis)
    parts = learned_parts(attrs, inputs, scales, offsets)
    x, s, *o = variables = [double(each) for each in (inputs, scales, offsets) if each is not None]
    with tf.GradientTape() as tape:
        tape.watch(variables)
        lowest = through(parts.lowest, o[0] / s) if o else double(parts.lowest)
        low, high = lowest * s, (lowest + double(parts.extent)) * s
        none = tf.constant(NAN, tf.float64)
        clipped = tf.where(parts.inside, x, tf.where(parts.below, low, tf.where(parts.above, high, none)))
        y = through(parts.level, clipped / s) * s
    slopes = [tf.cast(each, tf.float32) for each in tape.gradient(y, variables, unconnected_gradients="zero")]
    dx = gradients * slopes[0]
    others = [i for i in range(len(inputs.shape)) if i != axis]
    sums = [tf.cast(tf.reduce_sum(double(gradients) * double(each), others), tf.float32) for each in slopes[1:]]
    return [dx, *sums]


OPS = {
    "FakeQuantWithMinMaxArgs": args,
    "FakeQuantWithMinMaxArgsGradient": args_gradient,
    "FakeQuantWithMinMaxVars": vars_,
    "FakeQuantWithMinMaxVarsGradient": vars_gradient,
    "FakeQuantWithMinMaxVarsPerChannel": per_channel,
    "FakeQuantWithMinMaxVarsPerChannelGradient": per_channel_gradient,
    "QuantizeAndDequantizeV4": quantize_and_dequantize,
    "QuantizeAndDequantizeV4Grad": quantize_and_dequantize_grad,
    "FakeQuantWithLearnedScale": learned,
    "FakeQuantWithLearnedScaleGradient": learned_gradient,
    "FakeQuantWithLearnedRange": learned,
    "FakeQuantWithLearnedRangeGradient": learned_gradient,
}
ARGS, ARGS_GRADIENT, VARS, VARS_GRADIENT, CHANNEL, CHANNEL_GRADIENT, QDQ, QDQ_GRADIENT, *LEARNED = OPS


# --- The files --------------------------------------------------------------------------------------------------------------

class Golden:
    def __init__(self):
        self.cases, self.names = [], set()
        self.data, self.places = bytearray(), {}

    def tensor(self, values, shape=None):
        values = np.asarray(values, F)
        flat = np.where(np.isnan(values), F(NAN), values).ravel()  # one NaN: its sign and payload are nobody's promise
        key = flat.tobytes()
        if key not in self.places:
            self.places[key] = len(self.data) // 4
            self.data += key
        return {"shape": list(values.shape if shape is None else shape), "at": self.places[key], "length": flat.size}

    def record(self, name, op, attrs, inputs, outputs):
        name = f"{op}: {name}"
        assert name not in self.names, name
        self.names.add(name)
        self.cases.append({"name": name, "op": op, "attrs": attrs, "inputs": inputs, "outputs": outputs})

    def add(self, name, op, attrs, **inputs):
        inputs = {key: np.asarray(value, F) for key, value in inputs.items()}
        outputs = [np.asarray(y) for y in OPS[op](attrs, **inputs)]
        self.record(name, op, attrs, {key: self.tensor(x) for key, x in inputs.items()}, [self.tensor(y) for y in outputs])

    def add_tiled(self, name, op, attrs, shape, tiled, **rest):
        """A huge tensor that repeats a pattern: TensorFlow computes all of it, the file holds one period."""
        full = {key: np.resize(np.asarray(x, F), shape) for key, x in tiled.items()}
        period = len(next(iter(tiled.values())))
        outputs = []
        for y in OPS[op](attrs, **full, **{key: np.asarray(x, F) for key, x in rest.items()}):
            y = np.asarray(y)
            head = y.ravel()[:period] if y.shape == shape else y
            assert y.shape != shape or np.array_equal(np.resize(head, shape), y, equal_nan=True), name
            outputs.append(self.tensor(head, y.shape))
        inputs = {key: self.tensor(x, shape) for key, x in tiled.items()} | {key: self.tensor(x) for key, x in rest.items()}
        self.record(name, op, attrs, inputs, outputs)

    def write(self):
        lines = ",\n".join(json.dumps(case, separators=(",", ":"), allow_nan=False) for case in self.cases)
        text = f'{{"tensorflow":"{tf.__version__}","cases":[\n{lines}\n]}}\n'
        sizes = {}
        for name, content in {"cases.json.gz": text.encode(), "data.bin.gz": self.data}.items():
            sizes[name] = (HERE / name).write_bytes(gzip.compress(content, mtime=0))
        for op, count in collections.Counter(case["op"] for case in self.cases).items():
            print(f"{op:45}{count:6}")
        print(f"{'cases':45}{len(self.cases):6}")
        for name, size in sizes.items():
            print(f"{f'bytes: {name}':45}{size:6}")


# --- Values -----------------------------------------------------------------------------------------------------------------

TINY = np.finfo(F).smallest_normal
SPECIAL = [NAN, INF, -INF, 0.0, -0.0, 3e38, -3e38]
DENORMALS = np.array([0.5, 1e-40, -1e-40, 1e-45, -1e-45, 1e-38, -1e-38, 0.0, -0.0, TINY, -TINY, -0.5], F)


def random(*seed):
    return np.random.Generator(np.random.PCG64(zlib.crc32(repr(seed).encode())))


def beside(values):
    """The values and their float32 neighbours, of 0 the nearest that is not denormal."""
    values = np.asarray(values, F)
    near = np.concatenate([values, np.nextafter(values, F(-INF)), np.nextafter(values, F(INF))])
    return np.where((near != 0) & (np.abs(near) < TINY), np.copysign(TINY, near), near)


def sane(low, high):
    """A range to draw inputs from, also where the range under test is none."""
    low, high = sorted((float(F(low)), float(F(high)))) if math.isfinite(low) and math.isfinite(high) else (-1.0, 1.0)
    return (low, high) if high - low > 1e-39 else (low - 1, high + 1)


def inputs_on(size, edges, origin, step, levels, low, high):
    """`size` floats: edges and midpoints of a grid with their neighbours, specials, and what is left at random around the range."""
    rng = random(size, edges, step, levels)
    with np.errstate(over="ignore"):
        ties = origin + (rng.integers(*levels, 8) + 0.5) * step
        width = high - low
        spread = rng.uniform(low - 0.15 * width, high + 0.15 * width, max(size, 80)).astype(F)
        first = np.concatenate([beside(edges), beside(ties), SPECIAL]).astype(F)
    if size < len(first):
        return rng.permutation(first)[:size]
    return rng.permutation(np.concatenate([first, spread[:size - len(first)]]))


def fake_quant_inputs(low, high, bits=8, narrow=False, size=72):
    low, high = sane(low, high)
    steps = 2**bits - 1 - narrow
    step = (high - low) / steps
    zero = min(max(round(-low / step), 0), steps)
    nudged = (-zero * step, (steps - zero) * step)
    return inputs_on(size, (*nudged, low, high), nudged[0], step, (0, steps), *nudged)


def symmetric_grid(low, high, bits, signed, narrow):
    """The grid of QuantizeAndDequantize: its first and last level, and its step."""
    first = -2**(bits - 1) + narrow if signed else 0
    last = 2**(bits - 1) - 1 if signed else 2**bits - 1
    steps = [bound / level for bound, level in ((low, first), (high, last)) if bound * level > 0]
    return first, last, max(steps, default=1.0)


def symmetric_inputs(low, high, bits=8, signed=True, narrow=False, size=72):
    low, high = sane(low, high)
    first, last, step = symmetric_grid(low, high, bits, signed, narrow)
    return inputs_on(size, (first * step, last * step, low, high), 0, step, (first, max(last, first + 1)), low, high)


def measured_inputs(low, high, *grid, size=72):
    """Inputs whose extremes are the range, so nothing beyond it and nothing that is not finite."""
    x = np.clip(symmetric_inputs(low, high, *grid, size=size), F(low), F(high))
    x[np.isnan(x) | (low == high)] = low
    if size > 1:
        x[0], x[-1] = low, high
    return x


def slopes(size, seed=0):
    """Incoming gradients, multiples of 1/256: their sums are exact in whatever order they are taken."""
    return (random("slopes", size, seed).integers(-1024, 1025, size) / 256).astype(F)


def axis_inputs(shape, axis, pool, make):
    """The bounds, [2, slices], and the inputs of any shape: slices along the axis take their ranges from the pool in turn."""
    ranges = [pool[i % len(pool)] for i in range(shape[axis])]
    others = [d for i, d in enumerate(shape) if i != axis % len(shape)]
    slices = np.reshape([make(low, high, size=math.prod(others)) for low, high in ranges], (len(ranges), *others))
    return np.asarray(ranges, F).reshape(-1, 2).T, np.moveaxis(slices.astype(F), 0, axis)


def plain(value):
    return float(F(value))


def fake_quant_attrs(bits, narrow, **more):
    return {**more, "numBits": bits, "narrowRange": narrow}


def grid_name(bits, narrow):
    return f"{bits} bits{', narrow' if narrow else ''}"


BITS = [(bits, narrow) for bits in range(2, 17) for narrow in (False, True)]


# --- FakeQuant per tensor ---------------------------------------------------------------------------------------------------

def fake_quant(golden, name, low, high, bits, narrow, x, ops):
    """The same input through forward and gradient, with the range as attributes and as tensors."""
    dy = slopes(x.size).reshape(x.shape)
    attrs = fake_quant_attrs(bits, narrow)
    bounds = {"min": plain(low), "max": plain(high)}
    for op in ops:
        gradients = {"gradients": dy} if op.endswith("Gradient") else {}
        if op in (ARGS, ARGS_GRADIENT):
            golden.add(name, op, {**bounds, **attrs}, **gradients, inputs=x)
        else:
            golden.add(name, op, attrs, **gradients, inputs=x, **bounds)


def fake_quant_cases(golden):
    every = (ARGS, ARGS_GRADIENT, VARS, VARS_GRADIENT)
    for bits, narrow in BITS:
        for title, ops in (("[-6, 6]", every), ("lopsided", every), ("positive", (ARGS, VARS))):
            low, high = RANGES[title]
            name = f"{title}, {grid_name(bits, narrow)}"
            fake_quant(golden, name, low, high, bits, narrow, fake_quant_inputs(low, high, bits, narrow), ops)
    for title, (low, high) in RANGES.items():
        for bits, narrow in ((8, False), (4, True)):
            name = f"range {title}, {grid_name(bits, narrow)}"
            fake_quant(golden, name, low, high, bits, narrow, fake_quant_inputs(low, high, bits, narrow), every)
    for title, (low, high) in DEGENERATE.items():
        for bits, narrow in ((8, False), (3, True)):
            name = f"degenerate {title}, {grid_name(bits, narrow)}"
            fake_quant(golden, name, low, high, bits, narrow, fake_quant_inputs(low, high, bits, narrow), (VARS, VARS_GRADIENT))
    for shape in SHAPES:
        x = fake_quant_inputs(-0.7, 1.9, 5, size=math.prod(shape)).reshape(shape)
        fake_quant(golden, f"shape {list(shape)}", -0.7, 1.9, 5, False, x, every)


def odd_slopes(size):
    """Incoming gradients that are not finite, or far from 1, each for its own case."""
    ones = slopes(size)
    spots = np.arange(size) % 7 == 3
    return {
        "NaN in dy": np.where(spots, F(NAN), ones),
        "Infinity in dy": np.where(spots, F(INF), ones),
        "-Infinity in dy": np.where(spots, F(-INF), ones),
        "both infinities in dy": np.where(spots, F(INF), np.where(np.roll(spots, 1), F(-INF), ones)),
        "dy near 1e30": ones * F(2.0**100),
        "dy near 1e-30": ones * F(2.0**-100),
        "dy of 0 and -0": np.copysign(F(0), ones),
    }


def fake_quant_slope_cases(golden):
    low, high = -0.7, 1.9
    x = fake_quant_inputs(low, high, 6)
    inside = np.linspace(-0.5, 1.5, 72, dtype=F)
    bounds, attrs = {"min": plain(low), "max": plain(high)}, fake_quant_attrs(6, False)
    for title, dy in odd_slopes(72).items():
        golden.add(title, ARGS_GRADIENT, {**bounds, **attrs}, gradients=dy, inputs=x)
        golden.add(title, VARS_GRADIENT, attrs, gradients=dy, inputs=x, **bounds)
        golden.add(f"{title}, all inside", VARS_GRADIENT, attrs, gradients=dy, inputs=inside, **bounds)
        golden.add(f"{title}, 0/0", VARS_GRADIENT, attrs, gradients=dy, inputs=x, min=0, max=0)


# --- FakeQuant per channel --------------------------------------------------------------------------------------------------

def columns(ranges, bits, narrow, rows=24):
    """[rows, channels]: every channel on a grid of its own."""
    return np.stack([fake_quant_inputs(low, high, bits, narrow, size=72)[:rows] for low, high in ranges], axis=-1)


def channel_pair(golden, name, ranges, bits, narrow, axis, x, ops=(CHANNEL, CHANNEL_GRADIENT)):
    low, high = np.asarray(ranges, F).reshape(-1, 2).T
    attrs = fake_quant_attrs(bits, narrow, axis=axis)
    for op in ops:
        gradients = {"gradients": slopes(x.size).reshape(x.shape)} if op == CHANNEL_GRADIENT else {}
        golden.add(name, op, attrs, **gradients, inputs=x, min=low, max=high)


def channel_cases(golden):
    mixed = [RANGES["[-6, 6]"], RANGES["lopsided"], RANGES["negative"]]
    apart = [RANGES["positive"], RANGES["1e-6"], RANGES["1e20"]]
    extreme = [RANGES["1e-20"], RANGES["far from zero"], RANGES["1e20"], RANGES["1e-30"]]
    both = (CHANNEL, CHANNEL_GRADIENT)
    for bits, narrow in BITS:
        for title, ranges, ops in (("everyday", mixed, both), ("far apart", apart, both), ("extreme", extreme, (CHANNEL,))):
            x = columns(ranges, bits, narrow)
            channel_pair(golden, f"{title} ranges, {grid_name(bits, narrow)}", ranges, bits, narrow, -1, x, ops)
    for title, odd in DEGENERATE.items():
        ranges = [mixed[0], odd, mixed[1]]
        channel_pair(golden, f"one channel degenerate {title}", ranges, 8, False, 1, columns(ranges, 8, False))
    for title in ("1e-36", "1e-38 (denormal steps)", "1e38", "wider than float32"):
        ranges = [RANGES[title], mixed[1]]
        channel_pair(golden, f"one channel {title}", ranges, 8, False, 1, columns(ranges, 8, False))
    channel_pair(golden, "all channels 0/0", [(0, 0)] * 3, 8, False, -1, columns([(0, 0)] * 3, 8, False))


def channel_shape_cases(golden):
    pool = [RANGES["lopsided"], RANGES["[-6, 6]"], (0, 0), RANGES["negative"], RANGES["positive"]]
    whole = [(shape, axis) for shape in AXIS_SHAPES for axis in range(-len(shape), len(shape))]
    odd = [((1,), 0), ((257,), 0), ((1, 1), 1), ((4, 4), 0), ((3, 5), 1), ((7, 1, 3), 1), ((7, 1, 3), -1), ((257, 3), 0)]
    for shape, axis in whole + odd + [((2, 3, 257), 1), ((2, 3, 257), 2)] + EMPTY_AXES:
        bounds, x = axis_inputs(shape, axis, pool, lambda *r, size: fake_quant_inputs(*r, 5, size=size))
        channel_pair(golden, f"shape {list(shape)}, axis {axis}", bounds.T, 5, False, axis, x)


def channel_slope_cases(golden):
    ranges = [RANGES["lopsided"], (0, 0), RANGES["[-6, 6]"]]
    x = columns(ranges, 6, False)
    low, high = np.asarray(ranges, F).T
    attrs = fake_quant_attrs(6, False, axis=1)
    for title, dy in odd_slopes(72).items():
        golden.add(title, CHANNEL_GRADIENT, attrs, gradients=dy.reshape(x.shape), inputs=x, min=low, max=high)


# --- QuantizeAndDequantize --------------------------------------------------------------------------------------------------

QDQ_BITS = (1, 2, 3, 4, 8, 16, 17, 24, 31)
ROUND_MODES = ("HALF_TO_EVEN", "HALF_UP")


def qdq_attrs(signed=True, bits=8, given=True, mode="HALF_TO_EVEN", narrow=False, axis=-1):
    return {"signedInput": signed, "numBits": bits, "rangeGiven": given, "roundMode": mode, "narrowRange": narrow, "axis": axis}


def qdq(golden, name, x, low, high, bits=8, signed=True, narrow=False, given=True, axis=-1, modes=ROUND_MODES):
    if not given:
        low, high = np.zeros_like(low, F), np.zeros_like(high, F)
    for mode in modes:
        attrs = qdq_attrs(signed, bits, given, mode, narrow, axis)
        kind = f"{'signed' if signed else 'unsigned'} {grid_name(bits, narrow)}, {'given' if given else 'measured'}, {mode}"
        golden.add(f"{name}, {kind}", QDQ, attrs, input=x, inputMin=low, inputMax=high)


def qdq_cases(golden):
    for bits in QDQ_BITS:
        for signed, narrow in ((True, False), (True, True), (False, False)):
            if (bits, signed, narrow) == (1, True, True):
                continue
            for title in ("lopsided", "mostly negative"):
                low, high = RANGES[title]
                grid = (bits, signed, narrow)
                qdq(golden, title, symmetric_inputs(low, high, *grid), low, high, *grid)
                if title == "lopsided":
                    qdq(golden, title, measured_inputs(low, high, *grid), low, high, *grid, given=False)
    for title, (low, high) in RANGES.items():
        for signed in (True, False):
            name = f"range {title}"
            qdq(golden, name, symmetric_inputs(low, high, 8, signed), low, high, signed=signed)
            if signed or high > 0:
                qdq(golden, name, measured_inputs(low, high, 8, signed), low, high, signed=signed, given=False)
    low, high = RANGES["lopsided"]
    qdq(golden, "narrow is ignored", symmetric_inputs(low, high, 8, False), low, high, signed=False, narrow=True)
    for shape in SHAPES:
        name, size = f"shape {list(shape)}", math.prod(shape)
        x = symmetric_inputs(-0.7, 1.9, 5, size=size).reshape(shape)
        qdq(golden, name, x, -0.7, 1.9, 5, modes=ROUND_MODES[:1])
        x = measured_inputs(-0.7, 1.9, 5, size=size).reshape(shape)
        qdq(golden, name, x, -0.7, 1.9, 5, given=False, modes=ROUND_MODES[1:])


def qdq_degenerate_cases(golden):
    for title, (low, high) in DEGENERATE.items():
        if not low <= high:
            continue
        for signed in (True, False):
            x = symmetric_inputs(low, high, 8, signed)
            qdq(golden, f"degenerate {title}", x, low, high, signed=signed)
    usual = measured_inputs(-1, 2, 8)
    odd = {
        "NaN among": np.where(np.arange(72) % 9 == 4, F(NAN), usual),
        "NaN first": np.where(np.arange(72) < 9, F(NAN), usual),
        "NaN last": np.where(np.arange(72) > 60, F(NAN), usual),
        "all NaN": np.full(9, NAN),
        "one Infinity": np.where(np.arange(72) == 9, F(INF), usual),
        "one -Infinity": np.where(np.arange(72) == 9, F(-INF), usual),
        "both infinities": np.where(np.arange(72) == 9, F(INF), np.where(np.arange(72) == 40, F(-INF), usual)),
        "all Infinity": np.full(9, INF),
        "all 0": np.zeros(9),
        "all -0": np.full(9, -0.0),
        "all 3": np.full(9, 3),
    }
    for title, x in odd.items():
        for signed in (True, False):
            if signed or np.nanmax(x, initial=0) > 0:
                qdq(golden, f"measured, {title}", x, 0, 0, signed=signed, given=False, modes=ROUND_MODES[:1])
    qdq(golden, "measured, all -3", np.full(9, -3), 0, 0, given=False)


def qdq_axis_cases(golden):
    pool = [RANGES["lopsided"], RANGES["[-6, 6]"], RANGES["mostly negative"], RANGES["positive"], (0, 0)]
    upward = [RANGES["lopsided"], RANGES["[-6, 6]"], RANGES["positive"]]
    whole = [(shape, axis) for shape in AXIS_SHAPES for axis in range(len(shape))]
    for index, (shape, axis) in enumerate(whole + EMPTY_AXES + [((40, 3), 1), ((3, 257), 0), ((2, 3, 257), 1)]):
        name, signed, mode = f"shape {list(shape)}, axis {axis}", index % 3 > 0, ROUND_MODES[index % 2:][:1]
        (low, high), x = axis_inputs(shape, axis, pool, lambda *r, size: symmetric_inputs(*r, 4, signed, size=size))
        qdq(golden, name, x, low, high, 4, signed, axis=axis)
        (low, high), x = axis_inputs(shape, axis, pool, lambda *r, size: measured_inputs(*r, 4, True, size=size))
        qdq(golden, name, x, low, high, 4, given=False, axis=axis, modes=mode)
    for bits in QDQ_BITS:
        (low, high), x = axis_inputs((30, 3), 1, upward, lambda *r, size: symmetric_inputs(*r, bits, False, size=size))
        qdq(golden, "by column", x, low, high, bits, False, axis=1)
        (low, high), x = axis_inputs((30, 3), 1, upward, lambda *r, size: measured_inputs(*r, bits, False, size=size))
        qdq(golden, "by column", x, low, high, bits, False, given=False, axis=1)
    for title, odd in DEGENERATE.items():
        x = np.stack([symmetric_inputs(*r) for r in (pool[0], odd, pool[1])])[:, :36]
        low, high = np.asarray([pool[0], odd, pool[1]], F).T
        qdq(golden, f"one slice degenerate {title}", x, low, high, axis=0, modes=ROUND_MODES[:1])


def qdq_gradient(golden, name, x, low, high, axis=-1, dy=None):
    dy = slopes(x.size).reshape(x.shape) if dy is None else dy
    golden.add(name, QDQ_GRADIENT, {"axis": axis}, gradients=dy, input=x, inputMin=low, inputMax=high)


def qdq_gradient_cases(golden):
    pool = [RANGES["lopsided"], RANGES["[-6, 6]"], (0, 0), RANGES["negative"]]
    for title, (low, high) in (RANGES | DEGENERATE).items():
        qdq_gradient(golden, f"range {title}", symmetric_inputs(low, high), low, high)
        ranges = np.asarray([pool[0], (low, high), pool[1]], F)
        x = np.stack([symmetric_inputs(*r) for r in ranges])[:, :36]
        qdq_gradient(golden, f"one slice {title}", x, *ranges.T, axis=0)
    for shape in SHAPES:
        x = symmetric_inputs(-0.7, 1.9, 5, size=math.prod(shape)).reshape(shape)
        qdq_gradient(golden, f"shape {list(shape)}", x, -0.7, 1.9)
    whole = [(shape, axis) for shape in AXIS_SHAPES for axis in range(len(shape))]
    for shape, axis in whole + EMPTY_AXES + [((40, 3), 1), ((2, 3, 257), 1)]:
        (low, high), x = axis_inputs(shape, axis, pool, symmetric_inputs)
        qdq_gradient(golden, f"shape {list(shape)}, axis {axis}", x, low, high, axis)
    for title, dy in odd_slopes(72).items():
        qdq_gradient(golden, title, symmetric_inputs(-0.7, 1.9), -0.7, 1.9, dy=dy)


# --- Learned scales ---------------------------------------------------------------------------------------------------------

LEARNED_FORMS = {"symmetric": (True, None), "from 0": (False, None), "with a low end": (False, -0.31)}


def learned_attrs(bits, narrow, symmetric, axis=None):
    return {"numBits": bits, "narrowRange": narrow, "symmetric": symmetric} | ({} if axis is None else {"axis": axis})


def learned_inputs(attrs, scale, offset=None, size=72):
    scale = float(scale) if 0 < scale < 1e38 else 0.01
    lowest, highest = learned_levels(attrs)
    if offset is not None:
        with np.errstate(over="ignore"):
            nearest = np.nan_to_num(np.clip(np.floor(offset / scale + 0.5), lowest - highest, 0))
        lowest, highest = nearest, nearest + highest - lowest
    low, high = lowest * scale, highest * scale
    edges = (low, high, *([offset] if offset is not None and np.isfinite(offset) else []))
    return inputs_on(size, edges, 0, scale, (lowest, highest), low, high)


def learned_pair(golden, name, attrs, x, scale, offset=None, dy=None, gradient=True):
    """Forward with NaN among the inputs, and the gradient without: it would make the scale's NaN."""
    op, op_gradient = LEARNED[:2] if offset is None else LEARNED[2:]
    grid = {"scale": scale} | ({} if offset is None else {"offset": offset})
    if dy is None:
        dy = slopes(x.size).reshape(x.shape)
        golden.add(name, op, attrs, inputs=x, **grid)
    if gradient:
        golden.add(name, op_gradient, attrs, gradients=dy, inputs=np.nan_to_num(x, nan=0.3, posinf=INF, neginf=-INF), **grid)


def learned_cases(golden):
    for form, (symmetric, start) in LEARNED_FORMS.items():
        def pair(title, scale, bits, narrow, size=72):
            attrs = learned_attrs(bits, narrow, symmetric)
            offset = None if start is None else F(start * (2**bits - 1 - narrow)) * F(scale)
            x = learned_inputs(attrs, scale, offset, size)
            learned_pair(golden, f"{form}, scale {title}, {grid_name(bits, narrow)}", attrs, x, F(scale), offset)

        for bits, narrow in BITS:
            pair("of an everyday range", 1.9 / (2**bits - 1), bits, narrow)
            pair("2^-5", 2**-5, bits, narrow)
        for title in ("1.3e-38", "1e-36", "1e-30", "1e-20", "1e-6", "1e6", "1e20", "1e35"):
            pair(title, float(title), 8, False)
            pair(title, float(title), 4, True)
        attrs = learned_attrs(5, False, symmetric)
        offset = None if start is None else F(start)
        for shape in SHAPES:
            x = learned_inputs(attrs, 0.04, offset, math.prod(shape)).reshape(shape)
            learned_pair(golden, f"{form}, shape {list(shape)}", attrs, x, F(0.04), offset)
        x = learned_inputs(attrs, 0.04, offset)
        for title, dy in odd_slopes(72).items():
            learned_pair(golden, f"{form}, {title}", attrs, x, F(0.04), offset, dy)
        learned_pair(golden, f"{form}, denormal inputs", attrs, DENORMALS, F(0.04), offset)
        for title in ("0", "-0", "-1", "NaN", "Infinity", "-Infinity", "1e-40", "-1e-40", "3e38"):
            scale = F(title)
            x = learned_inputs(attrs, scale, offset, 40)
            learned_pair(golden, f"{form}, scale {title}", attrs, x, scale, offset, gradient=False)


def learned_offset_cases(golden):
    attrs = learned_attrs(4, False, False)
    for title in ("0", "-0", "0.03", "100", "-0.01", "-0.02", "-0.06", "-0.58", "-0.6", "-0.62", "-100", "-1e-40", "1e-40", "-1e38"):
        learned_pair(golden, f"low end {title}", attrs, learned_inputs(attrs, 0.04, float(title)), F(0.04), F(title))
    for title in ("NaN", "Infinity", "-Infinity"):
        x = learned_inputs(attrs, 0.04, float(title))
        learned_pair(golden, f"low end {title}", attrs, x, F(0.04), F(title), gradient=False)


def learned_axis_cases(golden):
    pool = [(0.04, -0.3), (2**-5, 0), (3, -7), (1e-6, -1e-5), (0.5, 1)]
    whole = [(shape, axis) for shape in AXIS_SHAPES for axis in range(len(shape))]
    odd = [((1,), 0), ((257,), 0), ((1, 1), 1), ((4, 4), 0), ((3, 5), 1), ((7, 1, 3), 1), ((257, 3), 0), ((40, 3), 1)]
    for index, (shape, axis) in enumerate(whole + odd + [((3, 257), 0), ((2, 3, 257), 1), ((2, 3, 257), 2)] + EMPTY_AXES):
        name, bits, narrow = f"shape {list(shape)}, axis {axis}", 3 + index % 3, index % 2 == 0
        for symmetric in (True, False):
            attrs = learned_attrs(bits, narrow, symmetric, axis)
            (scale, _), x = axis_inputs(shape, axis, pool, lambda s, _, size: learned_inputs(attrs, s, size=size))
            learned_pair(golden, f"{name}, {'symmetric' if symmetric else 'from 0'}", attrs, x, scale)
        (scale, offset), x = axis_inputs(shape, axis, pool, lambda s, o, size: learned_inputs(attrs, s, o, size))
        learned_pair(golden, name, attrs, x, scale, offset)
    attrs = learned_attrs(4, True, True, 1)
    x = np.stack([learned_inputs(attrs, s, size=40) for s in (0.04, 0.04, 3)], axis=1)
    for title in ("0", "-1", "NaN"):
        learned_pair(golden, f"one channel {title}", attrs, x, np.array([0.04, F(title), 3], F), gradient=False)
    some = np.where(np.arange(120).reshape(40, 3) % 60 == 1, F(NAN), np.nan_to_num(x))
    golden.add("NaN in one channel", LEARNED[1], attrs, gradients=slopes(120).reshape(40, 3), inputs=some, scale=[0.04, 0.04, 3])


# --- Denormal inputs ----------------------------------------------------------------------------------------------------------

def denormal_cases(golden):
    for title in ("[0, 1]", "[-6, 6]", "negative", "lopsided"):
        low, high = RANGES[title]
        name = f"denormal inputs, {title}"
        fake_quant(golden, name, low, high, 8, False, DENORMALS, (ARGS, ARGS_GRADIENT, VARS, VARS_GRADIENT))
        qdq(golden, name, DENORMALS, low, high)
        qdq(golden, name, DENORMALS, low, high, signed=False)
        qdq_gradient(golden, name, DENORMALS, low, high)
    ranges = [RANGES["[0, 1]"], RANGES["negative"], RANGES["lopsided"], (0, 0)]
    x = np.stack([DENORMALS] * 4)
    channel_pair(golden, "denormal inputs", ranges, 8, False, 0, x)
    qdq(golden, "denormal inputs, by row", x, *np.asarray(ranges, F).T, axis=0)
    qdq(golden, "denormal inputs, by row", x, *np.asarray(ranges, F).T, signed=False, axis=0)
    qdq_gradient(golden, "denormal inputs, by row", x, *np.asarray(ranges, F).T, axis=0)
    for signed in (True, False):
        qdq(golden, "denormal inputs", DENORMALS, 0, 0, signed=signed, given=False)


# --- Huge tensors: more workgroups than one dimension of a dispatch may have -----------------------------------------------

def huge_slopes(size):
    """Halves, so few that even 17 million of them add up exactly in float32."""
    return (random("huge", size).integers(1, 5, size) / 2).astype(F)


def huge_cases(golden):
    low, high = plain(-0.7), plain(1.9)
    bounds, attrs = {"min": low, "max": high}, fake_quant_attrs(8, False)
    x = fake_quant_inputs(low, high, size=1021)
    pair = {"gradients": huge_slopes(1021), "inputs": x}
    golden.add_tiled("huge", VARS, attrs, (17000003,), {"inputs": x}, **bounds)
    golden.add_tiled("huge", VARS_GRADIENT, attrs, (17000003,), pair, **bounds)
    golden.add_tiled("huge", ARGS, {**bounds, **attrs}, (4194307,), {"inputs": x})
    golden.add_tiled("huge", ARGS_GRADIENT, {**bounds, **attrs}, (4194307,), pair)
    given, measured = qdq_attrs(), qdq_attrs(given=False, mode="HALF_UP")
    x = symmetric_inputs(low, high, size=1021)
    golden.add_tiled("huge, given", QDQ, given, (4194307,), {"input": x}, inputMin=low, inputMax=high)
    x = measured_inputs(low, high, size=1021)
    golden.add_tiled("huge, measured", QDQ, measured, (4194307,), {"input": x}, inputMin=0, inputMax=0)
    pair = {"gradients": huge_slopes(1021), "input": x}
    golden.add_tiled("huge", QDQ_GRADIENT, {"axis": -1}, (4194307,), pair, inputMin=low, inputMax=high)
    huge_channel_cases(golden)
    huge_learned_cases(golden)


def huge_channel_cases(golden):
    shape, width, rows = (131073, 33), 33, 31
    pool = [RANGES["lopsided"], RANGES["[-6, 6]"], (0, 0), RANGES["negative"]]
    (low, high), x = axis_inputs((rows, width), 1, pool, lambda *r, size: fake_quant_inputs(*r, size=size))
    dy, x = huge_slopes(rows * width), x.ravel()
    attrs = fake_quant_attrs(8, False, axis=1)
    golden.add_tiled("huge, last axis", CHANNEL, attrs, shape, {"inputs": x}, min=low, max=high)
    golden.add_tiled("huge, last axis", CHANNEL_GRADIENT, attrs, shape, {"gradients": dy, "inputs": x}, min=low, max=high)
    golden.add_tiled("huge, last axis", QDQ, qdq_attrs(axis=1), shape, {"input": x}, inputMin=low, inputMax=high)
    pair = {"gradients": dy, "input": x}
    golden.add_tiled("huge, last axis", QDQ_GRADIENT, {"axis": 1}, shape, pair, inputMin=low, inputMax=high)


def huge_learned_cases(golden):
    attrs, scale, offset = learned_attrs(8, False, False), plain(0.01), plain(-0.7)
    x = np.nan_to_num(learned_inputs(attrs, scale, offset, 1021), posinf=INF, neginf=-INF)
    pair = {"gradients": huge_slopes(1021), "inputs": x}
    golden.add_tiled("huge", LEARNED[2], attrs, (17000003,), {"inputs": x}, scale=scale, offset=offset)
    golden.add_tiled("huge", LEARNED[3], attrs, (17000003,), pair, scale=scale, offset=offset)
    attrs = learned_attrs(4, True, True, 1)
    scale, x = np.array([0.04, 0.5, 3] * 11, F), np.nan_to_num(learned_inputs(attrs, 0.3, None, 31 * 33))
    pair = {"gradients": huge_slopes(31 * 33), "inputs": x}
    golden.add_tiled("huge, last axis", LEARNED[0], attrs, (131073, 33), {"inputs": x}, scale=scale)
    golden.add_tiled("huge, last axis", LEARNED[1], attrs, (131073, 33), pair, scale=scale)


def main():
    golden = Golden()
    for part in (fake_quant_cases, fake_quant_slope_cases, channel_cases, channel_shape_cases, channel_slope_cases,
                 qdq_cases, qdq_degenerate_cases, qdq_axis_cases, qdq_gradient_cases, denormal_cases, huge_cases, learned_cases,
                 learned_offset_cases, learned_axis_cases):
        part(golden)
    golden.write()


if __name__ == "__main__":
    main()
