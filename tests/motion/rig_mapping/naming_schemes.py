"""How programs, studios and people name a body's bones: facts, as data, and a body made with such names.

One scheme a line: sides; bones above the hips; hips; spine; neck; head; arm; leg. $ is the side. Bones of a part are
separated by commas; a limb's are shoulder, upper arm, lower arm, hand and upper leg, lower leg, foot, toes, a - where
there is none. Twist bones and helpers are in rig_trees.py.
The lists are long because they are data only.
"""

# ruff: noqa: E501 - a row of a table is one line

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.retarget.rest_pose import RestPose
from stc_core.motion.skeleton import HUMANOID
from tests.motion.rig_mapping.rigs import make_armature

ARM = ("shoulder", "upper_arm", "lower_arm", "hand")
LEG = ("upper_leg", "lower_leg", "foot", "toes")
TRUNK = ("spine", "chest", "upper_chest")

_VENDORS = """
Mixamo | Left Right | | mixamorig:Hips | mixamorig:Spine, mixamorig:Spine1, mixamorig:Spine2 | mixamorig:Neck | mixamorig:Head | mixamorig:$Shoulder, mixamorig:$Arm, mixamorig:$ForeArm, mixamorig:$Hand | mixamorig:$UpLeg, mixamorig:$Leg, mixamorig:$Foot, mixamorig:$ToeBase
Unreal 4 | l r | root | pelvis | spine_01, spine_02, spine_03 | neck_01 | head | clavicle_$, upperarm_$, lowerarm_$, hand_$ | thigh_$, calf_$, foot_$, ball_$
Unreal 5 | l r | root | pelvis | spine_01, spine_02, spine_03, spine_04, spine_05 | neck_01, neck_02 | head | clavicle_$, upperarm_$, lowerarm_$, hand_$ | thigh_$, calf_$, foot_$, ball_$
Unity humanoid | Left Right | | Hips | Spine, Chest, UpperChest | Neck | Head | $Shoulder, $UpperArm, $LowerArm, $Hand | $UpperLeg, $LowerLeg, $Foot, $Toes
VRM 1.0 | left right | Armature | hips | spine, chest, upperChest | neck | head | $Shoulder, $UpperArm, $LowerArm, $Hand | $UpperLeg, $LowerLeg, $Foot, $Toes
VRoid | L R | Root | J_Bip_C_Hips | J_Bip_C_Spine, J_Bip_C_Chest, J_Bip_C_UpperChest | J_Bip_C_Neck | J_Bip_C_Head | J_Bip_$_Shoulder, J_Bip_$_UpperArm, J_Bip_$_LowerArm, J_Bip_$_Hand | J_Bip_$_UpperLeg, J_Bip_$_LowerLeg, J_Bip_$_Foot, J_Bip_$_ToeBase
CATS | Left Right | | Hips | Spine, Chest | Neck | Head | $ shoulder, $ arm, $ elbow, $ wrist | $ leg, $ knee, $ ankle, $ toe
VRChat hand-made | L R | | Hips | Spine, Chest | Neck | Head | Shoulder.$, UpperArm.$, LowerArm.$, Hand.$ | UpperLeg.$, LowerLeg.$, Foot.$, Toe.$
VRChat underscore | L R | Armature | Hips | Spine, Chest | Neck | Head | Shoulder_$, Upper Arm_$, Lower Arm_$, Hand_$ | Upper Leg_$, Lower Leg_$, Foot_$, Toes_$
MMD Japanese | 左 右 | 全ての親, センター, グルーブ | 腰 | 上半身, 上半身2 | 首 | 頭 | $肩, $腕, $ひじ, $手首 | $足, $ひざ, $足首, $つま先
MMD Japanese suffix | L R | 全ての親 | センター | 上半身, 上半身2 | 首 | 頭 | 肩.$, 腕.$, ひじ.$, 手首.$ | 足.$, ひざ.$, 足首.$, つま先.$
MMD English | L R | ParentNode, Center, Groove | Waist | UpperBody, UpperBody2 | Neck | Head | Shoulder_$, Arm_$, Elbow_$, Wrist_$ | Leg_$, Knee_$, Ankle_$, ToeTip_$
MMD English words | left right | master, center | groove | upper body, upper body 2 | neck | head | $ shoulder, $ arm, $ elbow, $ wrist | $ leg, $ knee, $ ankle, $ toe
Daz Genesis 8 | l r | Genesis8Female | hip | abdomenLower, abdomenUpper, chestLower, chestUpper | neckLower, neckUpper | head | $Collar, $ShldrBend, $ForearmBend, $Hand | $ThighBend, $Shin, $Foot, $Toe
Daz Genesis 9 | l r | Genesis9 | hip | spine1, spine2, spine3, spine4 | neck1, neck2 | head | $_shoulder, $_upperarm, $_forearm, $_hand | $_thigh, $_shin, $_foot, $_toes
Poser | l r | | hip | abdomen, chest | neck | head | $Collar, $Shldr, $ForeArm, $Hand | $Thigh, $Shin, $Foot, $Toe
Character Creator | L R | CC_Base_BoneRoot | CC_Base_Hip | CC_Base_Waist, CC_Base_Spine01, CC_Base_Spine02 | CC_Base_NeckTwist01, CC_Base_NeckTwist02 | CC_Base_Head | CC_Base_$_Clavicle, CC_Base_$_Upperarm, CC_Base_$_Forearm, CC_Base_$_Hand | CC_Base_$_Thigh, CC_Base_$_Calf, CC_Base_$_Foot, CC_Base_$_ToeBase
iClone export | L R | RL_BoneRoot | Hip | Waist, Spine01, Spine02 | NeckTwist01 | Head | $_Clavicle, $_Upperarm, $_Forearm, $_Hand | $_Thigh, $_Calf, $_Foot, $_ToeBase
MakeHuman | L R | | root | spine05, spine04, spine03, spine02, spine01 | neck01, neck02, neck03 | head | clavicle.$, upperarm01.$, lowerarm01.$, wrist.$ | upperleg01.$, lowerleg01.$, foot.$, -
MakeHuman game | l r | Root | pelvis | spine_01, spine_02, spine_03 | neck_01 | head | clavicle_$, upperarm_$, lowerarm_$, hand_$ | thigh_$, calf_$, foot_$, ball_$
3ds Max Biped | L R | Bip001 | Bip001 Pelvis | Bip001 Spine, Bip001 Spine1, Bip001 Spine2 | Bip001 Neck | Bip001 Head | Bip001 $ Clavicle, Bip001 $ UpperArm, Bip001 $ Forearm, Bip001 $ Hand | Bip001 $ Thigh, Bip001 $ Calf, Bip001 $ Foot, Bip001 $ Toe0
3ds Max CAT | L R | | CATRigHub001 | CATRigSpine1, CATRigSpine2, CATRigHub002 | CATRigNeck | CATRigHub003 | CATRig$ArmCollarbone, CATRig$Arm1, CATRig$Arm2, CATRig$ArmPalm | CATRig$Leg1, CATRig$Leg2, CATRig$LegAnkle, CATRig$LegToe
ValveBiped | L R | | ValveBiped.Bip01_Pelvis | ValveBiped.Bip01_Spine, ValveBiped.Bip01_Spine1, ValveBiped.Bip01_Spine2, ValveBiped.Bip01_Spine4 | ValveBiped.Bip01_Neck1 | ValveBiped.Bip01_Head1 | ValveBiped.Bip01_$_Clavicle, ValveBiped.Bip01_$_UpperArm, ValveBiped.Bip01_$_Forearm, ValveBiped.Bip01_$_Hand | ValveBiped.Bip01_$_Thigh, ValveBiped.Bip01_$_Calf, ValveBiped.Bip01_$_Foot, ValveBiped.Bip01_$_Toe0
Source 2 | L R | root_motion | pelvis | spine_0, spine_1, spine_2 | neck_0 | head | clavicle_$, arm_upper_$, arm_lower_$, hand_$ | leg_upper_$, leg_lower_$, ankle_$, ball_$
TF2 | L R | bip_base | bip_pelvis | bip_spine_0, bip_spine_1, bip_spine_2, bip_spine_3 | bip_neck | bip_head | bip_collar_$, bip_upperArm_$, bip_lowerArm_$, bip_hand_$ | bip_hip_$, bip_knee_$, bip_foot_$, bip_toe_$
Maya HumanIK | Left Right | Character1_Reference | Character1_Hips | Character1_Spine, Character1_Spine1 | Character1_Neck | Character1_Head | Character1_$Shoulder, Character1_$Arm, Character1_$ForeArm, Character1_$Hand | Character1_$UpLeg, Character1_$Leg, Character1_$Foot, Character1_$ToeBase
Advanced Skeleton | L R | | Root_M | Spine1_M, Spine2_M, Chest_M | Neck_M | Head_M | Scapula_$, Shoulder_$, Elbow_$, Wrist_$ | Hip_$, Knee_$, Ankle_$, Toes_$
mGear | L R | root_C0_0_jnt | spine_C0_pelvis_jnt | spine_C0_01_jnt, spine_C0_02_jnt, spine_C0_03_jnt | neck_C0_0_jnt | neck_C0_head_jnt | shoulder_$0_shoulder_jnt, arm_$0_0_jnt, arm_$0_1_jnt, arm_$0_end_jnt | leg_$0_0_jnt, leg_$0_1_jnt, leg_$0_end_jnt, foot_$0_0_jnt
Xsens | Left Right | Reference | Pelvis | L5, L3, T12, T8 | Neck | Head | $Shoulder, $UpperArm, $ForeArm, $Hand | $UpperLeg, $LowerLeg, $Foot, $Toe
Rokoko | Left Right | | Hips | Spine1, Spine2, Spine3, Spine4 | Neck | Head | $Shoulder, $Arm, $ForeArm, $Hand | $Thigh, $Shin, $Foot, $Toe
Perception Neuron | Left Right | | Hips | Spine, Spine1, Spine2, Spine3 | Neck | Head | $Shoulder, $Arm, $ForeArm, $Hand | $UpLeg, $Leg, $Foot, -
OptiTrack | L R | | Hip | Ab, Chest | Neck | Head | $Shoulder, $UArm, $FArm, $Hand | $Thigh, $Shin, $Foot, $Toe
Vicon | Left Right | | Solving:Hips | Solving:Spine, Solving:Spine1 | Solving:Neck | Solving:Head | Solving:$Shoulder, Solving:$Arm, Solving:$ForeArm, Solving:$Hand | Solving:$UpLeg, Solving:$Leg, Solving:$Foot, Solving:$ToeBase
CMU | Left Right | | Hips | LowerBack, Spine, Spine1 | Neck, Neck1 | Head | $Shoulder, $Arm, $ForeArm, $Hand | $UpLeg, $Leg, $Foot, $ToeBase
CMU asf | l r | | root | lowerback, upperback, thorax | lowerneck, upperneck | head | $clavicle, $humerus, $radius, $hand | $femur, $tibia, $foot, $toes
Bandai Namco | L R | joint_Root | Hips | Spine, Chest | Neck | Head | Shoulder_$, UpperArm_$, LowerArm_$, Hand_$ | UpperLeg_$, LowerLeg_$, Foot_$, Toes_$
SMPL | L R | | Pelvis | Spine1, Spine2, Spine3 | Neck | Head | $_Collar, $_Shoulder, $_Elbow, $_Wrist | $_Hip, $_Knee, $_Ankle, $_Foot
SMPL lower case | left right | root | pelvis | spine1, spine2, spine3 | neck | head | $_collar, $_shoulder, $_elbow, $_wrist | $_hip, $_knee, $_ankle, $_foot
SMPL-X Blender | left right | root | pelvis | spine1, spine2, spine3 | neck | head | $_collar, $_shoulder, $_elbow, $_wrist | $_hip, $_knee, $_ankle, $_foot
3ds Max figure | L R | | root_M | spine_lo_M, spine_up_M | neck_M | head_M | clavicle_$, arm_up_$, arm_lo_$, hand_$ | leg_up_$, leg_lo_$, foot_$, ball_$
Blender Rigify deform | L R | root | DEF-spine | DEF-spine.001, DEF-spine.002, DEF-spine.003 | DEF-spine.004, DEF-spine.005 | DEF-spine.006 | DEF-shoulder.$, DEF-upper_arm.$, DEF-forearm.$, DEF-hand.$ | DEF-thigh.$, DEF-shin.$, DEF-foot.$, DEF-toe.$
Rigify metarig | L R | | spine | spine.001, spine.002, spine.003 | spine.004, spine.005 | spine.006 | shoulder.$, upper_arm.$, forearm.$, hand.$ | thigh.$, shin.$, foot.$, toe.$
hand-made hips | L R | | hips | spine, chest, upper_chest | neck | head | shoulder.$, upper_arm.$, forearm.$, hand.$ | thigh.$, shin.$, foot.$, toe.$
hand-made pelvis | L R | | pelvis | spine, chest | neck | head | shoulder.$, upper_arm.$, forearm.$, hand.$ | thigh.$, shin.$, foot.$, toe.$
hand-made pelvis, spines | L R | | pelvis | spine, spine.001, spine.002 | neck | head | shoulder.$, upper_arm.$, forearm.$, hand.$ | thigh.$, shin.$, foot.$, toe.$
hand-made root | L R | | root | spine, spine.001, spine.002 | neck | head | shoulder.$, upper_arm.$, forearm.$, hand.$ | thigh.$, shin.$, foot.$, toe.$
hand-made root, chest | L R | | root | spine, chest | neck | head | clavicle.$, upper_arm.$, forearm.$, hand.$ | thigh.$, shin.$, foot.$, -
hand-made torso | L R | root | torso | spine, spine.001 | neck | head | -, upper_arm.$, forearm.$, hand.$ | thigh.$, shin.$, foot.$, toe.$
hobby IK | L R | Root | Hips | Spine, Chest | Neck | Head | Shoulder.$, Arm.Upper.$, Arm.Lower.$, Hand.$ | Leg.Upper.$, Leg.Lower.$, Foot.$, Toe.$
hobby counted | L R | root | body1 | body2, body3 | neck | head | -, arm1.$, arm2.$, hand.$ | leg1.$, leg2.$, foot.$, -
leg and shin | L R | | Hips | Spine, Chest | Neck | Head | -, Arm.$, Forearm.$, Hand.$ | Leg.$, Shin.$, Foot.$, -
thigh and leg | L R | | Hips | Spine, Chest | Neck | Head | Clavicle.$, Arm.$, Forearm.$, Hand.$ | Thigh.$, Leg.$, Foot.$, Toe.$
Roblox R15 | Left Right | HumanoidRootNode | LowerTorso | UpperTorso | - | Head | -, $UpperArm, $LowerArm, $Hand | $UpperLeg, $LowerLeg, $Foot, -
Auto-Rig Pro | l r | root_ref | root.x | spine_01.x, spine_02.x, spine_03.x | neck.x | head.x | shoulder.$, arm_stretch.$, forearm_stretch.$, hand.$ | thigh_stretch.$, leg_stretch.$, foot.$, toes_01.$
Auto-Rig Pro export | l r | root | pelvis | spine_01, spine_02, spine_03 | neck | head | clavicle_$, upperarm_$, lowerarm_$, hand_$ | thigh_$, calf_$, foot_$, ball_$
AccuRig | L R | | CC_Base_Hip | CC_Base_Waist, CC_Base_Spine01, CC_Base_Spine02 | CC_Base_NeckTwist01 | CC_Base_Head | CC_Base_$_Clavicle, CC_Base_$_Upperarm, CC_Base_$_Forearm, CC_Base_$_Hand | CC_Base_$_Thigh, CC_Base_$_Calf, CC_Base_$_Foot, CC_Base_$_ToeBase
Cascadeur | l r | root | pelvis | stomach, chest | neck | head | clavicle_$, arm_$, forearm_$, hand_$ | thigh_$, calf_$, foot_$, toe_$
Blender Studio | L R | root | DEF-Hips | DEF-Spine1, DEF-Spine2, DEF-Chest | DEF-Neck | DEF-Head | DEF-Clavicle.$, DEF-UpperArm.$, DEF-Forearm.$, DEF-Wrist.$ | DEF-Thigh.$, DEF-Knee.$, DEF-Foot.$, DEF-Toes.$
XNALara | left right | root ground | root hips | spine lower, spine upper | head neck lower | head neck upper | arm $ shoulder 1, arm $ shoulder 2, arm $ elbow, arm $ wrist | leg $ thigh, leg $ knee, leg $ ankle, leg $ toes
Quaternius | L R | Body | Hips | Abdomen, Torso | Neck | Head | Shoulder.$, UpperArm.$, LowerArm.$, Hand.$ | UpperLeg.$, LowerLeg.$, Foot.$, -
KayKit | l r | root | hips | spine, chest | - | head | -, upperarm.$, lowerarm.$, hand.$ | upperleg.$, lowerleg.$, foot.$, toes.$
Kenney | Left Right | Root | Hips | Spine, Chest, UpperChest | Neck | Head | $Shoulder, $Arm, $ForeArm, $Hand | $UpLeg, $Leg, $Foot, $Toes
GDQuest | L R | root | hip | spine, chest | neck | head | shoulder.$, arm.$, forearm.$, hand.$ | thigh.$, leg.$, foot.$, -
Synty | L R | Root | Hips | Spine_01, Spine_02, Spine_03 | Neck | Head | Clavicle_$, Shoulder_$, Elbow_$, Hand_$ | UpperLeg_$, LowerLeg_$, Ankle_$, Ball_$
Second Life | Left Right | | mPelvis | mTorso, mChest | mNeck | mHead | mCollar$, mShoulder$, mElbow$, mWrist$ | mHip$, mKnee$, mAnkle$, mFoot$
Second Life side first | L R | | mPelvis | mTorso, mChest | mNeck | mHead | mCollar_$, mShoulder_$, mElbow_$, mWrist_$ | mHip_$, mKnee_$, mAnkle_$, mFoot_$
Skyrim | L R | NPC Root [Root] | NPC Pelvis [Pelv] | NPC Spine [Spn0], NPC Spine1 [Spn1], NPC Spine2 [Spn2] | NPC Neck [Neck] | NPC Head [Head] | NPC $ Clavicle [$Clv], NPC $ UpperArm [$Uar], NPC $ Forearm [$Lar], NPC $ Hand [$Hnd] | NPC $ Thigh [$Thg], NPC $ Calf [$Clf], NPC $ Foot [$ft ], NPC $ Toe0 [$Toe]
Fallout | L R | Root | COM | SPINE1, SPINE2, Chest | Neck | HEAD | $Arm_Collarbone, $Arm_UpperArm, $Arm_ForeArm1, $Arm_Hand | $Leg_Thigh, $Leg_Calf, $Leg_Foot, $Leg_Toe1
Halo | l r | | b_pelvis | b_spine, b_spine1 | b_neck | b_head | b_$_clavicle, b_$_upperarm, b_$_forearm, b_$_hand | b_$_thigh, b_$_calf, b_$_foot, b_$_toe
Resident Evil | L R | root, COG | hips | spine_0, spine_1, spine_2 | neck_0 | head | $_arm_clavicle, $_arm_humerus, $_arm_radius, $_arm_wrist | $_leg_femur, $_leg_tibia, $_leg_ankle, $_leg_ball
Overgrowth | L R | | Hip | Abdomen, Chest | Neck | Head | Collar.$, Bicep.$, Forearm.$, Hand.$ | Thigh.$, Shin.$, Foot.$, Toe.$
Azure Kinect | LEFT RIGHT | | PELVIS | SPINE_NAVEL, SPINE_CHEST | NECK | HEAD | CLAVICLE_$, SHOULDER_$, ELBOW_$, WRIST_$ | HIP_$, KNEE_$, ANKLE_$, FOOT_$
Kinect 2 | Left Right | | SpineBase | SpineMid, SpineShoulder | Neck | Head | -, Shoulder$, Elbow$, Wrist$ | Hip$, Knee$, Ankle$, Foot$
iPi Soft | L R | | Hip | LowerSpine, MiddleSpine, Chest | Neck | Head | $Clavicle, $Shoulder, $Forearm, $Hand | $Thigh, $Shin, $Foot, $Toe
ARKit | left right | root | hips_joint | spine_1_joint, spine_2_joint, spine_3_joint, spine_4_joint, spine_5_joint, spine_6_joint, spine_7_joint | neck_1_joint, neck_2_joint, neck_3_joint, neck_4_joint | head_joint | $_shoulder_1_joint, $_arm_joint, $_forearm_joint, $_hand_joint | $_upLeg_joint, $_leg_joint, $_foot_joint, $_toes_joint
Move.ai | Left Right | root | Hips | Spine, Spine1, Spine2 | Neck | Head | $Shoulder, $Arm, $ForeArm, $Hand | $UpLeg, $Leg, $Foot, $ToeBase
DeepMotion | Left Right | | hips_JNT | spine_JNT, spine1_JNT, spine2_JNT | neck_JNT | head_JNT | $_shoulder_JNT, $_arm_JNT, $_forearm_JNT, $_hand_JNT | $_upleg_JNT, $_leg_JNT, $_foot_JNT, $_toebase_JNT
DeepMotion short | l r | | hips_JNT | spine_JNT, spine1_JNT, spine2_JNT | neck_JNT | head_JNT | $_shoulder_JNT, $_arm_JNT, $_forearm_JNT, $_hand_JNT | $_upleg_JNT, $_leg_JNT, $_foot_JNT, $_toebase_JNT
Plask | Left Right | | hips | spine, spine1, spine2 | neck | head | $Shoulder, $Arm, $ForeArm, $Hand | $UpLeg, $Leg, $Foot, $ToeBase
"""
_LANGUAGES = """
German | L R | | Becken | Wirbelsäule, Brust | Hals | Kopf | Schulter.$, Oberarm.$, Unterarm.$, Hand.$ | Oberschenkel.$, Unterschenkel.$, Fuß.$, Zehen.$
German words | links rechts | Wurzel | Hüfte | Bauch, Brustkorb | Nacken | Kopf | Schlüsselbein_$, Oberarm_$, Unterarm_$, Hand_$ | Oberschenkel_$, Unterschenkel_$, Fuss_$, Zeh_$
French | G D | | Bassin | Colonne, Torse | Cou | Tête | Épaule.$, Bras.$, AvantBras.$, Main.$ | Cuisse.$, Tibia.$, Pied.$, Orteils.$
French words | gauche droite | racine | hanches | colonne, poitrine | cou | tete | clavicule_$, bras_$, avant_bras_$, main_$ | cuisse_$, jambe_$, pied_$, orteil_$
Spanish | izquierda derecha | raiz | cadera | columna, pecho | cuello | cabeza | clavicula_$, brazo_$, antebrazo_$, mano_$ | muslo_$, pantorrilla_$, pie_$, dedos_$
Spanish short | izq der | | Pelvis | Columna, Torso | Cuello | Cabeza | Hombro.$, Brazo.$, Antebrazo.$, Mano.$ | Muslo.$, Pierna.$, Pie.$, -
Italian | sx dx | radice | bacino | colonna, petto | collo | testa | clavicola_$, braccio_$, avambraccio_$, mano_$ | coscia_$, polpaccio_$, piede_$, dita_$
Portuguese | esquerda direita | | quadril | coluna, peito | pescoço | cabeça | ombro_$, braço_$, antebraço_$, mão_$ | coxa_$, perna_$, pé_$, -
Chinese | 左 右 | | 骨盆 | 脊椎, 胸部 | 脖子 | 头 | $肩, $上臂, $前臂, $手 | $大腿, $小腿, $脚, $脚趾
Chinese other | 左 右 | 根 | 臀部 | 腰, 胸 | 颈 | 头部 | $锁骨, $大臂, $小臂, $手腕 | $大腿, $小腿, $脚踝, $脚尖
Japanese plain | 左 右 | | 腰 | 背骨, 胸 | 首 | 頭 | $鎖骨, $上腕, $前腕, $手 | $太もも, $すね, $足, $つま先
Korean | 왼쪽 오른쪽 | | 골반 | 척추, 가슴 | 목 | 머리 | $쇄골, $위팔, $아래팔, $손 | $허벅지, $종아리, $발, $발가락
Russian | лев прав | корень | таз | позвоночник, грудь | шея | голова | ключица_$, плечо_$, предплечье_$, кисть_$ | бедро_$, голень_$, стопа_$, носок_$
Polish | L P | | miednica | kręgosłup, klatka | szyja | głowa | obojczyk_$, ramię_$, przedramię_$, dłoń_$ | udo_$, łydka_$, stopa_$, palce_$
"""
_NAMELESS = """
numbers only | | 0 | 1 | 2, 3, 4 | 5 | 6 | 7, 8, 9, 10 | 15, 16, 17, 18
Bone and numbers | | Bone | Bone.001 | Bone.002, Bone.003 | Bone.004 | Bone.005 | Bone.006, Bone.007, Bone.008, Bone.009 | Bone.014, Bone.015, Bone.016, Bone.017
joints | | | joint_0 | joint_1, joint_2 | joint_3 | joint_4 | joint_5, joint_6, joint_7, joint_8 | joint_13, joint_14, joint_15, joint_16
"""


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """How one program names a body's bones."""

    sides: tuple[str, ...]
    """the words for left and right; none where names do not tell them"""
    above: tuple[str, ...]
    """the bones above the hips"""
    middle: dict[str, tuple[str, ...]]
    """hips, spine (whole), neck, head"""
    limbs: dict[str, str]
    """joint, without side -> the bone, $ for the side"""

    def side_name(self, word: str, n: int) -> str:
        """The name of the left (0) or right (1) bone; of the nameless the right ones are numbered on by 4."""
        if self.sides:
            return word.replace("$", self.sides[n])
        head, tail = word.rstrip("0123456789"), word[len(word.rstrip("0123456789")) :]
        return f"{head}{int(tail) + 4 * n:0{len(tail)}d}"


def _parse(line: str) -> tuple[str, Scheme]:
    name, sides, above, hips, spine, neck, head, arm, leg = (part.strip() for part in line.split("|"))

    def split(text: str) -> tuple[str, ...]:
        return tuple(part.strip() for part in text.split(",") if part.strip() not in ("", "-"))

    limbs = zip((*ARM, *LEG), (part.strip() for part in f"{arm},{leg}".split(",")), strict=True)
    middle = {"hips": split(hips), "spine": split(spine), "neck": split(neck), "head": split(head)}
    return name, Scheme(
        sides=tuple(sides.split()),
        above=split(above),
        middle={joint: bones for joint, bones in middle.items() if bones},
        limbs={joint: word for joint, word in limbs if word != "-"},
    )


SCHEMES = dict(_parse(line) for table in (_VENDORS, _LANGUAGES, _NAMELESS) for line in table.strip().splitlines())
NAMED = [name for name, scheme in SCHEMES.items() if scheme.sides]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How a body differs from the humanoid."""

    arms_down_deg: float = 0.0
    seed: int | None = None
    """of other proportions"""
    missing: tuple[str, ...] = ()
    """joints without bones, without side"""
    spine: int = 0
    """bones of the spine; 0 for as many as the scheme names"""
    fingers: bool = False
    ends: bool = False
    """end bones on the head, hands and toes"""


def make_body(scheme: Scheme, shape: Shape) -> tuple[RestPose, dict[str, tuple[str, ...]]]:
    """A body with the scheme's names, and its bones: joint -> names, `spine` whole."""
    at = _place_joints(shape)
    rows: list[tuple[str, str, Array, Array]] = []
    truth: dict[str, tuple[str, ...]] = {}
    parent = ""

    def add(joint: str, names: tuple[str, ...], points: Array, parent: str) -> str:
        if joint.split("_", 1)[-1] in shape.missing or joint in shape.missing or not names:
            return parent
        truth[joint] = names
        for n, name in enumerate(names):
            rows.append((name, parent, points[n], points[n + 1]))
            parent = name
        return parent

    for n, name in enumerate(scheme.above):
        rows.append((name, parent, np.array([0.0, 0.001 * n, 0.0]), np.array([0.0, 0.001 * n, 0.1])))
        parent = name
    hips = add("hips", scheme.middle["hips"], _divide(at["hips"], at["spine"], len(scheme.middle["hips"])), parent)
    spine = scheme.middle["spine"][: shape.spine or None]
    trunk = add("spine", spine, _divide(at["spine"], at["neck"], len(spine)), hips)
    necks = scheme.middle.get("neck", ())
    neck = add("neck", necks, _divide(at["neck"], at["head"], max(len(necks), 1)), trunk)
    head = add("head", scheme.middle["head"], np.array([at["head"], at["head"] + [0.0, 0.0, 0.2]]), neck)
    if shape.ends:
        rows.append(("end head", head, at["head"] + [0.0, 0.0, 0.2], at["head"] + [0.0, 0.0, 0.25]))
    for n, side in enumerate(("left", "right")):
        for limb, top in ((ARM, trunk), (LEG, hips)):
            chain = [joint for joint in limb if joint in scheme.limbs and joint not in shape.missing]
            last = top
            for joint, after in zip(chain, (*chain[1:], ""), strict=True):
                start = at[f"{side}_{joint}"]
                end = at[f"{side}_{after}"] if after else at[f"{side}_{limb[-1]} end"]
                last = add(f"{side}_{joint}", (scheme.side_name(scheme.limbs[joint], n),), np.array([start, end]), last)
            if limb == ARM and shape.fingers:
                _add_fingers(rows, last, at, side, scheme.sides[n] if scheme.sides else str(n))
    names = [row[0] for row in rows]
    parents = [names.index(row[1]) if row[1] else -1 for row in rows]
    heads, tails = (np.array([row[i] for row in rows]) for i in (2, 3))
    return make_armature(names, parents, heads, tails), truth


def _add_fingers(
    rows: list[tuple[str, str, Array, Array]], hand: str, at: dict[str, Array], side: str, word: str
) -> None:
    along = rotation.normalise(at[f"{side}_hand"] - at[f"{side}_lower_arm"])
    for i, finger in enumerate(("thumb", "index", "middle", "ring", "pinky")):
        parent, start = hand, at[f"{side}_hand"] + along * 0.08 + np.array([0.0, 0.02 * (i - 2), 0.0])
        for n in range(3):
            name = f"{finger}_{n + 1}_{word}"
            rows.append((name, parent, start + along * 0.025 * n, start + along * 0.025 * (n + 1)))
            parent = name


def _divide(a: Array, b: Array, count: int) -> Array:
    points: Array = a + np.linspace(0.0, 1.0, count + 1)[:, None] * (b - a)
    return points


def _place_joints(shape: Shape) -> dict[str, Array]:
    """Positions (3,) of the humanoid's joints and limbs' ends, with the shape's arms and proportions."""
    rng = np.random.default_rng(shape.seed)
    ratio: dict[str, float] = {}
    at: dict[str, Array] = {}
    for joint, parent, offset in zip(HUMANOID.joint_names, HUMANOID.parents, HUMANOID.offsets, strict=True):
        part = joint.replace("left_", "").replace("right_", "")
        ratio.setdefault(part, float(rng.uniform(0.75, 1.25)) if shape.seed is not None else 1.0)
        sign = 1.0 if joint.startswith("left") else -1.0
        angle = np.radians(shape.arms_down_deg) * sign if part in ("lower_arm", "hand") else 0.0
        moved = rotation.rotate(rotation.from_axis_angle(np.array([0.0, 1.0, 0.0]), np.array(angle)), offset)
        at[joint] = moved * ratio[part] + (at[HUMANOID.joint_names[parent]] if parent >= 0 else 0.0)
    low = min(at[f"{side}_toes"][2] for side in ("left", "right")) - 0.02
    at = {joint: point - [0.0, 0.0, low] for joint, point in at.items()}
    for side in ("left", "right"):
        along = rotation.normalise(at[f"{side}_hand"] - at[f"{side}_lower_arm"])
        at[f"{side}_hand end"] = at[f"{side}_hand"] + 0.09 * along
        at[f"{side}_toes end"] = at[f"{side}_toes"] + np.array([0.0, -0.07, 0.0])
    return at
