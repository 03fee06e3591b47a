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
    import tf2onnx

    model = tf.saved_model.load(path)  # holds the variables, which the signature does not
    signature = model.signatures["serving_default"]
    specs = signature.structured_input_signature[1]
    function = tf.function(lambda *values: signature(**dict(zip(specs, values, strict=True))))
    named = [tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in specs.items()]
    tf2onnx.convert.from_function(function, input_signature=named, output_path=str(made))
    onnx.checker.check_model(str(made), full_check=True)
    session = onnxruntime.InferenceSession(str(made), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(sorted(signature.structured_outputs), session.run(names, inputs), strict=True))


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
