"""A Sphinx extension: the reference shows the arguments of each layer's constructor.

Without it Sphinx would show those of `Layer.__new__`, which are `*args, **kwargs` for every layer.
"""

import inspect
from typing import Any


def of_constructor(
    app: Any, what: str, name: str, obj: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str, None] | None:
    if what != "class":
        return None
    found = inspect.signature(obj.__init__)
    shown = [p.replace(annotation=p.empty) for n, p in found.parameters.items() if n != "self"]
    return str(found.replace(parameters=shown, return_annotation=found.empty)), None


def setup(app: Any) -> dict[str, bool]:
    app.connect("autodoc-process-signature", of_constructor)
    return {"parallel_read_safe": True}
