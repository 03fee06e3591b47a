"""Run alone, by its path: convert a version to another format, run that format's checker and runtime on the probe.

Prints, as JSON, the largest error of `serving_default` over its largest output.
"""

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def _replay() -> Any:
    # Beside this file, and importable by no name: the package is shut out of this process.
    spec = importlib.util.spec_from_file_location("replay", Path(__file__).with_name("replay.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


replay = _replay()
tf = replay.tf


def onnx(path: Path, made: Path, inputs: dict) -> dict:
    import onnx
    import onnxruntime
    from tf2onnx import convert, handler

    # What ONNX has no operation for, and the converter no rule.
    for operation, rule in (("Expm1", _Expm1), ("Log1p", _Log1p)):
        handler.tf_op(operation)(rule)
    # As its own command does: unlike `from_function` that makes constants of the tensors that a signature captures.
    sys.argv = ["tf2onnx", "--saved-model", str(path), "--signature_def", "serving_default", "--output", str(made)]
    convert.main()
    onnx.checker.check_model(str(made), full_check=True)
    session = onnxruntime.InferenceSession(str(made), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    # Strings are bytes to TensorFlow and text to this runtime.
    found = session.run(names, {name: _recoded(array, bytes, bytes.decode) for name, array in inputs.items()})
    return {name: _recoded(array, str, str.encode) for name, array in zip(names, found, strict=True)}


def _recoded(array: np.ndarray, kind: type, recode: Callable) -> np.ndarray:
    if array.dtype != object:
        return array
    recoded = np.empty(array.size, object)
    recoded[:] = [recode(word) if isinstance(word, kind) else word for word in array.ravel()]
    return recoded.reshape(array.shape)


class _Expm1:
    @classmethod
    def version_7(cls, graph: Any, node: Any, **_: Any) -> None:
        node.type = "Exp"
        one = graph.make_const(f"{node.name}_one", np.ones((), _type(graph, node)))
        inputs = [node.output[0], one.output[0]]
        graph.insert_new_node_on_output("Sub", node.output[0], name=f"{node.name}_less", inputs=inputs)


class _Log1p:
    @classmethod
    def version_7(cls, graph: Any, node: Any, **_: Any) -> None:
        one = graph.make_const(f"{node.name}_one", np.ones((), _type(graph, node)))
        more = graph.make_node("Add", [node.input[0], one.output[0]], name=f"{node.name}_more")
        node.type = "Log"
        graph.replace_input(node, node.input[0], more.output[0], 0)


def _type(graph: Any, node: Any) -> Any:
    from tf2onnx import utils

    return utils.map_onnx_to_numpy_type(graph.get_dtype(node.output[0]))


def openvino(path: Path, made: Path, inputs: dict) -> dict:
    # Without it nothing is told to anyone about this conversion.
    replay.shut_out("openvino_telemetry")
    import openvino

    openvino.save_model(openvino.convert_model(str(path)), str(made), compress_to_fp16=False)
    # Left to itself it may compute in bfloat16.
    compiled = openvino.Core().compile_model(str(made), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    results = compiled(inputs)
    return {_own(output.get_names(), path): results[output] for output in compiled.outputs}


def litert(path: Path, made: Path, inputs: dict) -> dict:
    from ai_edge_litert.interpreter import Interpreter

    converter = tf.lite.TFLiteConverter.from_saved_model(str(path), signature_keys=["serving_default"])
    made.write_bytes(converter.convert())
    runner = Interpreter(model_path=str(made)).get_signature_runner("serving_default")
    return runner(**inputs)


def _own(names: set[str], path: Path) -> str:
    outputs = tf.saved_model.load(path).signatures["serving_default"].structured_outputs
    return next(name for name in outputs if name in names)


FORMATS: dict[str, Callable] = {"onnx": onnx, "openvino": openvino, "litert": litert}


if __name__ == "__main__":
    replay.shut_out("keras", "keras_rectifiers")
    version, name, target = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    inputs, outputs = replay.probe(version)["serving_default"]
    found = FORMATS[name](version, target, inputs)
    print(
        json.dumps({"errors": {"serving_default": replay.error(outputs, {k: np.asarray(v) for k, v in found.items()})}})
    )
