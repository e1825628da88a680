"""How programs and studios name a face's shape keys: facts, as data.

One vendor a paragraph: its name, then its keys. Some that mean nothing for a face are among them.
"""

# ruff: noqa: E501 - a row of a table is one line

from __future__ import annotations

import re

from stc_core.motion.face import FACE_COEFFICIENTS

_VENDORS = """
VRM 0 | A I U E O Blink Blink_L Blink_R Joy Angry Sorrow Fun LookUp LookDown LookLeft LookRight Neutral
VRM 1 | aa ih ou ee oh blink blinkLeft blinkRight happy angry sad relaxed surprised lookUp lookDown lookLeft lookRight neutral
VRoid | Fcl_ALL_Neutral Fcl_ALL_Angry Fcl_ALL_Fun Fcl_ALL_Joy Fcl_ALL_Sorrow Fcl_ALL_Surprised Fcl_BRW_Angry Fcl_BRW_Fun Fcl_BRW_Joy Fcl_BRW_Sorrow Fcl_BRW_Surprised Fcl_EYE_Natural Fcl_EYE_Angry Fcl_EYE_Close Fcl_EYE_Close_R Fcl_EYE_Close_L Fcl_EYE_Fun Fcl_EYE_Joy Fcl_EYE_Joy_R Fcl_EYE_Joy_L Fcl_EYE_Sorrow Fcl_EYE_Surprised Fcl_EYE_Spread Fcl_EYE_Iris_Hide Fcl_MTH_Close Fcl_MTH_Up Fcl_MTH_Down Fcl_MTH_Angry Fcl_MTH_Small Fcl_MTH_Large Fcl_MTH_Neutral Fcl_MTH_Fun Fcl_MTH_Joy Fcl_MTH_Sorrow Fcl_MTH_Surprised Fcl_MTH_SkinFung Fcl_MTH_A Fcl_MTH_I Fcl_MTH_U Fcl_MTH_E Fcl_MTH_O Fcl_HA_Hide Fcl_HA_Fung1
VRoid in VRM 0 | Face.M_F00_000_00_Fcl_ALL_Joy Face.M_F00_000_00_Fcl_BRW_Angry Face.M_F00_000_00_Fcl_EYE_Close_L Face.M_F00_000_00_Fcl_EYE_Close_R Face.M_F00_000_00_Fcl_MTH_A Face.M_F00_000_00_Fcl_MTH_I Face.M_F00_000_00_Fcl_MTH_U Face.M_F00_000_00_Fcl_MTH_E Face.M_F00_000_00_Fcl_MTH_O
MMD | まばたき 笑い ウィンク ウィンク右 ウィンク２ ｳｨﾝｸ２右 なごみ はぅ びっくり じと目 ｷﾘｯ 瞳小 あ い う え お あ２ ん ▲ ∧ □ ワ ω にやり にっこり ぺろっ てへぺろ 口角上げ 口角下げ 口横広げ 歯無し上 真面目 困る にこり 怒り 上 下 照れ
MMD small | まばたき ウィンク ウィンク右 あ い う え お にやり 笑い 怒り 困る
MMD English | Blink Wink Wink_R a i u e o Grin Serious
Character Creator 4 | Brow_Raise_Inner_L Brow_Raise_Inner_R Brow_Raise_Outer_L Brow_Raise_Outer_R Brow_Drop_L Brow_Drop_R Brow_Compress_L Brow_Compress_R Eye_Blink_L Eye_Blink_R Eye_Squint_L Eye_Squint_R Eye_Wide_L Eye_Wide_R Eye_L_Look_L Eye_R_Look_L Eye_L_Look_R Eye_R_Look_R Eye_L_Look_Up Eye_R_Look_Up Eye_L_Look_Down Eye_R_Look_Down Nose_Sneer_L Nose_Sneer_R Nose_Tip_L Cheek_Raise_L Cheek_Raise_R Cheek_Suck_L Cheek_Suck_R Cheek_Puff_L Cheek_Puff_R Mouth_Smile_L Mouth_Smile_R Mouth_Smile_Sharp_L Mouth_Smile_Sharp_R Mouth_Frown_L Mouth_Frown_R Mouth_Stretch_L Mouth_Stretch_R Mouth_Dimple_L Mouth_Dimple_R Mouth_Press_L Mouth_Press_R Mouth_Pucker_Up_L Mouth_Pucker_Up_R Mouth_Pucker_Down_L Mouth_Pucker_Down_R Mouth_Funnel_Up_L Mouth_Funnel_Up_R Mouth_Funnel_Down_L Mouth_Funnel_Down_R Mouth_Roll_In_Upper_L Mouth_Roll_In_Upper_R Mouth_Roll_In_Lower_L Mouth_Roll_In_Lower_R Mouth_Up Mouth_Down Mouth_L Mouth_R Mouth_Shrug_Upper Mouth_Shrug_Lower Mouth_Up_Upper_L Mouth_Up_Upper_R Mouth_Down_Lower_L Mouth_Down_Lower_R Mouth_Close Jaw_Open Jaw_Forward Jaw_Backward Jaw_L Jaw_R Tongue_Out Neck_Swallow_Up Head_Turn_L V_Open V_Explosive V_Dental_Lip V_Tight_O V_Tight V_Wide V_Affricate V_Lip_Open
Character Creator 3 | Open Explosive Dental_Lip Tight-O Tight Wide Affricate Lip_Open Brow_Raise_Inner_L Brow_Raise_Inner_R Brow_Raise_Outer_L Brow_Raise_Outer_R Brow_Drop_L Brow_Drop_R Eye_Blink Eye_Blink_L Eye_Blink_R Eye_Wide_L Eye_Wide_R Eye_Squint_L Eye_Squint_R Nose_Scrunch Cheek_Blow_L Cheek_Blow_R Mouth_Smile Mouth_Smile_L Mouth_Smile_R Mouth_Open Mouth_Frown Mouth_Frown_L Mouth_Frown_R Mouth_Pucker Mouth_Pucker_Open Mouth_Widen Mouth_Plosive Mouth_Top_Lip_Up Mouth_Bottom_Lip_Down Mouth_L Mouth_R
MetaHuman | CTRL_expressions_browDownL CTRL_expressions_browDownR CTRL_expressions_browRaiseInL CTRL_expressions_browRaiseInR CTRL_expressions_browRaiseOuterL CTRL_expressions_browRaiseOuterR CTRL_expressions_eyeBlinkL CTRL_expressions_eyeBlinkR CTRL_expressions_eyeWidenL CTRL_expressions_eyeWidenR CTRL_expressions_eyeLookLeftL CTRL_expressions_eyeLookLeftR CTRL_expressions_eyeLookRightL CTRL_expressions_eyeLookRightR CTRL_expressions_noseWrinkleL CTRL_expressions_noseWrinkleR CTRL_expressions_mouthCornerPullL CTRL_expressions_mouthCornerPullR CTRL_expressions_mouthCornerDepressL CTRL_expressions_mouthCornerDepressR CTRL_expressions_mouthLipsPurseUL CTRL_expressions_mouthLipsPurseUR CTRL_expressions_mouthLipsPurseDL CTRL_expressions_mouthLipsPurseDR CTRL_expressions_mouthFunnelUL CTRL_expressions_mouthFunnelUR CTRL_expressions_mouthFunnelDL CTRL_expressions_mouthFunnelDR CTRL_expressions_mouthLipsTogetherUL CTRL_expressions_mouthLipsTogetherUR CTRL_expressions_mouthLeft CTRL_expressions_mouthRight CTRL_expressions_jawOpen CTRL_expressions_jawLeft CTRL_expressions_jawRight
FACS | AU01 AU02_L AU02_R AU04_L AU04_R AU05_L AU05_R AU06_L AU06_R AU09_L AU09_R AU12_L AU12_R AU15_L AU15_R AU18 AU22 AU25 AU26 AU27 AU45_L AU45_R
FACS both sides | AU1 AU2 AU4 AU5 AU6 AU12 AU15 AU26 AU45
Daz Genesis 8 | eCTRLEyesClosed eCTRLEyesClosedL eCTRLEyesClosedR eCTRLMouthOpen eCTRLMouthSmile eCTRLMouthFrown eCTRLMouthSmileSimpleL eCTRLMouthSmileSimpleR eCTRLBrowInnerUp-DownL eCTRLBrowInnerUp-DownR eCTRLBrowOuterUp-DownL eCTRLBrowOuterUp-DownR eCTRLLipsPucker-Pressed eCTRLLipsPuckerWide eCTRLvAA eCTRLvEE eCTRLvEH eCTRLvIY eCTRLvOW eCTRLvUW FBMBodybuilder
Daz Genesis 9 | facs_bs_JawOpen facs_bs_MouthFunnelUpperLeft facs_bs_MouthFunnelUpperRight facs_bs_MouthFunnelLowerLeft facs_bs_MouthFunnelLowerRight facs_bs_MouthPurseUpperLeft facs_bs_MouthPurseUpperRight facs_bs_MouthPurseLowerLeft facs_bs_MouthPurseLowerRight facs_bs_MouthRollLowerLeft facs_bs_MouthRollLowerRight facs_bs_MouthSmileLeft facs_bs_MouthSmileRight facs_bs_MouthSmileWidenLeft facs_bs_EyelidOpenUpperLeft facs_bs_EyelidOpenUpperRight facs_bs_MouthLeft facs_bs_MouthRight facs_bs_NoseSneerLeft facs_bs_NoseSneerRight
MakeHuman | eye-left-closure eye-right-closure eye-left-opened-up eye-right-opened-up eye-left-slit eye-right-slit eyebrows-left-down eyebrows-right-down eyebrows-left-inner-up eyebrows-right-inner-up eyebrows-left-extern-up eyebrows-right-extern-up mouth-compression mouth-corner-puller mouth-depression mouth-elevation mouth-open mouth-protusion mouth-pursing mouth-retraction nose-left-elevation nose-right-elevation
VRChat | vrc.v_aa vrc.v_ch vrc.v_dd vrc.v_e vrc.v_ff vrc.v_ih vrc.v_kk vrc.v_nn vrc.v_oh vrc.v_ou vrc.v_pp vrc.v_rr vrc.v_sil vrc.v_ss vrc.v_th vrc.blink_left vrc.blink_right vrc.lowerlid_left vrc.lowerlid_right
Plain | blink.L blink.R smile.L smile.R frown.L frown.R mouthOpen Basis2 fat muscle
SMPL-X | Shape000 Shape001 Exp000 Exp001 Exp002 Pose000
""".strip()
_VISEMES = "viseme_sil viseme_PP viseme_FF viseme_TH viseme_DD viseme_kk viseme_CH viseme_SS viseme_nn viseme_RR viseme_aa viseme_E viseme_I viseme_O viseme_U mouthOpen mouthSmile eyesClosed eyesLookUp eyesLookDown"

VENDORS = {row.split("|")[0].strip(): tuple(row.split("|")[1].split()) for row in _VENDORS.splitlines()}
VENDORS["Ready Player Me"] = (*FACE_COEFFICIENTS, *_VISEMES.split())
VENDORS["ARKit, prefixed"] = tuple(f"Jane_{name}" for name in FACE_COEFFICIENTS)
VENDORS["Character Creator 3+"] = tuple(
    f"A{number + 1:02}_" + re.sub("(?<=[a-z])(?=[A-Z])", "_", name[0].upper() + name[1:])
    for number, name in enumerate(FACE_COEFFICIENTS)
)
VENDORS["Daz Genesis 8.1"] = tuple(f"facs_bs_{name[0].upper()}{name[1:]}_div2" for name in FACE_COEFFICIENTS)
VENDORS["Maya"] = tuple(f"blendShape1.{name}" for name in FACE_COEFFICIENTS)
VENDORS["Live Link Face"] = tuple(name[0].upper() + name[1:] for name in FACE_COEFFICIENTS)
VENDORS["with underscores"] = tuple(re.sub("[A-Z]", lambda c: f"_{c[0].lower()}", name) for name in FACE_COEFFICIENTS)
VENDORS["Faceit, short sides"] = tuple(
    re.sub("(Left|Right)$", lambda side: f"_{side[0][0]}", name) for name in FACE_COEFFICIENTS
)
ARKIT_SPELLINGS = (
    "ARKit, prefixed",
    "Character Creator 3+",
    "Daz Genesis 8.1",
    "Maya",
    "Live Link Face",
    "with underscores",
    "Faceit, short sides",
)
