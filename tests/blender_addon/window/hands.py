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
LEFT, MIDDLE, RIGHT, RIGHT_EDGE = 0.25, 0.45, 0.7, 0.86  # of the sidebar's width
PERSON_X, PERSON_Y = 0.5, 0.5  # where the sample's person is in its frame 60
CAPTURE_S = 600.0
FRAMES, RATE = 150, 30.0  # of the sample
OVER_THE_VIDEO = 0.05  # heights of the person
OPERATOR_S = 0.1
FACE_KEYS = (*"Blink_L Blink_R A I U E O Joy Angry Sorrow LookUp LookDown LookLeft LookRight".split(), "Muscle")


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

    def find(self, command: str, across: float = MIDDLE, below: int = 0) -> tuple[int, int]:
        """The middle of the button that runs a command, in pixels of the screen; it is looked for `below` a height."""
        left, top, width, height = self.ask("sidebar")
        x, hits = round(left + across * width), []
        self.ask("clipboard")
        for y in range(max(top + 10, below), top + height - 6, STEP):
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

    def click(self, command: str, across: float = MIDDLE, below: int = 0) -> None:
        self.press(self.find(command, across, below))

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
    wait_until(blender, "picture == 1", 30.0)
    time.sleep(1.0)
    blender.picture("1_before")


def choose_in_video(blender: Blender) -> None:
    """Look at a later frame, and click the person in it."""
    blender.ask("set_value", "preview_frame", 60)
    wait_until(blender, "picture == 60", 30.0)
    blender.click("stc_mocap.pick_person()")
    time.sleep(2.0)
    blender.picture("1_pick_person", panel=False)
    left, top, width, height = blender.ask("pick_rectangle")
    blender.press((round(left + width * PERSON_X), round(top + height * PERSON_Y)))
    state = wait_until(blender, "person == 'POINT'", 10.0)
    off = max(abs(a - b) for a, b in zip(state["person_point"], (PERSON_X, PERSON_Y), strict=True))
    require(off < 0.01, f"The person was clicked at {PERSON_X}, {PERSON_Y}, not at {state['person_point']}.")
    blender.click("stc_mocap.set_range(edge='FIRST')", LEFT)
    time.sleep(1.5)
    blender.picture("1_range")
    blender.ask("set_value", "use_range", False)


def refuse_text(blender: Blender) -> None:
    """A text file as the video is refused, by its name, soon."""
    video = blender.ask("get_value", "video")
    blender.ask("set_value", "video", str(blender.folder / "notes.mp4"))
    started = time.monotonic()
    state = wait_until(blender, "video_error", 30.0, every=0.1)
    blender.report["text_refused_s"] = round(time.monotonic() - started, 2)
    require("it is text" in state["video_error"], f"The text file is not refused by its kind: {state['video_error']}")
    time.sleep(1.0)
    blender.picture("1_no_video")
    blender.ask("set_value", "video", video)
    wait_until(blender, "picture == 1", 30.0)


def run_capture(blender: Blender) -> None:
    """Capture, and while the engine pauses add a capture to the queue and take it off."""
    for part in ("hands", "face"):
        blender.ask("set_value", part, True)
    place = blender.find("stc_mocap.capture()")
    blender.ask("free")
    blender.press(place)
    started = time.monotonic()
    wait_until(blender, "running", 10.0)
    blender.ask("pause_engine", True)
    blender.click("stc_mocap.queue_capture()", below=place[1] - 10)
    wait_until(blender, "queue == ['sample-2']", 10.0)
    blender.picture("2_queue")
    blender.click("stc_mocap.dequeue(job=", RIGHT_EDGE, below=place[1] + 40)
    wait_until(blender, "not queue", 10.0)
    blender.ask("pause_engine", False)
    wait_until(blender, "running and running[1] > 0.25", 240.0)
    blender.picture("2_during")
    blender.ask("set_value", "show_preview", False)
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
    blender.ask("give_face", FACE_KEYS)
    for label in ("Bone Map", "Shape Map", "Options", "Corrections", "Captures", "Edit"):
        blender.ask("show_alone", label)
        time.sleep(2.5)
        blender.picture(f"7_{label.lower().replace(' ', '_')}")


def use_library(blender: Blender) -> None:
    """Apply the capture again from the list, smoothed otherwise; undo; and see it offered as not applied."""
    wait_until(blender, "captures == ['sample']", 10.0)
    blender.ask("show_alone", "Captures")
    blender.ask("set_value", "smoothing", 2.0)
    time.sleep(2.5)
    place = blender.find("stc_mocap.apply_capture(job=")
    blender.press(place)
    started = time.monotonic()
    wait_until(blender, "'2.00-auto' in motion", 30.0, every=0.05)
    blender.report["applied_smoothed_anew_s"] = round(time.monotonic() - started, 2)
    time.sleep(1.5)
    blender.picture("8_captures")
    blender.ask("set_value", "smoothing", 1.0)
    blender.press(place)
    started = time.monotonic()
    wait_until(blender, "'2.00-auto' not in motion", 30.0, every=0.05)
    blender.report["applied_again_s"] = round(time.monotonic() - started, 2)
    require(wait_until(blender, "message[0]", 5.0), "Applying says nothing.")
    parts, keys = blender.ask("face_keys")
    blender.report |= {"parts": parts, "face_keys": keys}
    require(set(parts) == {"hands", "face"}, f"The capture has {parts} beside the body.")
    require(keys >= FRAMES or blender.ask("get_value", "target") != "ARMATURE", f"The face has {keys} keyframes.")
    mouse("mousemove", 500, 450, "key", "ctrl+z")
    wait_until(blender, "not message[0] and '2.00-auto' in motion", 10.0)
    blender.ask("forget_import")
    require(blender.ask("state")["waiting"] == ["sample"], "The capture is not offered.")
    blender.ask("show_alone", "Capture")
    time.sleep(2.5)
    blender.picture("8_waiting")
    blender.ask("animate_something")
    blender.click("stc_mocap.apply_capture(job=", RIGHT)
    wait_until(blender, "abs(rate - 24.0) < 0.01 and not waiting", 10.0)
    blender.ask("show_alone", "Result")
    time.sleep(2.5)
    blender.picture("8_result_other_rate")
    blender.click("stc_mocap.use_video_rate()")
    wait_until(blender, "abs(rate - 30.0) < 0.01", 10.0)


def add_layer(blender: Blender) -> None:
    """Put a correction layer on the action, which the panel then shows."""
    blender.ask("show_alone", "Edit")
    time.sleep(2.5)
    blender.click("stc_mocap.add_layer()")
    require(wait_until(blender, "message[0]", 10.0), "Adding a layer says nothing.")
    time.sleep(1.0)
    blender.picture("9_layer")
    blender.find("stc_mocap.merge_layer()")


def run_script(blender: Blender) -> None:
    take_pictures_before(blender)
    choose_in_video(blender)
    refuse_text(blender)
    run_capture(blender)
    check_result(blender)
    blender.report["after"] = blender.ask("free")
    take_panel_pictures(blender)
    use_library(blender)
    add_layer(blender)


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
