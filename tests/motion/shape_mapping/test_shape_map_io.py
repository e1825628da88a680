"""Shape map files: what is saved is read, and a wrong or hostile file says in one sentence what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stc_core.errors import UserError
from stc_core.motion.shape_mapping.guess_shape_map import guess_shape_map
from stc_core.motion.shape_mapping.shape_map import ShapeMap
from stc_core.motion.shape_mapping.shape_map_io import fit_shape_map, load_shape_map, save_shape_map
from tests.motion.shape_mapping.vendor_names import VENDORS

Data = dict[str, Any]


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_map_comes_back_from_its_file(tmp_path: Path, vendor: str) -> None:
    shape_map = guess_shape_map(VENDORS[vendor])
    save_shape_map(shape_map, tmp_path / "face.json")
    assert load_shape_map(tmp_path / "face.json") == shape_map


DAMAGES: dict[str, tuple[Callable[[Data], object], str]] = {
    "another format": (lambda data: data.update(format="stc-mocap bone map"), "does not have the .format."),
    "no version": (lambda data: data.pop("version"), "version"),
    "a newer version": (lambda data: data.update(version=2), "newer format"),
    "a name of two lines": (lambda data: data.update(name="a\nb"), "no text on one line"),
    "no keys": (lambda data: data.pop("keys"), "no table"),
    "a key without coefficients": (lambda data: data["keys"].update(A=["jawOpen"]), "table of coefficients"),
    "an unknown coefficient": (lambda data: data["keys"].update(A={"jawOpn": 1}), "perhaps 'jawOpen'"),
    "a weight that is a word": (lambda data: data["keys"].update(A={"jawOpen": "much"}), "from -10 to 10"),
    "a weight that is true": (lambda data: data["keys"].update(A={"jawOpen": True}), "from -10 to 10"),
    "a huge weight": (lambda data: data["keys"].update(A={"jawOpen": 1e6}), "from -10 to 10"),
    "a group of an unknown key": (lambda data: data.update(limited=[["A", "Y"]]), "no shape key of the map"),
    "a group that is no list": (lambda data: data.update(limited=["A"]), "list of lists"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_wrong_file_says_what_is_wrong(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "face.json"
    save_shape_map(guess_shape_map(VENDORS["VRM 0"]), path)
    data = json.loads(path.read_text(encoding="utf-8"))
    change, sentence = DAMAGES[damage]
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(UserError, match=sentence) as caught:
        load_shape_map(path)
    assert str(path) in caught.value.what and caught.value.remedy.endswith(".")


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"\xff\xfe", b'{"format": "stc-mocap shape map", "version": 1', b"[" * 200]
)
def test_what_is_no_json_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "face.json").write_bytes(content)
    with pytest.raises(UserError, match=r"face\.json"):
        load_shape_map(tmp_path / "face.json")


def test_a_map_is_fitted_to_the_keys_that_are_there() -> None:
    shape_map = guess_shape_map(VENDORS["VRM 0"])
    fitted = fit_shape_map(shape_map, ("A", "I", "Blink_L", "other"))
    assert fitted == ShapeMap(
        name=shape_map.name, keys={key: shape_map.keys[key] for key in ("A", "I", "Blink_L")}, limited=(("A", "I"),)
    )
    with pytest.raises(UserError, match="No mesh has any shape key"):
        fit_shape_map(shape_map, ("other",))
