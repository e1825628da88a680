"""The mouse beside the windowed Blender: looks for buttons, clicks them, takes pictures, and fails where what should
come does not. Started by drive.py as `python3 hands.py FOLDER OUT`, with xdotool and `shot` on the PATH.

Blender tells nobody where its buttons are. Ctrl C over a button copies what it runs; so the mouse goes down the sidebar
and reads.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

STEP = 8  # pixels; a button is 20 high
LEFT, MIDDLE, RIGHT = 0.25, 0.45, 0.7  # of the sidebar's width
CAPTURE_S = 600.0
FRAMES, RATE = 150, 30.0  # of the sample
OVER_THE_VIDEO = 0.05  # heights of the person
OPERATOR_S = 0.1


class Blender:
    """Asks stage.py, and lets the mouse and the keys go."""

    def __init__(self, folder: Path, out: Path) -> None:
        self.folder, self.out, self.number = folder, out, 0
        self.report: dict[str, Any] = {"blender": self.answer(120.0), "buttons": {}}

    def ask(self, what: str, *words: Any, seconds: float = 60.0) -> Any:
        self.number += 1
        partial = self.folder / "ask.partial"
        partial.write_text(json.dumps({"number": self.number, "what": what, "words": words}))
        partial.rename(self.folder / "ask.json")
        return self.answer(seconds)

    def answer(self, seconds: float) -> Any:
        path, wait_until = self.folder / "answer.json", time.monotonic() + seconds
        while time.monotonic() < wait_until:
            if path.exists() and (told := json.loads(path.read_text()))["number"] == self.number:
                path.unlink()
                require("error" not in told, told.get("error", ""))
                return told["answer"]
            time.sleep(0.02)
        raise SystemExit(f"Blender did not answer question {self.number} within {seconds:.0f} s.")

    def picture(self, name: str, panel: bool = True) -> None:
        """The whole window, and the sidebar alone, as PNG."""
        path = self.out / f"{name}.png"
        subprocess.run(["shot", path], check=True)
        left, top, width, height = self.ask("sidebar")
        if panel:
            crop = f"{width}x{height}+{left}+{top}"
            subprocess.run(["convert", path, "-crop", crop, "+repage", self.out / f"{name}_panel.png"], check=True)

    def find(self, command: str, across: float = MIDDLE) -> tuple[int, int]:
        """The middle of the button that runs a command, in pixels of the screen."""
        left, top, width, height = self.ask("sidebar")
        x, hits = round(left + across * width), []
        self.ask("clipboard")
        for y in range(top + 10, top + height - 6, STEP):
            mouse(
                "mousemove", x, y, "sleep", 0.05, "mousemove", x + 1, y, "sleep", 0.08, "key", "ctrl+c", "sleep", 0.05
            )
            if command in self.ask("clipboard"):
                hits.append(y)
            elif hits:
                break
        require(hits, f"There is no button {command} in the sidebar.")
        middle = (hits[0] + hits[-1]) // 2
        self.report["buttons"][command] = [x, middle]
        return x, middle

    def click(self, command: str, across: float = MIDDLE) -> None:
        self.press(self.find(command, across))

    def press(self, place: tuple[int, int]) -> None:
        mouse("mousemove", *place, "sleep", 0.3, "click", 1, "sleep", 0.5)

    def open_tab(self, name: str) -> None:
        """Click down the tabs at the sidebar's edge until the one of that name is open."""
        left, top, width, height = self.ask("sidebar")
        for y in range(top + 12, top + height, 2 * STEP):
            mouse("mousemove", left + width - 8, y, "sleep", 0.1, "click", 1, "sleep", 0.4)
            if self.ask("tab") == name:
                return
        raise SystemExit(f"There is no tab {name} in the sidebar.")


def mouse(*words: object) -> None:
    subprocess.run(["xdotool", *map(str, words)], check=True)


def require(condition: object, what: str) -> None:
    if not condition:
        raise SystemExit(what)


def wait_until(blender: Blender, wanted: str, seconds: float, every: float = 0.5) -> dict[str, Any]:
    """Wait until something in the state is true; returns the state."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        state = blender.ask("state")
        require(not state["message"][1], f"The panel says: {state['message'][0]}")
        if eval(wanted, {}, state):
            return state
        time.sleep(every)
    raise SystemExit(f"{wanted} did not come within {seconds:.0f} s: {state}")


def take_pictures_before(blender: Blender) -> None:
    mouse("mousemove", 800, 450, "key", "Escape")
    blender.ask("sidebar")
    time.sleep(2.0)
    blender.open_tab("STC Mocap")
    blender.ask("look", [0.0, 0.0, 0.9], 5.0)
    time.sleep(2.5)
    blender.picture("0_no_engine")
    blender.ask("choose_engine")
    time.sleep(2.5)
    blender.ask("redraw")
    time.sleep(1.0)
    blender.picture("1_before")


def run_capture(blender: Blender) -> None:
    place = blender.find("stc_mocap.capture()")
    blender.ask("free")
    blender.press(place)
    started = time.monotonic()
    wait_until(blender, "running", 10.0)
    wait_until(blender, "running and running[1] > 0.25", 240.0)
    blender.picture("2_during")
    state = wait_until(blender, "not running and action", CAPTURE_S)
    blender.report["capture_s"] = round(time.monotonic() - started, 1)
    blender.report["during"] = blender.ask("free")
    own = {name: took for name, took in blender.report["during"]["own"].items() if name.startswith("stc_mocap.")}
    require(max(own.values()) < OPERATOR_S, f"A button took too long: {own}")
    require(state["states"][0] == "done" and state["kind"] == "smoothed", f"The job is not done: {state}")
    bones = {path: keys for path, keys in state["keys"].items() if path.startswith("pose.bones")}
    require(len(bones) > 20 and min(bones.values()) >= FRAMES, f"The action has few keys: {bones}")
    require(abs(state["rate"] - RATE) < 0.01, f"The scene's rate is {state['rate']}, not the video's.")
    blender.report |= {"action": state["action"], "channels": len(bones), "keys": max(bones.values())}
    blender.report |= {"rate": state["rate"], "doubts": state["doubts"]}
    blender.ask("frame", 60)
    time.sleep(2.0)
    blender.picture("3_after")


def check_result(blender: Blender) -> None:
    blender.click("stc_mocap.match_camera()")
    state = wait_until(blender, "camera", 10.0)
    require(state["background"] == ["sample.mp4"], f"The video is not behind the figure: {state['background']}")
    require(state["through_camera"] == "CAMERA", "The view does not look through the camera.")
    blender.report["over_the_video"] = round(blender.ask("over_the_video"), 4)
    require(blender.report["over_the_video"] < OVER_THE_VIDEO, "The figure does not lie over the person.")
    blender.ask("see_through")
    for name, number in (("4_over_the_video", 60), ("5_over_the_video_later", 100)):
        blender.ask("frame", number)
        time.sleep(2.0)
        blender.picture(name)
    blender.ask("frame", 1)
    blender.click("stc_mocap.next_doubtful()")
    time.sleep(1.0)
    state = blender.ask("state")
    starts = [start for start in state["doubts"] if start > 1] or state["doubts"]
    wanted = starts[0] if starts else 1
    require(state["frame"] == wanted, f"Next Doubtful Frame went to {state['frame']}, not to {wanted}.")
    require(state["message"][0], "Next Doubtful Frame says nothing.")
    blender.report["doubtful"] = state["message"][0]
    blender.picture("6_doubtful")
    blender.click("stc_mocap.use_raw(raw=True)", RIGHT)
    wait_until(blender, "kind == 'raw'", 10.0)
    blender.click("stc_mocap.use_raw(raw=False)", LEFT)
    wait_until(blender, "kind == 'smoothed'", 10.0)


def take_panel_pictures(blender: Blender) -> None:
    """The panels that are closed at first, each alone, for looking at."""
    for label in ("Bone Map", "Options", "Corrections", "Captures"):
        blender.ask("show_alone", label)
        time.sleep(2.5)
        blender.picture(f"7_{label.lower().replace(' ', '_')}")


def run_script(blender: Blender) -> None:
    take_pictures_before(blender)
    run_capture(blender)
    check_result(blender)
    blender.report["after"] = blender.ask("free")
    take_panel_pictures(blender)


def main(folder: Path, out: Path) -> None:
    blender = Blender(folder, out)
    try:
        run_script(blender)
    except BaseException:
        subprocess.run(["shot", out / "failed.png"], check=True)
        raise
    finally:
        (out / "report.json").write_text(json.dumps(blender.report, indent=1))
        print(json.dumps(blender.report, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
