"""What build.py makes: all that is needed, nothing else, and the same bytes from the same sources."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

import stc_core

ROOT = Path(__file__).resolve().parents[1]
WHEEL = f"stc_mocap-{stc_core.__version__}-py3-none-any.whl"
ZIP = f"stc_mocap-{stc_core.__version__}.zip"
SOURCES = ("stc_core", "blender_addon", "weights", "LICENSES")
ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
FILES = ("build.py", "pyproject.toml", "README.md", "LICENSE", "constraints.txt")


def copy_sources(root: Path, place: Path) -> Path:
    """The sources elsewhere, with other times of change: a checkout may be at work while its tests run."""
    for name in SOURCES:
        shutil.copytree(root / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copyfile(root / name, place / name)
    return place


def build(root: Path, dist: Path) -> Path:
    process = subprocess.run([sys.executable, root / "build.py", dist], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout + process.stderr
    return dist


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_sources(ROOT, tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="module")
def dist(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(sources, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def extension(dist: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(dist / ZIP)


def test_the_wheel_and_the_extension_are_made(dist: Path) -> None:
    assert {path.name for path in dist.iterdir()} == {WHEEL, ZIP}


def test_the_extension_holds_the_addon_its_wheel_versions_and_licences(
    sources: Path, extension: zipfile.ZipFile
) -> None:
    addon = sources / "blender_addon"
    rooms = {path.relative_to(addon).as_posix() for path in addon.rglob("*.py")}
    licences = {"LICENSE", "LICENSES/GPL-3.0-or-later.txt", "LICENSES/mediapipe-models.txt"}
    others = {"blender_manifest.toml", "constraints.txt", f"wheels/{WHEEL}"}
    assert set(extension.namelist()) == rooms | licences | others and {"__init__.py", "ui/panel.py"} <= rooms


def test_the_manifest_names_our_version_and_a_wheel_that_is_there(extension: zipfile.ZipFile) -> None:
    tomllib = pytest.importorskip("tomllib", reason="needs Python 3.11")
    manifest = tomllib.loads(extension.read("blender_manifest.toml").decode())
    assert manifest["version"] == stc_core.__version__ and manifest["wheels"] == [f"./wheels/{WHEEL}"]
    assert manifest["id"] == "stc_mocap" and manifest["blender_version_min"] == "4.2.0"
    assert "SPDX:GPL-3.0-or-later" in manifest["license"] and set(manifest["permissions"]) == {"network", "files"}


def test_the_wheel_inside_is_the_wheel_beside(dist: Path, extension: zipfile.ZipFile) -> None:
    assert extension.read(f"wheels/{WHEEL}") == (dist / WHEEL).read_bytes()


def test_the_wheel_holds_the_core_the_addon_the_weights_and_the_models(sources: Path, dist: Path) -> None:
    names = zipfile.ZipFile(dist / WHEEL).namelist()
    core = {path.relative_to(sources).as_posix() for path in (sources / "stc_core").rglob("*.py")}
    addon = {path.relative_to(sources).as_posix() for path in (sources / "blender_addon").rglob("*.py")}
    weights = {f"stc_core/weights/{path.name}" for path in (sources / "weights").glob("*.*") if path.suffix != ".png"}
    assert core | weights | {"stc_core/convert/report/page.html", "stc_core/py.typed"} <= set(names)
    assert {f"stc_core/for_blender/{name}" for name in addon} <= set(names)


def test_the_wheel_installs_one_package_and_nothing_beside_it(dist: Path) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(dist / WHEEL).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"stc_core"}


def test_an_installed_wheel_finds_its_addon(dist: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(dist / WHEEL).extractall(tmp_path)
    code, env = (
        "import stc_core.assets; print(stc_core.assets.find_addon())",
        ENVIRONMENT | {"PYTHONPATH": str(tmp_path)},
    )
    command = [sys.executable, "-c", code]
    process = subprocess.run(command, capture_output=True, text=True, env=env, cwd=tmp_path, check=False)
    assert process.stdout.strip() == str(tmp_path / "stc_core" / "for_blender"), process.stderr


def test_the_changelog_begins_with_this_version() -> None:
    found = re.search(r"^## \[([^]]+)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None and found[1] in (stc_core.__version__, "Unreleased")


def test_every_locked_package_has_hashes_and_the_version_that_the_tests_run_with() -> None:
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)$", normalise((ROOT / "constraints.txt").read_text()), re.MULTILINE))
    locked = re.findall(
        r"^([\w.-]+)==(\S+)[^\n]*\\\n((?:    --hash=sha256:[0-9a-f]{64}.*\n)+)", normalise(lock()), re.MULTILINE
    )
    assert len(locked) == len(re.findall("==.*\\\\$", lock(), re.MULTILINE)) > 40
    assert {name: pins[name] for name, _, _ in locked if name in pins} == {n: v for n, v, _ in locked if n in pins}
    assert {"torch", "numpy", "mediapipe", "distributed"} <= {name for name, _, _ in locked} & pins.keys()


def lock() -> str:
    return (ROOT / "requirements.lock").read_text(encoding="utf-8")


def normalise(text: str) -> str:
    """Names as an index writes them."""
    return re.sub(r"^[\w.-]+(?===)", lambda name: re.sub(r"[-_.]+", "-", name[0]).lower(), text, flags=re.MULTILINE)


def test_the_wheel_says_its_licences_and_holds_them(dist: Path) -> None:
    wheel = zipfile.ZipFile(dist / WHEEL)
    (folder,) = {name.split("/")[0] for name in wheel.namelist() if ".dist-info/" in name}
    metadata = wheel.read(f"{folder}/METADATA").decode()
    assert "\nLicense-Expression: MIT AND GPL-3.0-or-later\n" in metadata
    held = {name.removeprefix(f"{folder}/licenses/") for name in wheel.namelist() if "/licenses/" in name}
    assert held == {"LICENSE", "LICENSES/GPL-3.0-or-later.txt"}


def test_the_same_sources_make_the_same_bytes_elsewhere_and_later(
    sources: Path, dist: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    again = build(copy_sources(sources, tmp_path_factory.mktemp("elsewhere")), tmp_path_factory.mktemp("later"))
    digests = [{path.name: sha256(path.read_bytes()).hexdigest() for path in d.iterdir()} for d in (dist, again)]
    assert digests[0] == digests[1]
