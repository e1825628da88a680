"""The laws of the house, read from the imports: who may know whom (the README states them)."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted([*ROOT.glob("stc_core/**/*.py"), *ROOT.glob("blender_addon/**/*.py"), *ROOT.glob("build.py")])
BLENDER = {"bpy", "bmesh", "mathutils", "bpy_extras", "bl_ui", "gpu", "blender_addon"}
DECODERS = {"av", "imageio", "decord", "torchcodec", "moviepy"}
PARSERS = {"argparse", "optparse", "getopt", "tyro", "click", "fire"}
UNPICKLERS = {"cPickle", "dill", "joblib", "shelve", "marshal"}
UNPICKLER = ROOT / "stc_core/training/pickled.py"  # Human3.6M and MPI-INF-3DHP go about as pickled dictionaries only
NOT_STAGES = {"__init__", "pose", "pipeline"}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(source: str, module: str, is_package: bool = False) -> set[str]:
    """Every module that a source may import, absolute, wherever in the file; of `from a import b` both a and a.b."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, module, is_package)
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__"):
            found |= {
                arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
            }
    return found


def _absolute(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    above = module.split(".")[: len(module.split(".")) - node.level + is_package]
    return ".".join([*above, node.module] if node.module else above)


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def imports(path: Path) -> set[str]:
    return imports_of(path.read_text(encoding="utf-8"), module_name(path), path.stem == "__init__")


def within(names: set[str], *packages: str) -> set[str]:
    """Those of the names that are one of the packages or lie inside."""
    return {name for name in names if any(name == package or name.startswith(package + ".") for package in packages)}


def calls(path: Path) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]


def sources(*folders: str) -> list:
    """The files under the folders as parameters with readable names."""
    chosen = [path for path in SOURCES if any((ROOT / folder) in (path, *path.parents) for folder in folders)]
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in chosen]


def stages() -> list[str]:
    return [path.stem for path in ROOT.glob("stc_core/capture/*.py") if path.stem not in NOT_STAGES]


EVERYWHERE = sources("stc_core", "blender_addon", "build.py")


def test_imports_are_read_wherever_and_however_they_are_written():
    source = """
import os.path as p
from ..motion import rotation
from . import pose as q
def later():
    import torch
    from .detect import detect
    importlib.import_module("bpy")
"""
    assert imports_of(source, "stc_core.capture.solve") == {
        "os.path",
        *("stc_core.motion", "stc_core.motion.rotation", "stc_core.capture", "stc_core.capture.pose"),
        *("torch", "stc_core.capture.detect", "stc_core.capture.detect.detect", "bpy"),
    }
    assert imports_of("from .a import b", "pack", is_package=True) == {"pack.a", "pack.a.b"}
    assert within({"bpy_types", "bpy.props", "bpy"}, "bpy") == {"bpy.props", "bpy"}


def test_there_is_something_to_read():
    assert len(sources("stc_core")) > 10 and {"solve", "smooth"} <= set(stages())


@pytest.mark.parametrize("path", sources("stc_core"))
def test_law_1_the_core_does_not_know_blender(path):
    assert not within(imports(path), *BLENDER)


def test_law_1_the_cores_door_holds_only_the_version():
    body = ast.parse((ROOT / "stc_core/__init__.py").read_text(encoding="utf-8")).body
    docstring, version = body
    assert isinstance(docstring, ast.Expr) and isinstance(docstring.value, ast.Constant)
    assert isinstance(version, ast.Assign) and [ast.unparse(target) for target in version.targets] == ["__version__"]


@pytest.mark.parametrize("path", sources("stc_core/motion", "stc_core/errors.py", "stc_core/events.py"))
def test_law_2_a_motion_needs_numpy_and_the_standard_library_only(path):
    names = imports(path)
    ours = within(names, "stc_core.motion", "stc_core.errors")
    packages = {name for name in names if name == "stc_core"}
    others = {name.split(".")[0] for name in names - ours - packages}
    assert others <= set(sys.stdlib_module_names) | {"numpy"}


@pytest.mark.parametrize("path", sources("blender_addon"))
def test_law_3_the_addon_knows_motions_errors_and_events_only(path):
    ours = within(imports(path), "stc_core") - {"stc_core"}
    assert ours == within(ours, "stc_core.motion", "stc_core.errors", "stc_core.events")


@pytest.mark.parametrize("path", sources("blender_addon"))
def test_law_3_the_addon_loads_nothing_heavy_into_blender(path):
    allowed = set(sys.stdlib_module_names) | BLENDER | {"numpy", "stc_core", "addon_utils", "rna_keymap_ui"}
    assert {name.split(".")[0] for name in imports(path)} <= allowed


@pytest.mark.parametrize("path", sources("stc_core/capture"))
def test_law_4_stages_do_not_import_each_other(path):
    if path.stem != "pipeline":
        others = {f"stc_core.capture.{stage}" for stage in [*stages(), "pipeline"] if stage != path.stem}
        assert not within(imports(path), *others)


@pytest.mark.parametrize("path", sources("stc_core/capture"))
def test_law_4_a_stage_takes_its_own_config_never_the_whole(path):
    if path.stem != "pipeline":
        assert "CaptureConfig" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", EVERYWHERE)
def test_law_5_mediapipe_is_known_in_detect_only(path):
    assert not within(imports(path), "mediapipe") or path == ROOT / "stc_core/capture/detect.py"


@pytest.mark.parametrize("path", EVERYWHERE)
def test_law_5_videos_are_decoded_in_video_only(path):
    decodes = within(imports(path), *DECODERS) or [call for call in calls(path) if _called(call) == "VideoCapture"]
    assert not decodes or path == ROOT / "stc_core/capture/video.py"


@pytest.mark.parametrize("path", EVERYWHERE)
def test_law_5_command_lines_are_parsed_at_entry_points_only(path):
    source = path.read_text(encoding="utf-8")
    entry = path.stem == "__main__" or 'if __name__ == "__main__":' in source
    assert entry or not (within(imports(path), *PARSERS) or "sys.argv" in source)


@pytest.mark.parametrize("path", EVERYWHERE)
def test_law_6_nothing_imports_training_or_an_entry_point(path):
    names = imports(path)
    assert not {name for name in names if "__main__" in name.split(".")}
    assert (ROOT / "stc_core/training") in path.parents or not within(names, "stc_core.training")


@pytest.mark.parametrize("path", EVERYWHERE)
def test_files_are_read_without_pickle(path):
    if path == UNPICKLER:
        return
    assert not within(imports(path) - {"pickle"}, *UNPICKLERS, "pickle")  # pickle itself: for the name of its error
    for call in calls(path):
        assert not ast.unparse(call.func).startswith("pickle.")
        words = {word.arg: ast.unparse(word.value) for word in call.keywords}
        assert words.get("allow_pickle", "False") == "False"
        assert ast.unparse(call.func) != "torch.load" or words.get("weights_only") == "True"


def test_the_one_unpickler_finds_a_fixed_list_of_stand_ins_only():
    tree = ast.parse(UNPICKLER.read_text(encoding="utf-8"))
    bases = [ast.unparse(base) for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for base in node.bases]
    assert bases.count("pickle.Unpickler") == 1
    assert not {"pickle.load", "pickle.loads", "np.load"} & {ast.unparse(call.func) for call in calls(UNPICKLER)}
    assert not within(imports(UNPICKLER), *UNPICKLERS)
    (find_class,) = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "find_class"]
    *_, answer = find_class.body
    assert ast.unparse(answer) == "return _KNOWN[module, name]"
