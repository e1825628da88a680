# SPDX-License-Identifier: GPL-3.0-or-later
"""A layout that draws nothing and refuses what Blender's own would refuse: panels can be drawn without a window."""

from __future__ import annotations

from typing import Any

import bpy

_FUNCTIONS = bpy.types.UILayout.bl_rna.functions
_ICONS = frozenset(_FUNCTIONS["label"].parameters["icon"].enum_items.keys())


class Recorder:
    """A layout that draws nothing, and breaks on what a real one would refuse: unknown properties, icons, operators."""

    def __init__(self, drawn: list[tuple[str, tuple, dict]] | None = None) -> None:
        self.__dict__["drawn"] = [] if drawn is None else drawn

    def __setattr__(self, name: str, value: Any) -> None:
        assert name in bpy.types.UILayout.bl_rna.properties, name

    def __getattr__(self, name: str) -> Any:
        parameters = _FUNCTIONS[name].parameters

        def call(*args: Any, **words: Any) -> Any:
            unknown = set(words) - set(parameters.keys()) - {"text_ctxt", "translate"}
            assert not unknown, (name, unknown)
            assert words.get("icon", "NONE") in _ICONS, words
            assert isinstance(words.get("text", ""), str), words
            self.drawn.append((name, args, words))
            return self._answer(name, args, words)

        return call

    def _answer(self, name: str, args: Any, words: Any) -> Any:
        if name in ("prop", "prop_search"):
            data, prop = args[:2]
            assert prop in data.bl_rna.properties, prop
            if name == "prop_search":
                assert args[3] in args[2].bl_rna.properties, args[3]
        if name == "operator":
            return _Call(args[0])
        if name == "template_list":
            assert hasattr(bpy.types, args[0]) and args[3] in args[2].bl_rna.properties
            assert args[5] in args[4].bl_rna.properties
        return Recorder(self.drawn)

    def texts(self) -> str:
        return " ".join(str(words.get("text", "")) for _, _, words in self.drawn)

    def operators(self) -> list[str]:
        return [args[0] for name, args, _ in self.drawn if name == "operator"]


class _Call:
    """A button's settings: only those that its operator has."""

    _known: frozenset[str]

    def __init__(self, idname: str) -> None:
        module, name = idname.split(".")
        self.__dict__["_known"] = getattr(getattr(bpy.ops, module), name).get_rna_type().properties.keys()

    def __setattr__(self, name: str, value: Any) -> None:
        assert name in self._known, name
