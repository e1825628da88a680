"""The laws of the house, read from the imports: who may know whom (docs/architecture.md states them)."""

import ast
import functools
import sys
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted([*ROOT.glob("stc_core/**/*.py"), *ROOT.glob("blender_addon/**/*.py"), *ROOT.glob("build.py")])
BLENDER = {"bpy", "bmesh", "mathutils", "bpy_extras", "bl_ui", "gpu", "gpu_extras", "blender_addon"}
DECODERS = {"av", "imageio", "decord", "torchcodec", "moviepy"}
PARSERS = {"argparse", "optparse", "getopt", "tyro", "click", "fire"}
UNPICKLERS = {"cPickle", "dill", "joblib", "shelve", "marshal"}
UNPICKLER = ROOT / "stc_core/datasets/safe_unpickle.py"  # Human3.6M and MPI-INF-3DHP are published pickled only
CAPTURE = ROOT / "stc_core/capture"
DETECTORS = set(CAPTURE.glob("detect/*.py"))
SHARED = (
    "errors",
    "events",
    "files",
    "lean_imports",
    "limits",
    "plain_values",
)  # beside the rooms: standard library only, for all of them
NOT_STAGES = {
    "config",
    "layout",
    "lowpass",
    "person_request",
    "pose",
    "progress",
    "quicktime",
    "spans",
    "video_encoder",
    "pipeline",
    "reconstruct",
    "shared_world",
    "solve_lifted",
}
ORDER = {
    f"stc_core.capture.{name}" for name in ("pipeline", "reconstruct", "shared_world", "solve_lifted", "config")
}  # they know all stages
CIRCLES_TO_BE_UNTIED: set[frozenset[str]] = set()  # of law 7, likewise


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def parse(path: Path) -> ast.Module:
    """A file's syntax tree, read once for all laws."""
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def imports_of(tree: ast.Module, module: str, is_package: bool = False) -> set[str]:
    """Every module that a source may import, absolute, wherever in the file; of `from a import b` both a and a.b."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, module, is_package)
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and _callee_name(node) in ("import_module", "__import__"):
            found |= {
                arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
            }
    return found


def _absolute(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    above = module.split(".")[: len(module.split(".")) - node.level + is_package]
    return ".".join([*above, node.module] if node.module else above)


def _callee_name(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


@functools.cache
def imports(path: Path) -> frozenset[str]:
    return frozenset(imports_of(parse(path), module_name(path), path.stem == "__init__"))


def modules_imported(path: Path) -> set[str]:
    """Our modules that a file imports; of a package only what is taken from its __init__."""
    names = imports(path) & MODULES.keys() - {module_name(path)}
    return {name for name in names if MODULES[name].stem != "__init__"}


def within(names: set[str] | frozenset[str], *packages: str) -> set[str]:
    """Those of the names that are one of the packages or lie inside."""
    return {name for name in names if any(name == package or name.startswith(package + ".") for package in packages)}


@functools.cache
def calls(path: Path) -> list[ast.Call]:
    return [node for node in ast.walk(parse(path)) if isinstance(node, ast.Call)]


def sources(*folders: str) -> list[ParameterSet]:
    """The files under the folders as parameters with readable names."""
    chosen = [path for path in SOURCES if any((ROOT / folder) in (path, *path.parents) for folder in folders)]
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in chosen]


def stage_of(module: str) -> str:
    """The stage of a module: a file or a folder in capture; "" of what all stages may know, and of other modules."""
    parts = module.split(".")
    is_stage = parts[:2] == ["stc_core", "capture"] and len(parts) > 2 and parts[2] not in NOT_STAGES
    return parts[2] if is_stage else ""


EVERYWHERE = sources("stc_core", "blender_addon", "build.py")
MODULES = {module_name(path): path for path in SOURCES}


def test_imports_are_read_wherever_and_however_they_are_written() -> None:
    source = """
import os.path as p
from ...geometry import rotation
from .. import layout as q
def later():
    import torch
    from ..detect import detect
    importlib.import_module("bpy")
"""
    assert imports_of(ast.parse(source), "stc_core.capture.ik.solve") == {
        *("os.path", "stc_core.geometry", "stc_core.geometry.rotation", "stc_core.capture"),
        *("stc_core.capture.layout", "torch", "stc_core.capture.detect", "stc_core.capture.detect.detect", "bpy"),
    }
    assert imports_of(ast.parse("from .a import b"), "pack", is_package=True) == {"pack.a", "pack.a.b"}
    assert within({"bpy_types", "bpy.props", "bpy"}, "bpy") == {"bpy.props", "bpy"}


def test_there_is_something_to_read() -> None:
    assert len(sources("stc_core")) > 10 and {"ik", "smooth"} <= {stage_of(name) for name in MODULES}


@pytest.mark.parametrize("path", sources("stc_core"))
def test_law_1_the_core_does_not_know_blender(path: Path) -> None:
    assert not within(imports(path), *BLENDER)


def test_law_1_the_cores_door_holds_only_the_version() -> None:
    body = parse(ROOT / "stc_core/__init__.py").body
    docstring, version = body
    assert isinstance(docstring, ast.Expr) and isinstance(docstring.value, ast.Constant)
    assert isinstance(version, ast.Assign) and [ast.unparse(target) for target in version.targets] == ["__version__"]


@pytest.mark.parametrize(
    ("path", "known"),
    [
        *[pytest.param(*file.values, ("geometry",), id=file.id) for file in sources("stc_core/geometry")],
        *[
            pytest.param(*file.values, ("geometry", "motion", *SHARED), id=file.id)
            for file in sources("stc_core/motion", *(f"stc_core/{name}.py" for name in SHARED))
        ],
    ],
)
def test_law_2_geometry_and_motion_need_numpy_and_the_standard_library_only(path: Path, known: tuple[str, ...]) -> None:
    names = imports(path)
    ours = within(names, *(f"stc_core.{room}" for room in known))
    others = {name.split(".")[0] for name in names - ours - {"stc_core"}}
    assert others <= set(sys.stdlib_module_names) | {"numpy"}


@pytest.mark.parametrize("path", sources("blender_addon"))
def test_law_3_the_addon_knows_geometry_motions_and_what_is_shared_only(path: Path) -> None:
    ours = within(imports(path), "stc_core") - {"stc_core"}
    assert ours == within(ours, *(f"stc_core.{room}" for room in ("geometry", "motion", *SHARED)))


@pytest.mark.parametrize("path", sources("blender_addon"))
def test_law_3_the_addon_loads_nothing_heavy_into_blender(path: Path) -> None:
    allowed = set(sys.stdlib_module_names) | BLENDER | {"numpy", "stc_core", "addon_utils", "rna_keymap_ui"}
    assert {name.split(".")[0] for name in imports(path)} <= allowed


@pytest.mark.parametrize("path", sources("stc_core/capture"))
def test_law_4_stages_do_not_import_each_other(path: Path) -> None:
    own = module_name(path)
    if own not in ORDER:
        known = {stage_of(name) for name in imports(path)} - {"", stage_of(own)}
        assert not known and "stc_core.capture.pipeline" not in imports(path)


@pytest.mark.parametrize("path", sources("stc_core/capture"))
def test_law_4_a_stage_takes_its_own_config_never_the_whole(path: Path) -> None:
    if module_name(path) not in ORDER:
        assert "CaptureConfig" not in read(path)


@pytest.mark.parametrize("path", EVERYWHERE)
def test_law_5_mediapipe_is_known_in_detection_only(path: Path) -> None:
    assert not within(imports(path), "mediapipe") or path in DETECTORS


@pytest.mark.parametrize("path", EVERYWHERE)
def test_law_5_videos_are_decoded_in_one_place_only(path: Path) -> None:
    assert not within(imports(path), *DECODERS) or path == CAPTURE / "video/decoder.py"
    counts = [call for call in calls(path) if _callee_name(call) == "VideoCapture"]
    assert not counts or path == CAPTURE / "video_encoder.py"  # the frames of its own file


@pytest.mark.parametrize("path", EVERYWHERE)
def test_law_5_the_decoder_runs_in_a_process_of_its_own_only(path: Path) -> None:
    inside = {CAPTURE / "video" / f"{name}.py" for name in ("reader", "timing", "stills_decoder", "decode_process")}
    uses = within(
        imports(path), *(f"stc_core.capture.video.{name}" for name in ("decoder", "reader", "decode_process"))
    )
    assert not uses or path in inside


@pytest.mark.parametrize("path", EVERYWHERE)
def test_law_5_command_lines_are_parsed_at_entry_points_only(path: Path) -> None:
    source = read(path)
    entry = ROOT / "stc_core/cli" in path.parents or 'if __name__ == "__main__":' in source
    assert entry or not (within(imports(path), *PARSERS) or "sys.argv" in source)


@pytest.mark.parametrize("path", EVERYWHERE)
def test_law_6_nothing_imports_the_command_line(path: Path) -> None:
    names = imports(path)
    assert not {name for name in names if "__main__" in name.split(".")}
    inside = path == ROOT / "stc_core/__main__.py" or ROOT / "stc_core/cli" in path.parents
    assert inside or not within(names, "stc_core.cli")


def test_law_6_nothing_imports_training() -> None:
    outside = [path for path in SOURCES if ROOT / "stc_core/training" not in path.parents]
    found = {
        (module_name(path), name) for path in outside for name in within(modules_imported(path), "stc_core.training")
    }
    assert not found


def test_law_7_there_is_no_circle_of_modules() -> None:
    known = {module_name(path): modules_imported(path) for path in SOURCES}
    assert set(circles(known)) == CIRCLES_TO_BE_UNTIED


def test_circles_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a", "d"}}) == [frozenset("bc")]


def circles(known: dict[str, set[str]]) -> list[frozenset[str]]:
    """The largest sets of modules each of which reaches every other by what it imports."""
    reached = {name: set(names) for name, names in known.items()}
    for middle in known:
        for names in reached.values():
            if middle in names:
                names |= reached[middle]
    groups = {frozenset(b for b in reached[a] if a in reached[b]) | {a} for a in known}
    return [group for group in groups if len(group) > 1]


@pytest.mark.parametrize("path", EVERYWHERE)
def test_files_are_read_without_pickle(path: Path) -> None:
    if path == UNPICKLER:
        return
    assert not within(imports(path) - {"pickle"}, *UNPICKLERS, "pickle")  # pickle itself: for the name of its error
    for call in calls(path):
        assert not ast.unparse(call.func).startswith("pickle.")
        words = {word.arg: ast.unparse(word.value) for word in call.keywords}
        assert words.get("allow_pickle", "False") == "False"
        assert ast.unparse(call.func) != "torch.load" or words.get("weights_only") == "True"


def test_the_one_unpickler_finds_a_fixed_list_of_stand_ins_only() -> None:
    tree = parse(UNPICKLER)
    bases = [ast.unparse(base) for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for base in node.bases]
    unpicklers = [base for base in bases if base.startswith("pickle.")]
    assert unpicklers == ["pickle._Unpickler"]  # Python's own one: C's cannot count its steps
    assert not {"pickle.load", "pickle.loads", "np.load"} & {ast.unparse(call.func) for call in calls(UNPICKLER)}
    assert not within(imports(UNPICKLER), *UNPICKLERS)
    (find_class,) = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "find_class"]
    *_, answer = find_class.body
    assert ast.unparse(answer) == "return _PLACEHOLDERS[module, name]"
