"""The hands and the face of one person, looked for in each frame where the body's landmarks tell.

Which hand it is the arm tells: a hand that is not at the wrist, or that the other arm has the better claim to, does not
count. Knows one person's frames in order; not how MediaPipe finds anything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..layout import MEDIAPIPE_NAMES, SIDES, Array
from ..pose import Frame
from .config import DetectConfig
from .crops import CROP_PX, Crop, find_wrists, measure_scale, place_hand_crop, place_head_crop, weigh_wrists
from .hand_face_landmarkers import FaceInCrop, FaceLandmarker, HandLandmarker
from .hand_face_rows import skip_face, skip_hands, write_face, write_hand
from .landmarker import Row

_HAND_M, _HEAD_M = 0.19, 0.22  # a hand's length and a head's height; of the average adult
_LEAST_HAND_PX, _LEAST_HEAD_PX = 20.0, 25.0  # smaller ones are not looked for; chosen
_EVERY_FRAME_HAND_PX, _EVERY_FRAME_HEAD_PX = 80.0, 100.0  # smaller ones are looked for in every second frame; chosen
_THOROUGH = "heavy"  # beside the other networks near ones are, too: they would take as long as the body itself
_LEAST_VISIBILITY = 0.2  # of the body's wrist; no hand was found at one less visible than 0.28 in three real clips
_SURE_WRIST_M, _MAX_WRIST_M = 0.06, 0.14  # how far a hand's wrist may be from the body's; chosen on real clips
_LEAST_LENGTH_M, _MAX_LENGTH_M = 0.04, 0.4  # of a hand's points, from one end to the other; chosen
_SAME_HANDS_LENGTHS = 0.35  # hands whose points are no further apart are one, in lengths of the longer; chosen
_SIDE_SCORE_M = 0.1  # a certain look counts as much as a wrist so much nearer; chosen
_APART_M = 0.1  # a hand so far from the other arm's wrist is painted over in the other hand's crop; chosen
_PAINTED_MARGIN = 0.2  # around it, of its length; chosen
_MAX_REFUSED = 3  # after so many in a row the hand is looked for anew; chosen
_NOSE = MEDIAPIPE_NAMES.index("nose")
_EARS = [MEDIAPIPE_NAMES.index(f"{side}_ear") for side in SIDES]
_SURE_FACE_PX, _SURE_FACING = 50.0, 0.5  # a face's height; the cosine of its angle to the camera; chosen
_MAX_AWAY_M = 0.03  # a nose so far behind the ears is on a head that is turned away; chosen


@dataclass(frozen=True, kw_only=True)
class _Hand:
    """A hand in the picture, found for one arm."""

    image: Array
    """(21, 2) pixels"""
    world: Array
    """(21, 3) metres"""
    wrist_m: float
    """how far its wrist is from the arm's"""
    side_score: float
    """how likely it is that arm's hand, by its look"""

    @property
    def length_px(self) -> float:
        """Of its points, from one end to the other."""
        return float(np.linalg.norm(np.ptp(self.image, axis=0)))

    @property
    def score(self) -> float:
        """How much it counts: 0 of a hand that is too far from the wrist."""
        return float(np.clip((_MAX_WRIST_M - self.wrist_m) / (_MAX_WRIST_M - _SURE_WRIST_M), 0.0, 1.0))

    @property
    def misfit_m(self) -> float:
        """How little it belongs to the arm, beside the other arm's claim to it."""
        return self.wrist_m - _SIDE_SCORE_M * self.side_score


class HandsFaceFinder:
    """Both hands and the face of one person, in frames given once, in order."""

    def __init__(self, config: DetectConfig):
        self._config, self._is_thorough = config, config.network == _THOROUGH
        self._hands: list[HandLandmarker | None] = [None, None]
        self._refused = [0, 0]
        self._face: FaceLandmarker | None = None
        self._skipped_hands = self._skipped_face = True

    def find(self, time_s: float, frame: Frame, body: Row, row: Row) -> None:
        """Write what is found at a body (33, 7) into a person's row (ROW_SIZE,); nothing of a body that is nobody."""
        if not body.any():
            return
        px_per_m = measure_scale(body)
        if self._config.hands and px_per_m * _HAND_M >= _LEAST_HAND_PX:
            is_near = px_per_m * _HAND_M >= _EVERY_FRAME_HAND_PX
            self._skipped_hands = not (self._skipped_hands or (is_near and self._is_thorough))
            if self._skipped_hands:
                skip_hands(row)
            else:
                self._find_hands(time_s, frame, body, px_per_m, row)
        if self._config.face and px_per_m * _HEAD_M >= _LEAST_HEAD_PX and not _is_turned_away(body):
            is_near = px_per_m * _HEAD_M >= _EVERY_FRAME_HEAD_PX
            self._skipped_face = not (self._skipped_face or (is_near and self._is_thorough))
            if self._skipped_face:
                skip_face(row)
            else:
                self._find_face(time_s, frame, place_head_crop(body, px_per_m), row)

    def _find_hands(self, time_s: float, frame: Frame, body: Row, px_per_m: float, row: Row) -> None:
        """The hand at the wrist that is seen better first: it is painted over where the other one is looked for."""
        found: dict[int, _Hand] = {}
        for side in np.argsort([-weight for weight in weigh_wrists(body)], kind="stable").tolist():
            hand = self._find_hand(time_s, frame, body, side, px_per_m, found.get(1 - side))
            if hand is not None and hand.score > 0.0:
                found[side] = hand
            elif hand is not None:
                self._refuse(time_s, side)
        if len(found) == 2 and _is_same(found[0], found[1]):
            loser = 0 if found[1].misfit_m < found[0].misfit_m else 1
            del found[loser]
            self._refuse(time_s, loser)
        for side, hand in found.items():
            self._refused[side] = 0
            write_hand(row, side, hand.image, hand.world, hand.side_score, hand.score)

    def _find_hand(
        self, time_s: float, frame: Frame, body: Row, side: int, px_per_m: float, other: _Hand | None
    ) -> _Hand | None:
        """What looks like a hand around one wrist, whosever it may be."""
        crop = place_hand_crop(body, side, px_per_m)
        if weigh_wrists(body)[side] < _LEAST_VISIBILITY or not crop.is_centred_in(frame):
            return None
        landmarker = self._hands[side] = self._hands[side] or HandLandmarker(self._config)
        wrist = find_wrists(body)[side]
        picture = crop.cut_out(frame)
        if other is not None and np.linalg.norm(other.image - wrist, axis=-1).min() > _APART_M * px_per_m:
            _paint_over(picture, crop, other)
        seen = landmarker.detect(time_s, picture)
        if seen is None:
            return None
        image = crop.to_picture(seen.points)
        hand = _Hand(
            image=image,
            world=seen.world,
            wrist_m=float(np.linalg.norm(image[0] - wrist)) / px_per_m,
            side_score=float(seen.side_scores[side]),
        )
        return hand if _LEAST_LENGTH_M < hand.length_px / px_per_m < _MAX_LENGTH_M else None

    def _refuse(self, time_s: float, side: int) -> None:
        """Count a hand that is not this arm's; after some the landmarker is to let go of it."""
        self._refused[side] += 1
        landmarker = self._hands[side]
        if self._refused[side] % _MAX_REFUSED == 0 and landmarker is not None:
            landmarker.forget(time_s)

    def _find_face(self, time_s: float, frame: Frame, crop: Crop, row: Row) -> None:
        if not crop.is_centred_in(frame):
            return
        self._face = self._face or FaceLandmarker(self._config)
        face = self._face.detect(time_s, crop.cut_out(frame))
        if face is not None:
            points = crop.to_picture(face.points)
            box = np.concatenate([points.min(0), points.max(0)])
            write_face(row, face.coefficients, face.R_ray_head, box, _score_face(face, box))

    def close(self) -> None:
        for landmarker in (*self._hands, self._face):
            if landmarker is not None:
                landmarker.close()


def _score_face(face: FaceInCrop, box: Array) -> float:
    """How much a face counts: less of one that is small, or seen from the side."""
    height_px = float(box[3] - box[1])
    size = np.clip(height_px / _SURE_FACE_PX, 0.0, 1.0)
    facing = np.clip(face.R_ray_head[2, 1] / _SURE_FACING, 0.0, 1.0)
    return float(size * facing)


def _is_turned_away(body: Row) -> bool:
    return bool(body[_NOSE, 4] - body[_EARS, 4].mean() > _MAX_AWAY_M)


def _is_same(hand: _Hand, other: _Hand) -> bool:
    """Whether two arms found the same hand."""
    distance = float(np.linalg.norm(hand.image.mean(0) - other.image.mean(0)))
    return distance < _SAME_HANDS_LENGTHS * max(hand.length_px, other.length_px)


def _paint_over(picture: Frame, crop: Crop, hand: _Hand) -> None:
    """Put one plain colour over a hand in a crop."""
    margin = _PAINTED_MARGIN * hand.length_px
    corners = np.stack([hand.image.min(0) - margin, hand.image.max(0) + margin])
    (left, top), (right, bottom) = np.clip((corners - crop.centre) * crop.scale + CROP_PX / 2.0, 0, CROP_PX).astype(int)
    picture[top:bottom, left:right] = np.median(picture[::16, ::16].reshape(-1, 3), axis=0)
