"""Which operations a SavedModel holds, and which of them no server should meet."""

import collections
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry

# What counts as stateful with TensorFlow and changes nothing.
READING = {
    "ReadVariableOp",
    "ResourceGather",
    "ResourceGatherNd",
    "VarHandleOp",
    "StatefulPartitionedCall",
    "If",
    "While",
    "Case",
    "Assert",
    "LookupTableFindV2",
    "LookupTableSizeV2",
    "HashTableV2",
    "MutableHashTableV2",
}
# What needs Python, or XLA in the server, which TensorFlow Serving switches off.
FOREIGN = {"PyFunc", "PyFuncStateless", "EagerPyFunc", "XlaCallModule", "XlaLaunch", "XlaLaunchV2"}


def check(path: Path) -> None:
    """Refuse a SavedModel that a plain TensorFlow Serving would not run, or not run twice alike."""
    if found := faults(path):
        raise ValueError(
            f"Expected a model of plain TensorFlow operations that gives the same outputs twice. Received: "
            f"{'; '.join(found)}"
        )


def faults(path: Path) -> list[str]:
    """Return what is wrong with the operations of a SavedModel."""
    graph = _graph(path)
    found = []
    if compiled := sorted(f.signature.name for f in graph.library.function if f.attr["_XlaMustCompile"].b):
        found.append(f"functions that must be compiled: {', '.join(compiled)}")
    everything = collections.Counter(node.op for nodes in _functions(graph).values() for node in nodes)
    if foreign := sorted(op for op in everything if op in FOREIGN or op_def_registry.get(op) is None):
        found.append(f"operations that a server does not have: {', '.join(foreign)}")
    changing = sorted(op for op in counts(path, "serving_default") if _changes(op))
    if changing:
        found.append(f"serving_default draws random numbers or keeps state: {', '.join(changing)}")
    return found


def counts(path: Path, signature: str) -> collections.Counter:
    """Return how often each operation is in a signature and in the functions that it calls."""
    graph = _graph(path)
    functions = _functions(graph)
    definition = _meta(path).signature_def[signature]
    start = {tensor.name.split(":")[0] for tensor in definition.outputs.values()}
    top = [node for node in graph.node if node.name in start]
    found: collections.Counter = collections.Counter()
    seen: set[str] = set()
    waiting = list(top)
    while waiting:
        node = waiting.pop()
        found[node.op] += 1
        for attribute in node.attr.values():
            named = [attribute.func.name, *(f.name for f in attribute.list.func)]
            for function in filter(None, named):
                if function in functions and function not in seen:
                    seen.add(function)
                    waiting += functions[function]
    return found


def _changes(op: str) -> bool:
    definition = op_def_registry.get(op)
    return definition is not None and definition.is_stateful and op not in READING


def _meta(path: Path) -> Any:
    model = saved_model_pb2.SavedModel()
    try:
        model.ParseFromString((path / "saved_model.pb").read_bytes())
        return model.meta_graphs[0]
    except (DecodeError, IndexError):
        raise ValueError(f"{path / 'saved_model.pb'} is no whole SavedModel") from None


def _graph(path: Path) -> Any:
    return _meta(path).graph_def


def _functions(graph: Any) -> dict[str, list]:
    return {function.signature.name: list(function.node_def) for function in graph.library.function}
