"""Runs .tflite files in Google's runtimes, for specs in Node: a request per line on standard input, an answer per line.

    {"model": base64, "runtime": "reference" | "builtin" | "xnnpack" | "micro", "inputs": [[base64, ...] per run]}
    {"outputs": [[base64, ...] per run], "types": [per output]} or {"error": text}

    {"model": base64, "runtime": "signature", "named": {name: base64}}
    {"outputs": {name: base64}}: what the file's signature gives, a batch of any size

    {"model": base64, "runtime": "quantizer", "bits": 16 | 8 | 4}
    {"model": base64}: a float file with its weights as LiteRT's quantizer stores them: as float16 or integers

    {"model": base64, "runtime": "schema"}
    {"operators": [...], "tensors": [...]}: what the published schema reads in the file

    {"model": base64, "runtime": "arena", "size": bytes}
    {"sizes": {"total": bytes, "head": bytes, "tail": bytes}, "said": text}: what it takes of an arena of that size
"""

import base64
import hashlib
import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np  # noqa: E402


def arrays(texts, details):
    pairs = zip(texts, details)
    return [np.frombuffer(base64.b64decode(text), each["dtype"]).reshape(each["shape"]) for text, each in pairs]


def encoded(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def litert(model, runs, resolver, batch=None, shapes=None):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model, experimental_op_resolver_type=resolver, num_threads=1)
    for i, each in enumerate(interpreter.get_input_details()):
        if batch or shapes:
            interpreter.resize_tensor_input(each["index"], shapes[i] if shapes else [batch, *each["shape"][1:]])
    interpreter.allocate_tensors()
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    results = []
    for run in runs:
        for each, value in zip(inputs, arrays(run, inputs)):
            interpreter.set_tensor(each["index"], value)
        interpreter.invoke()
        results.append([encoded(interpreter.get_tensor(each["index"])) for each in outputs])
    return {
        "outputs": results,
        "types": [np.dtype(each["dtype"]).name for each in outputs],
        "signatures": interpreter.get_signature_list(),
    }


def signature(model, named):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    runner = interpreter.get_signature_runner("serving_default")
    details = runner.get_input_details()
    value = lambda name, text: np.frombuffer(base64.b64decode(text), details[name]["dtype"])  # noqa: E731
    given = {name: value(name, text).reshape([-1, *details[name]["shape"][1:]]) for name, text in named.items()}
    return {"outputs": {name: encoded(array) for name, array in runner(**given).items()}}


def quantizer(model, bits):
    from litert_quantizer import quantizer as tool
    from litert_quantizer import recipe

    # Weights of 1024 numbers and more; of 4 bits where the operator can.
    [integers] = recipe.dynamic_legacy_wi8_afp32()
    config = integers["op_config"]
    stored = config["weight_tensor_config"]
    narrow = {**integers, "op_config": {**config, "weight_tensor_config": {**stored, "num_bits": 4}}}
    floats = {
        **integers,
        "algorithm_key": "float_casting",
        "op_config": {
            **config,
            "weight_tensor_config": {**stored, "num_bits": 16, "dtype": "FLOAT"},
            "compute_precision": "FLOAT",
            "explicit_dequantize": True,
        },
    }
    rules = {
        4: [integers, *({**narrow, "operation": name} for name in ("CONV_2D", "FULLY_CONNECTED"))],
        8: [integers],
        16: [floats],
    }
    made = tool.Quantizer(bytearray(model))
    made.load_quantization_recipe(rules[bits])
    return {"model": base64.b64encode(bytes(made.quantize().quantized_model)).decode()}


def micro(model, runs):
    from tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(model)
    results, types = [], []
    for run in runs:
        details = [interpreter.get_input_details(i) for i in range(len(run))]
        for i, value in enumerate(arrays(run, details)):
            interpreter.set_input(value, i)
        interpreter.invoke()
        outputs, i = [], 0
        while True:
            try:
                outputs.append(interpreter.get_output(i))
            except IndexError:
                break
            i += 1
        results.append([encoded(each) for each in outputs])
        types = [each.dtype.name for each in outputs]
    return {"outputs": results, "types": types}


def arena(model, size):
    """What the interpreter for microcontrollers says that it takes of an arena: nothing if it does not fit. It may crash then."""
    import re

    from tflite_micro import runtime

    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        try:
            runtime.Interpreter.from_bytes(model, arena_size=size).print_allocations()
        finally:
            os._exit(0)
    os.close(sink)
    with os.fdopen(source, errors="replace") as output:
        said = output.read()
    os.waitpid(child, 0)
    return {"sizes": {part: int(size) for part, size in re.findall(r"Arena allocation (\w+) (\d+) bytes", said)}, "said": said}


def names_of(cls):
    return {number: name for name, number in vars(cls).items() if isinstance(number, int)}


def digest(buffer):
    return hashlib.sha256(buffer.DataAsNumpy().tobytes()).hexdigest() if buffer.DataLength() else ""


def lstm_options(call):
    import tflite

    options, table = tflite.UnidirectionalSequenceLSTMOptions(), call.BuiltinOptions()
    options.Init(table.Bytes, table.Pos)
    return {
        "activation": options.FusedActivationFunction(),
        "cellClip": options.CellClip(),
        "projClip": options.ProjClip(),
        "timeMajor": bool(options.TimeMajor()),
    }


def schema(model):
    import tflite

    operators, types = names_of(tflite.BuiltinOperator), names_of(tflite.TensorType)
    root = tflite.Model.GetRootAs(model, 0)
    graph = root.Subgraphs(0)
    tensors = []
    for i in range(graph.TensorsLength()):
        tensor = graph.Tensors(i)
        quantization = tensor.Quantization()
        listed = lambda values: [] if isinstance(values, int) else values.tolist()  # noqa: E731
        tensors.append(
            {
                "name": tensor.Name().decode(),
                "type": types[tensor.Type()],
                "shape": listed(tensor.ShapeAsNumpy()),
                "signature": listed(tensor.ShapeSignatureAsNumpy()),
                "scale": listed(quantization.ScaleAsNumpy()) if quantization else [],
                "zeroPoint": listed(quantization.ZeroPointAsNumpy()) if quantization else [],
                "axis": quantization.QuantizedDimension() if quantization else 0,
                "isVariable": bool(tensor.IsVariable()),
                "bytes": root.Buffers(tensor.Buffer()).DataLength(),
                "digest": digest(root.Buffers(tensor.Buffer())),
            }
        )
    codes = [root.OperatorCodes(i) for i in range(root.OperatorCodesLength())]
    calls = [graph.Operators(i) for i in range(graph.OperatorsLength())]
    name_of = lambda call: operators[codes[call.OpcodeIndex()].BuiltinCode()]  # noqa: E731
    return {
        "version": root.Version(),
        "identified": bool(tflite.Model.ModelBufferHasIdentifier(model, 0)),
        "description": (root.Description() or b"").decode(),
        "operators": [
            {
                "name": name_of(call),
                "version": codes[call.OpcodeIndex()].Version(),
                "inputs": call.InputsAsNumpy().tolist(),
                "outputs": call.OutputsAsNumpy().tolist(),
                "intermediates": listed(call.IntermediatesAsNumpy()),
                "options": lstm_options(call) if name_of(call) == "UNIDIRECTIONAL_SEQUENCE_LSTM" else {},
            }
            for call in calls
        ],
        "tensors": tensors,
        "inputs": listed(graph.InputsAsNumpy()),
        "outputs": listed(graph.OutputsAsNumpy()),
        "metadata": [root.Metadata(i).Name().decode() for i in range(root.MetadataLength())],
    }


def archive(model):
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(model)) as opened:
        return {"files": {name: opened.read(name).decode() for name in opened.namelist()}, "broken": opened.testzip()}


def metadata(model):
    """What the reader in mediapipe finds: that module alone, as the package itself is installed without what it imports."""
    from importlib import util

    import tflite

    package = util.find_spec("mediapipe").submodule_search_locations[0]
    spec = util.spec_from_file_location("metadata", f"{package}/tasks/metadata/metadata_schema_py_generated.py")
    reader = util.module_from_spec(spec)
    spec.loader.exec_module(reader)

    file = tflite.Model.GetRootAs(model, 0)
    data = file.Buffers(file.Metadata(0).Buffer()).DataAsNumpy().tobytes()
    root = reader.ModelMetadata.GetRootAs(data, 0)
    graph = root.SubgraphMetadata(0)
    types = names_of(reader.AssociatedFileType)
    files = lambda tensor: [tensor.AssociatedFiles(i) for i in range(tensor.AssociatedFilesLength())]  # noqa: E731
    tensor = lambda each: {  # noqa: E731
        "name": each.Name().decode(),
        "files": [{"name": file.Name().decode(), "type": types[file.Type()]} for file in files(each)],
    }
    return {
        "identified": reader.ModelMetadata.ModelMetadataBufferHasIdentifier(data, 0),
        "name": root.Name().decode(),
        "description": root.Description().decode(),
        "minParserVersion": root.MinParserVersion().decode(),
        "inputs": [tensor(graph.InputTensorMetadata(i)) for i in range(graph.InputTensorMetadataLength())],
        "outputs": [tensor(graph.OutputTensorMetadata(i)) for i in range(graph.OutputTensorMetadataLength())],
    }


def answer(request):
    from ai_edge_litert.interpreter import OpResolverType

    model, runtime = base64.b64decode(request["model"]), request["runtime"]
    if runtime == "schema":
        return schema(model)
    if runtime == "metadata":
        return metadata(model)
    if runtime == "archive":
        return archive(model)
    if runtime == "signature":
        return signature(model, request["named"])
    if runtime == "quantizer":
        return quantizer(model, request["bits"])
    if runtime == "arena":
        return arena(model, request["size"])
    runs = request["inputs"]
    if runtime == "micro":
        return micro(model, runs)
    resolvers = {
        "reference": OpResolverType.BUILTIN_REF,
        "builtin": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        "xnnpack": OpResolverType.BUILTIN,
    }
    return litert(model, runs, resolvers[runtime], request.get("batch"), request.get("shapes"))


def main():
    # The runtimes write to standard output, too.
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        try:
            result = answer(json.loads(line))
        except Exception as error:
            result = {"error": f"{type(error).__name__}: {error}"}
        channel.write(json.dumps(result) + "\n")
        channel.flush()


if __name__ == "__main__":
    main()
