"""Runs ONNX files in onnxruntime, and checks them with onnx, for specs in Node: a request per line on standard input, an answer per line.

    {"model": base64, "runtime": "onnxruntime" | "unoptimized", "inputs": [{"shape": [...], "values": float32 in base64}]}
    {"outputs": [{"name", "type", "shape", "values": base64}]} or {"error": text}

    {"model": base64, "runtime": "checker"}
    {"opset", "irVersion", "nodes": [...], "initializers": [...], "inputs": [...], "outputs": [...]}
"""

import base64
import json
import sys

import numpy as np
import onnx
import onnxruntime

TYPES = {"tensor(float)": np.float32, "tensor(int32)": np.int32, "tensor(bool)": np.bool_}


def run(model, given, optimized):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    # On processors without VNNI, products of int8 weights overflow otherwise: see docs/onnx.md.
    options.add_session_config_entry("session.x64quantprecision", "1")
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimized else levels.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model, options)
    feeds = {
        port.name: np.frombuffer(base64.b64decode(each["values"]), np.float32).reshape(each["shape"]).astype(TYPES[port.type])
        for port, each in zip(session.get_inputs(), given)
    }
    names = [port.name for port in session.get_outputs()]
    return {"outputs": [encoded(name, array) for name, array in zip(names, session.run(names, feeds))]}


def encoded(name, array):
    values = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"name": name, "type": array.dtype.name, "shape": list(array.shape), "values": values}


def check(model):
    proto = onnx.load_from_string(model)
    onnx.checker.check_model(proto, full_check=True)
    onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=True, data_prop=True)
    type_of = onnx.TensorProto.DataType.Name
    port = lambda each: {  # noqa: E731
        "name": each.name,
        "type": type_of(each.type.tensor_type.elem_type),
        "shape": [dim.dim_param or dim.dim_value for dim in each.type.tensor_type.shape.dim],
    }
    return {
        "opset": proto.opset_import[0].version,
        "irVersion": proto.ir_version,
        "producer": proto.producer_name,
        "name": proto.graph.name,
        "nodes": [
            {"op": node.op_type, "inputs": list(node.input), "outputs": list(node.output)} for node in proto.graph.node
        ],
        "initializers": [
            {"name": each.name, "type": type_of(each.data_type), "shape": list(each.dims)}
            for each in proto.graph.initializer
        ],
        "inputs": [port(each) for each in proto.graph.input],
        "outputs": [port(each) for each in proto.graph.output],
        "scales": [scale(proto.graph, each.name) for each in proto.graph.output],
    }


def scale(graph, name):
    """The step of an output, by way of what only moves it; 0 if it has none."""
    given = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    makers = {output: node for node in graph.node for output in node.output}
    node = makers.get(name)
    while node and node.op_type in ("Reshape", "Transpose", "Identity"):
        node = makers.get(node.input[0])
    if not node or node.op_type != "DequantizeLinear":
        return 0
    # Of int16 in steps of 8 bits.
    wide = given[node.input[2]].dtype == np.int16
    return float(given[node.input[1]]) * (256 if wide else 1)


def answer(request):
    model, runtime = base64.b64decode(request["model"]), request["runtime"]
    return check(model) if runtime == "checker" else run(model, request["inputs"], runtime == "onnxruntime")


for line in sys.stdin:
    try:
        response = answer(json.loads(line))
    except Exception as error:  # noqa: BLE001
        response = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(response), flush=True)
