"""Writes control_flow.json.gz: graphs with loops, conditions, lists and ops that give as much as they find, and what TensorFlow
makes of them.

    VENV/bin/python control_flow.py     (the environment of test/graph_models: requirements.txt there)

The real TensorFlow.js converter writes each of them twice: with control flow as functions, and, as it does unless it is told
otherwise, as the Enter, Switch and Merge of older graphs. Those of TensorFlow 1 are frozen graphs, with TensorArrays.
"""

import base64
import gzip
import json
import os
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf
from tensorflowjs.converters import tf_saved_model_conversion_v2 as converter

HERE = os.path.dirname(os.path.abspath(__file__))
V1 = tf.compat.v1
RANDOM = np.random.default_rng(7)
KERNEL = RANDOM.normal(0, 0.6, (3, 3)).astype(np.float32)


def rows(*shape):
    return RANDOM.normal(0, 1, shape).astype(np.float32)


def spec(*shape, dtype=tf.float32, name="x"):
    return tf.TensorSpec(shape, dtype, name=name)


# --- control flow -----------------------------------------------------------------------------------------------------


def loop(x, steps):
    kernel = tf.constant(KERNEL)

    def turn(i, y, total):
        y = tf.tanh(y @ kernel) + x
        return i + 1, y, total + tf.reduce_sum(y)

    i, y, total = tf.while_loop(lambda i, y, total: (i < steps) & (total < 50.0), turn, [0, x, 0.0])
    return {"i": i, "y": y, "total": total}


def nested_loops(x, steps):
    def inner(j, y):
        return j + 1, y * 0.5 + tf.cast(j, tf.float32)

    def outer(i, y):
        _, y = tf.while_loop(lambda j, y: j < i, inner, [0, y])
        return i + 1, y + x

    i, y = tf.while_loop(lambda i, y: i < steps, outer, [0, x])
    return {"i": i, "y": y}


def conditions(x, steps):
    def two():
        return x * 2.0, tf.cond(steps > 2, lambda: tf.reduce_sum(x), lambda: 7.0), steps + 1

    many, total, count = tf.cond(steps > 1, two, lambda: (x - 1.0, tf.reduce_max(x), 5))
    either = tf.cond(tf.reduce_sum(x) > 0.0, lambda: 1.0, lambda: 2.0)
    again = tf.cond(steps > 1, lambda: many + total, lambda: many * either)
    return {"many": many, "total": total, "count": count, "either": either, "again": again}


def condition_in_loop(x, steps):
    def turn(i, y):
        y = tf.cond(i % 2 == 0, lambda: y @ tf.constant(KERNEL), lambda: tf.cond(i > 2, lambda: y - x, lambda: y + x))
        return i + 1, y

    return {"y": tf.while_loop(lambda i, y: i < steps, turn, [0, x])[1]}


def loop_in_condition(x, steps):
    def turns():
        return tf.while_loop(lambda i, y: i < steps, lambda i, y: (i + 1, y * 0.5 + x), [0, x])[1]

    return {"y": tf.cond(steps > 1, turns, lambda: -x)}


# --- lists ------------------------------------------------------------------------------------------------------------


def mapped(x, steps):
    each = tf.map_fn(lambda row: (tf.reduce_sum(row), tf.nn.relu(row)), x, fn_output_signature=(tf.float32, tf.float32))
    summed = tf.scan(lambda total, row: total + row, x)
    return {"sums": each[0], "rows": each[1], "scan": summed, "steps": steps + 0}


def arrays(x, steps):
    array = tf.TensorArray(tf.float32, size=0, dynamic_size=True, element_shape=[None, 3])
    array = array.write(0, x).write(1, x[:1] * 2.0)
    array = array.write(2, tf.reverse(x, [0]))
    parts = tf.TensorArray(tf.float32, size=2, element_shape=[None, 3]).split(x, [1, 3])
    picked = tf.TensorArray(tf.float32, size=4, element_shape=[3]).unstack(x)
    return {
        "concat": array.concat(),
        "length": array.size() + steps,
        "part": parts.read(1),
        "gather": picked.gather([2, 0]),
        "stack": picked.stack(),
    }


# --- as much as they find ---------------------------------------------------------------------------------------------


def picks(x, steps):
    corners = tf.abs(x[:, :2])
    boxes = tf.concat([corners, corners + 1.0 + tf.abs(x[:, 1:])], 1)
    scores = tf.abs(x[:, 2])
    five = tf.raw_ops.NonMaxSuppressionV5
    none = tf.constant(0.0)
    indices, found, count = five(
        boxes=boxes, scores=scores, max_output_size=steps, iou_threshold=0.3, score_threshold=0.1, soft_nms_sigma=none
    )
    # tfjs leaves out what overlaps by more than the threshold here too, TensorFlow does not.
    soft = five(
        boxes=boxes, scores=scores, max_output_size=6, iou_threshold=1.0, score_threshold=0.0, soft_nms_sigma=0.5,
        pad_to_max_output_size=True,
    )
    padded = tf.raw_ops.NonMaxSuppressionV4(
        boxes=boxes, scores=scores, max_output_size=6, iou_threshold=0.3, score_threshold=0.1, pad_to_max_output_size=True
    )
    left, places = tf.raw_ops.ListDiff(x=tf.range(6), y=tf.stack([steps, 4]), out_idx=tf.int32)
    return {
        "two": tf.raw_ops.NonMaxSuppressionV2(boxes=boxes, scores=scores, max_output_size=steps, iou_threshold=0.3),
        "three": tf.image.non_max_suppression(boxes, scores, steps, 0.3, 0.1),
        "indices": indices,
        "found": found,
        "count": count,
        "soft": soft[0],
        "soft_scores": soft[1],
        "padded": padded[0],
        "valid": padded[1],
        "where": tf.cast(tf.where(x > 0.2), tf.int32),
        "masked": tf.boolean_mask(x, scores > 0.3),
        "left": left,
        "places": places,
    }


# --- TensorFlow 1 -----------------------------------------------------------------------------------------------------


def old_arrays(x, steps):
    inputs = V1.TensorArray(tf.float32, size=4, clear_after_read=False).unstack(x)
    results = V1.TensorArray(tf.float32, size=steps, clear_after_read=False)

    def turn(i, results):
        row = V1.cond(i < 2, lambda: inputs.read(i), lambda: inputs.read(3) * 0.5)
        return i + 1, results.write(i, row)

    _, results = V1.while_loop(lambda i, results: i < steps, turn, [0, results])
    parts = V1.TensorArray(tf.float32, size=2, infer_shape=False).split(x, [1, 3])
    return {
        "stack": results.stack(),
        "size": tf.cast(results.size(), tf.int32),
        "gather": results.gather([1, 0]),
        "concat": parts.concat(),
    }


# --- writing ----------------------------------------------------------------------------------------------------------


def packed(array):
    array = np.asarray(array)
    data = base64.b64encode(array.astype(array.dtype.newbyteorder("<")).tobytes()).decode()
    return {"dtype": array.dtype.name, "shape": list(array.shape), "data": data}


def read(folder):
    with open(os.path.join(folder, "model.json")) as file:
        model = json.load(file)
    manifest = model["weightsManifest"]
    weights = b"".join(open(os.path.join(folder, path), "rb").read() for group in manifest for path in group["paths"])
    return {
        "modelTopology": model["modelTopology"],
        "weightSpecs": [weight for group in manifest for weight in group["weights"]],
        "weightData": base64.b64encode(weights).decode(),
    }


FEEDS = [{"x": rows(4, 3), "steps": np.int32(steps)} for steps in (0, 1, 2, 3, 5)]
SIGNATURE = [spec(None, 3), spec(dtype=tf.int32, name="steps")]


def write(function):
    module = tf.Module()
    module.run = tf.function(function, input_signature=SIGNATURE)
    concrete = module.run.get_concrete_function()
    graphs = {}
    with tempfile.TemporaryDirectory() as saved:
        tf.saved_model.save(module, saved, signatures=concrete)
        for key, has_functions in (("functions", True), ("frames", False)):
            with tempfile.TemporaryDirectory() as folder:
                converter.convert_tf_saved_model(saved, folder, skip_op_check=True, control_flow_v2=has_functions)
                graphs[key] = read(folder)
                # The converter numbers them in the order of their sorted keys.
                keys = sorted(concrete.structured_outputs)
                graphs[key]["outputs"] = {name: f"Identity_{i}" if i else "Identity" for i, name in enumerate(keys)}
    cases = [(feed, concrete(**{name: tf.constant(value) for name, value in feed.items()})) for feed in FEEDS]
    return {"graphs": graphs, "cases": [case(feed, {k: v.numpy() for k, v in found.items()}) for feed, found in cases]}


def case(feed, found):
    return {
        "inputs": {name: packed(value) for name, value in feed.items()},
        "outputs": {name: packed(value) for name, value in found.items()},
    }


def write_v1(function, feeds):
    V1.disable_control_flow_v2()
    with tf.Graph().as_default(), V1.Session() as session:
        x = V1.placeholder(tf.float32, [None, 3], "x")
        steps = V1.placeholder(tf.int32, [], "steps")
        outputs = {key: tf.identity(value, f"out_{key}") for key, value in function(x, steps).items()}
        cases = [case(feed, session.run(outputs, {x: feed["x"], steps: feed["steps"]})) for feed in feeds]
        definition = session.graph.as_graph_def()
    V1.enable_control_flow_v2()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "frozen.pb")
        with open(path, "wb") as file:
            file.write(definition.SerializeToString())
        names = ",".join(f"out_{key}" for key in outputs)
        converter.convert_tf_frozen_model(path, names, folder, skip_op_check=True)
        graph = read(folder)
    graph["outputs"] = {key: f"out_{key}" for key in outputs}
    return {"graphs": {"frames": graph}, "cases": cases}


def main():
    functions = [loop, nested_loops, conditions, condition_in_loop, loop_in_condition, mapped, arrays, picks]
    models = {function.__name__: write(function) for function in functions}
    models["old_arrays"] = write_v1(old_arrays, FEEDS[2:])
    with open(os.path.join(HERE, "control_flow.json.gz"), "wb") as file:
        file.write(gzip.compress(json.dumps(models, separators=(",", ":")).encode(), mtime=0))
    for name, model in models.items():
        counts = {key: len(graph["modelTopology"]["node"]) for key, graph in model["graphs"].items()}
        print(f"{name}: nodes {counts}, {len(model['cases'])} cases")


if __name__ == "__main__":
    main()
