"""Rigs as their vendors build them, as trees of names; the marks say what must be found.

One bone a line, hanging on the less indented line above. $ is the side, in lines that mean both. After the name:
= joint: this bone must be found as that joint (several in a row: its chain); ~ joint: as its twist bone; @ joint 0.5:
lies there, half way to the next joint, and must not be found; nothing: lies near its parent and must not be found.

The file is long because it is data only: each tree is a rig's list of bones, and nothing in it can be shortened.
"""

VENDORS = {
    "Daz Genesis 3 and 8": (
        "l r",
        """
hip = hips
  pelvis @ hips
    $ThighBend = upper_leg
      $ThighTwist ~ upper_leg 0.5
        $Shin = lower_leg
          $Foot = foot
            $Metatarsals @ foot 0.5
              $Toe = toes
                $BigToe
                $SmallToe1
            $Heel
  abdomenLower = spine
    abdomenUpper = spine
      chestLower = spine
        $Pectoral @ shoulder
        chestUpper = spine
          $Collar = shoulder
            $ShldrBend = upper_arm
              $ShldrTwist ~ upper_arm 0.5
                $ForearmBend = lower_arm
                  $ForearmTwist ~ lower_arm 0.5
                    $Hand = hand
                      $Thumb1
                      $Carpal1
                        $Index1
          neckLower = neck
            neckUpper = neck
              head = head
                $Eye
                lowerJaw
""",
    ),
    "Daz Genesis 9": (
        "l r",
        """
hip = hips
  pelvis @ hips
    $_thigh = upper_leg
      $_thightwist1 ~ upper_leg 0.3
      $_thightwist2 ~ upper_leg 0.6
      $_shin = lower_leg
        $_foot = foot
          $_metatarsal @ foot 0.6
            $_toes = toes
              $_bigtoe1
  spine1 = spine
    spine2 = spine
      spine3 = spine
        spine4 = spine
          $_pectoral @ shoulder
          $_shoulder = shoulder
            $_upperarm = upper_arm
              $_upperarmtwist1 ~ upper_arm 0.3
              $_upperarmtwist2 ~ upper_arm 0.6
              $_forearm = lower_arm
                $_forearmtwist1 ~ lower_arm 0.3
                $_forearmtwist2 ~ lower_arm 0.6
                $_hand = hand
                  $_thumb1
                  $_indexmetacarpal
                    $_index1
          neck1 = neck
            neck2 = neck
              head = head
                $_eye
""",
    ),
    "Daz Genesis 2 or Poser": (
        "l r",
        """
hip = hips
  pelvis @ hips
    $Thigh = upper_leg
      $Shin = lower_leg
        $Foot = foot
          $Toe = toes
  abdomen = spine
    abdomen2 = spine
      chest = spine
        neck = neck
          head = head
        $Collar = shoulder
          $Shldr = upper_arm
            $ForeArm = lower_arm
              $Hand = hand
                $Thumb1
""",
    ),
    "Character Creator": (
        "L R",
        """
CC_Base_BoneRoot
  CC_Base_Hip = hips
    CC_Base_Pelvis @ hips
      CC_Base_$_Thigh = upper_leg
        CC_Base_$_ThighTwist01 ~ upper_leg 0.3
          CC_Base_$_ThighTwist02 ~ upper_leg 0.6
        CC_Base_$_KneeShareBone @ lower_leg
        CC_Base_$_Calf = lower_leg
          CC_Base_$_CalfTwist01 ~ lower_leg 0.3
            CC_Base_$_CalfTwist02 ~ lower_leg 0.6
          CC_Base_$_Foot = foot
            CC_Base_$_ToeBaseShareBone @ toes
            CC_Base_$_ToeBase = toes
              CC_Base_$_BigToe1
    CC_Base_Waist = spine
      CC_Base_Spine01 = spine
        CC_Base_Spine02 = spine
          CC_Base_NeckTwist01 = neck
            CC_Base_NeckTwist02 = neck
              CC_Base_Head = head
                CC_Base_FacialBone
                  CC_Base_JawRoot
          CC_Base_$_Breast
          CC_Base_$_Clavicle = shoulder
            CC_Base_$_Upperarm = upper_arm
              CC_Base_$_UpperarmTwist01 ~ upper_arm 0.3
                CC_Base_$_UpperarmTwist02 ~ upper_arm 0.6
              CC_Base_$_ElbowShareBone @ lower_arm
              CC_Base_$_Forearm = lower_arm
                CC_Base_$_ForearmTwist01 ~ lower_arm 0.3
                  CC_Base_$_ForearmTwist02 ~ lower_arm 0.6
                CC_Base_$_Hand = hand
                  CC_Base_$_Mid1
""",
    ),
    "3ds Max Biped": (
        "L R",
        """
Bip001
  Bip001 Pelvis = hips
    Bip001 Spine = spine
      Bip001 $ Thigh = upper_leg
        Bip001 $ThighTwist ~ upper_leg 0.3
        Bip001 $ Calf = lower_leg
          Bip001 $ Foot = foot
            Bip001 $ Toe0 = toes
              Bip001 $ Toe0Nub
      Bip001 Spine1 = spine
        Bip001 Spine2 = spine
          Bip001 Neck = neck
            Bip001 Head = head
              Bip001 HeadNub
              Bip001 Ponytail1
            Bip001 $ Clavicle = shoulder
              Bip001 $ UpperArm = upper_arm
                Bip001 $UpArmTwist ~ upper_arm 0.3
                Bip001 $ Forearm = lower_arm
                  Bip001 $ ForeTwist ~ lower_arm 0.3
                  Bip001 $ Hand = hand
                    Bip001 $ Finger0
                      Bip001 $ Finger01
""",
    ),
    "Auto-Rig Pro": (
        "l r",
        """
root.x = hips
  thigh_stretch.$ = upper_leg
    thigh_twist.$ ~ upper_leg 0.1
    leg_stretch.$ = lower_leg
      leg_twist.$ ~ lower_leg 0.6
      foot.$ = foot
        toes_01.$ = toes
  spine_01.x = spine
    spine_02.x = spine
      spine_03.x = spine
        neck.x = neck
          head.x = head
            jawbone.x
        shoulder.$ = shoulder
          arm_stretch.$ = upper_arm
            arm_twist.$ ~ upper_arm 0.1
            forearm_stretch.$ = lower_arm
              forearm_twist.$ ~ lower_arm 0.6
              hand.$ = hand
                c_index1.$
""",
    ),
    "Auto-Rig Pro controls": (
        "l r",
        """
c_pos
  c_traj
    c_root_master.x = hips
      c_root.x @ hips
        root.x @ hips
          thigh_stretch.$ @ upper_leg
            leg_stretch.$ @ lower_leg
              foot.$ @ foot
          c_thigh_fk.$ = upper_leg
            c_leg_fk.$ = lower_leg
              c_foot_fk.$ = foot
                c_toes_fk.$ = toes
          thigh_ik.$ @ upper_leg
      c_spine_01.x = spine
        spine_01.x @ spine
        c_spine_02.x = spine
          spine_02.x @ chest
            shoulder.$ @ shoulder
              arm_stretch.$ @ upper_arm
                forearm_stretch.$ @ lower_arm
                  hand.$ @ hand
            neck.x @ neck
              head.x @ head
          c_neck.x = neck
            c_head.x = head
          c_shoulder.$ = shoulder
            c_arm_fk.$ = upper_arm
              c_forearm_fk.$ = lower_arm
                c_hand_fk.$ = hand
    c_hand_ik.$ @ hand
    c_foot_ik.$ @ foot
""",
    ),
    "VRoid": (
        "L R",
        """
Root
  J_Bip_C_Hips = hips
    J_Bip_C_Spine = spine
      J_Bip_C_Chest = spine
        J_Bip_C_UpperChest = spine
          J_Bip_C_Neck = neck
            J_Bip_C_Head = head
              J_Adj_$_FaceEye
              J_Sec_Hair1_01
                J_Sec_Hair2_01
          J_Sec_$_Bust1
          J_Bip_$_Shoulder = shoulder
            J_Bip_$_UpperArm = upper_arm
              J_Sec_$_TopsUpperArmInside_01
              J_Bip_$_LowerArm = lower_arm
                J_Bip_$_Hand = hand
                  J_Bip_$_Thumb1
    J_Bip_$_UpperLeg = upper_leg
      J_Sec_$_SkirtBack0_01
      J_Bip_$_LowerLeg = lower_leg
        J_Bip_$_Foot = foot
          J_Bip_$_ToeBase = toes
""",
    ),
    "VRM humanoid": (
        "Left Right",
        """
Armature
  Hips = hips
    Spine = spine
      Chest = spine
        UpperChest = spine
          Neck = neck
            Head = head
              $Eye
          $Shoulder = shoulder
            $UpperArm = upper_arm
              $LowerArm = lower_arm
                $Hand = hand
                  $ThumbProximal
    $UpperLeg = upper_leg
      $LowerLeg = lower_leg
        $Foot = foot
          $Toes = toes
""",
    ),
    "MakeHuman": (
        "L R",
        """
root = hips
  spine05 = spine
    spine04 = spine
      spine03 = spine
        spine02 = spine
          breast.$
          spine01 = spine
            clavicle.$ = shoulder
              shoulder01.$ = shoulder
                upperarm01.$ = upper_arm
                  upperarm02.$ ~ upper_arm 0.5
                    lowerarm01.$ = lower_arm
                      lowerarm02.$ ~ lower_arm 0.5
                        wrist.$ = hand
                          finger1-1.$
                          metacarpal1.$
            neck01 = neck
              neck02 = neck
                neck03 = neck
                  head = head
                    jaw
                    special05.$
                      eye.$
  pelvis.$ @ hips
    upperleg01.$ = upper_leg
      upperleg02.$ ~ upper_leg 0.5
        lowerleg01.$ = lower_leg
          lowerleg02.$ ~ lower_leg 0.5
            foot.$ = foot
              toe1-1.$ @ toes
                toe1-2.$
              toe2-1.$ @ toes
              toe3-1.$ @ toes
""",
    ),
    "Unreal mannequin": (
        "l r",
        """
root
  pelvis = hips
    spine_01 = spine
      spine_02 = spine
        spine_03 = spine
          spine_04 = spine
            spine_04_latissimus_$
            spine_05 = spine
              neck_01 = neck
                neck_02 = neck
                  head = head
              clavicle_pec_$
              clavicle_$ = shoulder
                clavicle_scap_$
                upperarm_$ = upper_arm
                  upperarm_twist_01_$ ~ upper_arm 0.3
                    upperarm_twistCor_01_$
                  upperarm_twist_02_$ ~ upper_arm 0.6
                  upperarm_correctiveRoot_$ @ upper_arm
                    upperarm_bicep_$
                  lowerarm_$ = lower_arm
                    lowerarm_twist_02_$ ~ lower_arm 0.3
                    lowerarm_twist_01_$ ~ lower_arm 0.6
                    lowerarm_correctiveRoot_$
                    hand_$ = hand
                      index_metacarpal_$
                        index_01_$
                      wrist_inner_$
                      weapon_$
    thigh_$ = upper_leg
      thigh_correctiveRoot_$
      thigh_twist_01_$ ~ upper_leg 0.3
      thigh_twist_02_$ ~ upper_leg 0.6
      calf_$ = lower_leg
        calf_twist_02_$ ~ lower_leg 0.3
        calf_twist_01_$ ~ lower_leg 0.6
        foot_$ = foot
          ankle_fwd_$
          ball_$ = toes
  ik_foot_root
    ik_foot_$ @ foot
  ik_hand_root
    ik_hand_gun
      ik_hand_$ @ hand
  interaction
  center_of_mass
""",
    ),
    "MikuMikuDance": (
        "左 右",
        """
全ての親
  センター @ hips
    グルーブ = hips
      上半身 = spine
        上半身2 = spine
          首 = neck
            頭 = head
              $目
          $肩P @ shoulder
            $肩 = shoulder
              $肩C @ upper_arm
                $腕 = upper_arm
                  $腕捩 ~ upper_arm 0.6
                    $ひじ = lower_arm
                      $手捩 ~ lower_arm 0.6
                        $手首 = hand
                          $人指１
      下半身 @ hips
        $足 = upper_leg
          $ひざ = lower_leg
            $足首 = foot
              $つま先 = toes
        $足D @ upper_leg
          $ひざD @ lower_leg
            $足首D @ foot
              $足先EX @ toes
        前髪1
  $足ＩＫ @ foot
    $つま先ＩＫ @ toes
""",
    ),
    "Synty": (
        "L R",
        """
Root
  Hips = hips
    Spine_01 = spine
      Spine_02 = spine
        Spine_03 = spine
          Neck = neck
            Head = head
              Eyebrows
          Clavicle_$ = shoulder
            Shoulder_$ = upper_arm
              Elbow_$ = lower_arm
                Hand_$ = hand
                  Thumb_01$
    UpperLeg_$ = upper_leg
      LowerLeg_$ = lower_leg
        Ankle_$ = foot
          Ball_$ = toes
            Toes_$
""",
    ),
    "Xsens": (
        "Left Right",
        """
Reference
  Pelvis = hips
    L5 = spine
      L3 = spine
        T12 = spine
          T8 = spine
            Neck = neck
              Head = head
            $Shoulder = shoulder
              $UpperArm = upper_arm
                $ForeArm = lower_arm
                  $Hand = hand
    $UpperLeg = upper_leg
      $LowerLeg = lower_leg
        $Foot = foot
          $Toe = toes
""",
    ),
    "BVH joints": (
        "Left Right",
        """
Hips = hips
  Chest = spine
    Chest2 = spine
      $Collar = shoulder
        $Shoulder = upper_arm
          $Elbow = lower_arm
            $Wrist = hand
      Neck = neck
        Head = head
  $Hip = upper_leg
    $Knee = lower_leg
      $Ankle = foot
        $Toe = toes
""",
    ),
    "Ready Player Me": (
        "Left Right",
        """
Hips = hips
  Spine = spine
    Spine1 = spine
      Spine2 = spine
        Neck = neck
          Head = head
            HeadTop_End
            $Eye
        $Shoulder = shoulder
          $Arm = upper_arm
            $ForeArm = lower_arm
              $Hand = hand
                $HandThumb1
  $UpLeg = upper_leg
    $Leg = lower_leg
      $Foot = foot
        $ToeBase = toes
          $Toe_End
""",
    ),
    "Mixamo or MotionBuilder": (
        "Left Right",
        """
Character1_Reference
  Character1_Hips = hips
    Character1_Spine = spine
      Character1_Spine1 = spine
        Character1_Neck = neck
          Character1_Head = head
        Character1_$Shoulder = shoulder
          Character1_$Arm = upper_arm
            Character1_$ArmRoll ~ upper_arm 0.5
            Character1_$ForeArm = lower_arm
              Character1_$ForeArmRoll ~ lower_arm 0.5
              Character1_$Hand = hand
                Character1_$HandIndex1
    Character1_$UpLeg = upper_leg
      Character1_$UpLegRoll ~ upper_leg 0.5
      Character1_$Leg = lower_leg
        Character1_$LegRoll ~ lower_leg 0.5
        Character1_$Foot = foot
          Character1_$ToeBase = toes
""",
    ),
}

# Rigs that nobody listed.
STRANGERS = {
    "words of many rigs": (
        "L R",
        """
ctrl_root
  Pelvis = hips
    Torso = spine
      Ribcage = spine
        Neck = neck
          Skull = head
        Collarbone $ = shoulder
          UpArm $ = upper_arm
            LoArm $ = lower_arm
              Wrist $ = hand
                Thumb $
    UpLeg $ = upper_leg
      LoLeg $ = lower_leg
        Ankle $ = foot
          Toe $ = toes
""",
    ),
    "shoulder is the upper arm": (
        "_L _R",
        """
Hip = hips
  Waist = spine
    Chest = spine
      Neck = neck
        Head = head
      Shoulder$ = upper_arm
        Elbow$ = lower_arm
          Wrist$ = hand
  Hip$ = upper_leg
    Knee$ = lower_leg
      Ankle$ = foot
        Ball$ = toes
""",
    ),
    "shoulder is the collar bone": (
        "left right",
        """
body_root
  hips = hips
    spine_low = spine
      spine_up = spine
        neck = neck
          head = head
        $_shoulder = shoulder
          $_arm = upper_arm
            $_elbow = lower_arm
              $_palm = hand
    $_leg = upper_leg
      $_knee = lower_leg
        $_foot = foot
""",
    ),
    "arms and legs counted": (
        "l r",
        """
root
  cog = hips
    torso1 = spine
      torso2 = spine
        neck1 = neck
          head = head
        clavicle-$ = shoulder
          arm1-$ = upper_arm
            arm2-$ = lower_arm
              hand-$ = hand
    leg1-$ = upper_leg
      leg2-$ = lower_leg
        foot-$ = foot
          toes-$ = toes
""",
    ),
    "a game's blocks": (
        "Left Right",
        """
HumanoidRootPart
  LowerTorso = hips
    UpperTorso = spine
      Head = head
      $UpperArm = upper_arm
        $LowerArm = lower_arm
          $Hand = hand
    $UpperLeg = upper_leg
      $LowerLeg = lower_leg
        $Foot = foot
""",
    ),
    "Source engine": (
        "L R",
        """
ValveBiped.Bip01_Pelvis = hips
  ValveBiped.Bip01_Spine = spine
    ValveBiped.Bip01_Spine1 = spine
      ValveBiped.Bip01_Spine2 = spine
        ValveBiped.Bip01_Spine4 = spine
          ValveBiped.Bip01_Neck1 = neck
            ValveBiped.Bip01_Head1 = head
          ValveBiped.Bip01_$_Clavicle = shoulder
            ValveBiped.Bip01_$_UpperArm = upper_arm
              ValveBiped.Bip01_$_Forearm = lower_arm
                ValveBiped.Bip01_$_Hand = hand
                  ValveBiped.Bip01_$_Finger0
  ValveBiped.Bip01_$_Thigh = upper_leg
    ValveBiped.Bip01_$_Calf = lower_leg
      ValveBiped.Bip01_$_Foot = foot
        ValveBiped.Bip01_$_Toe0 = toes
""",
    ),
    "twists first in the chain": (
        "l r",
        """
root.x = hips
  thigh_twist.$ = upper_leg
    thigh_stretch.$ ~ upper_leg 0.5
      leg_stretch.$ = lower_leg
        leg_twist.$ ~ lower_leg 0.5
          foot.$ = foot
            toes_01.$ = toes
  spine_01.x = spine
    spine_02.x = spine
      neck.x = neck
        head.x = head
      shoulder.$ = shoulder
        c_arm_twist_offset.$ = upper_arm
          arm_stretch.$ ~ upper_arm 0.5
            forearm_stretch.$ = lower_arm
              forearm_twist.$ ~ lower_arm 0.5
                hand.$ = hand
""",
    ),
}
