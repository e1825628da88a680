# SPDX-License-Identifier: GPL-3.0-or-later
"""A script for a fresh Blender or bpy: install the extension, enable it, disable it, enable it again, and print what
was found as JSON on the last line. test_extension.py runs it in bpy; in a Blender with windows:

    BLENDER_USER_RESOURCES=$(mktemp -d) blender -b --factory-startup \\
        --python tests/blender_addon/install_extension.py -- ZIP
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from types import FunctionType
from typing import Any

import bpy

MODULE = "bl_ext.user_default.stc_mocap"
HEAVY = {"torch", "mediapipe", "cv2", "scipy", "safetensors", "tyro"}
TYPES = ("Scene", "Object", "Action", "Armature", "Bone", "PoseBone", "Camera", "WindowManager", "Collection")


_functions: set[FunctionType] = set()
"""all of the add-on's that were ever seen: its modules may be gone, or new ones, once it is disabled"""


def timers() -> list[str]:
    """Those of the add-on's functions that Blender calls by the clock."""
    ours = [module for name, module in sys.modules.items() if name.split(".")[:3] == MODULE.split(".")]
    _functions.update(value for module in ours for value in vars(module).values() if type(value) is FunctionType)
    return sorted(f"{value.__module__}.{value.__name__}" for value in _functions if bpy.app.timers.is_registered(value))


def traces() -> dict[str, Any]:
    """Everything that an add-on may leave in Blender."""
    handlers = {name: getattr(bpy.app.handlers, name) for name in dir(bpy.app.handlers)}
    keymaps = bpy.context.window_manager.keyconfigs.addon
    return {
        "classes": sorted(name for name in dir(bpy.types) if not name.startswith("__")),
        "operators": sorted(dir(bpy.ops.stc_mocap)),
        "properties": {name: sorted(getattr(bpy.types, name).bl_rna.properties.keys()) for name in TYPES},
        "handlers": {name: len(value) for name, value in handlers.items() if isinstance(value, list)},
        "timers": timers(),
        "keys": sum(len(keymap.keymap_items) for keymap in keymaps.keymaps) if keymaps else 0,
    }


def difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, str]:
    return {key: f"{before[key]} {after[key]}" for key in before if before[key] != after[key]}


def names_of(kind: str) -> list[str]:
    """The add-on's classes of a kind that are registered."""
    return sorted(c.__name__ for c in getattr(bpy.types, kind).__subclasses__() if c.__module__.startswith(MODULE))


def set_up_offline() -> str:
    """What the button says that would need the network."""
    try:
        bpy.ops.stc_mocap.setup_engine()
    except RuntimeError as error:
        return str(error)
    return "started"


def main(path: str) -> None:
    import addon_utils

    bpy.ops.stc_mocap  # noqa: B018 - so that it is known before, too
    before = traces()
    bpy.ops.extensions.package_install_files(filepath=path, repo="user_default", enable_on_install=True)
    found: dict[str, Any] = {"blender": bpy.app.version, "python": sys.version.split()[0]}
    found["enabled"] = MODULE in bpy.context.preferences.addons
    enabled = traces()
    found |= {"timers": enabled["timers"], "operators": enabled["operators"], "panels": names_of("Panel")}
    core = importlib.import_module("stc_core")
    motion = importlib.import_module("stc_core.motion")
    rooms = [room.name for room in pkgutil.walk_packages(motion.__path__, "stc_core.motion.")]
    for room in rooms:
        importlib.import_module(room)
    found |= {"core": core.__file__, "version": core.__version__, "rooms": rooms}
    found["numpy"] = importlib.import_module("numpy").__version__
    found |= {"online": bpy.app.online_access, "set_up": set_up_offline()}
    found["user_folder"] = str(sys.modules[f"{MODULE}.ui.preferences"].user_folder())
    found["source"] = str(sys.modules[f"{MODULE}.engine.engine"]._source()[0])
    addon_utils.disable(MODULE, default_set=True)
    found["left"] = difference(before, traces())
    addon_utils.enable(MODULE, default_set=True)
    found["again"] = difference(enabled, traces())
    addon_utils.disable(MODULE, default_set=True)
    found["left_again"] = difference(before, traces())
    found["heavy"] = sorted(HEAVY & set(sys.modules))
    print("\n" + json.dumps(found))


main(sys.argv[-1])
