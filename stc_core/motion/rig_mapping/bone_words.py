"""What the words in bone names may mean: joints, twist bones, and what is no joint of the body.

Knows the words for parts of a body in English and, where riggers use them, in other languages. Does not know sides,
trees or positions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from .bone_names import BoneName

_CACHE_SIZE = 8192  # names; more than the bones of any rig

# What a bone may be, by the first pattern found in its base: joint -> how well the word fits, 0 to 1; chosen.
# "shoulder" is a collar bone or an upper arm, "leg" either half of it: the chain in which it stands decides.
_SIDED: tuple[tuple[str, Mapping[str, float]], ...] = (
    ("clavicle|collar|scapula|clav|锁骨|鎖骨|쇄골|ключица", {"shoulder": 0.95}),
    ("upperarm|uparm|armup|uarm|humerus|bicep|shldr|oberarm|上臂|大臂|上腕|위팔|상완", {"upper_arm": 0.95}),
    (
        "forearm|lowerarm|lowarm|loarm|armlo|^farm$|ulna|radius|unterarm|avantbras|antebra[cz]|avambraccio|"
        "前臂|小臂|下臂|前腕|아래팔|하완|팔뚝|предплеч|przedrami",
        {"lower_arm": 0.95},
    ),
    ("elbow|ひじ|肘", {"lower_arm": 0.9}),
    ("shoulder|肩|어깨", {"shoulder": 0.7, "upper_arm": 0.75}),
    ("wrist|手首|手腕|손목|hand(?!le|slot)", {"hand": 0.9}),
    ("thigh|upperleg|upleg|legup|uleg|femur|oberschenkel|大腿|太もも|^もも|허벅지", {"upper_leg": 0.95}),
    (
        "shin|calf|calves|lowerleg|lowleg|loleg|leglo|tibia|unterschenkel|小腿|すね|脛|종아리|정강이",
        {"lower_leg": 0.95},
    ),
    ("knee|ひざ|膝|무릎", {"lower_leg": 0.9}),
    ("toe|ball|つま先|足先|脚趾|脚尖|발가락", {"toes": 0.9}),
    ("ankle|foot|feet|足首|脚踝|발목", {"foot": 0.9}),
    ("hip(?!s)", {"upper_leg": 0.7}),
    ("palm|^手$|^손$", {"hand": 0.75}),
    ("arm(?!or|ature|pit)|腕", {"upper_arm": 0.9, "lower_arm": 0.3}),
    ("leg(?!s)", {"upper_leg": 0.7, "lower_leg": 0.75}),
    ("足", {"upper_leg": 0.7, "lower_leg": 0.5, "foot": 0.6}),
    ("^脚$|^발$", {"foot": 0.8}),
)
_MIDDLE: tuple[tuple[str, Mapping[str, float]], ...] = (
    ("hips|pelvis|lowertorso|骨盤|骨盆|골반|엉덩이|^臀|^髋", {"hips": 0.95}),
    ("hip", {"hips": 0.9}),
    ("neck.*head|head.*neck", {"neck": 0.6, "head": 0.6}),
    ("neck|^首|^脖|^颈|^목$", {"neck": 0.95}),
    ("head|skull|^頭|^头|^머리$", {"head": 0.95}),
    ("waist", {"spine": 0.9, "hips": 0.4}),
    (
        "spine|chest|torso|abdomen|thorax|ribcage|stomach|belly|lowerback|upperback|upperbody|^ab$|"
        "上半身|背骨|脊椎|脊柱|胸|척추|가슴|허리",
        {"spine": 0.9},
    ),
    ("^cog$|^com$|lowerbody|グルーブ|groove|センター|下半身", {"hips": 0.6}),
    ("腰", {"hips": 0.6, "spine": 0.5}),
    ("root|^cent(?:er|re)$", {"hips": 0.3}),
)
# Words of other languages that must stand alone, so short or common are they: joint -> words without accents.
_ALONE: tuple[tuple[str, Mapping[str, float]], ...] = (
    ("schlusselbein clavicule clavicula clavicola obojczyk", {"shoulder": 0.95}),
    ("schulter epaule hombro spalla ombro bark плечо", {"shoulder": 0.7, "upper_arm": 0.75}),
    ("avant antebraco", {"lower_arm": 0.9}),
    ("bras brazo braccio braco ramie", {"upper_arm": 0.85}),
    ("main mano mao dłoń dlon кисть рука", {"hand": 0.9}),
    ("cuisse muslo coscia coxa udo бедро", {"upper_leg": 0.9}),
    ("jambe pierna gamba perna noga нога", {"upper_leg": 0.6, "lower_leg": 0.8}),
    ("mollet pantorrilla espinilla polpaccio stinco canela panturrilha lydka голень", {"lower_leg": 0.9}),
    ("fuss pied pie piede pe stopa стопа tobillo caviglia cheville knochel tornozelo", {"foot": 0.9}),
    ("zehen zeh zehe orteil orteils dedos dita palce носок", {"toes": 0.85}),
    ("becken hufte huefte bassin hanche hanches cadera caderas bacino anca quadril miednica таз", {"hips": 0.95}),
    ("hals nacken cou cuello collo pescoco szyja шея шеи", {"neck": 0.95}),
    ("kopf tete cabeza testa cabeca glowa голова", {"head": 0.95}),
    (
        "wirbelsaule wirbelsaeule ruckgrat brust brustkorb bauch rumpf colonne torse poitrine dos columna pecho "
        "colonna petto torace busto coluna peito kregoslup klatka позвоночник грудь",
        {"spine": 0.9},
    ),
)
_BY_WORD = {word: fits for words, fits in _ALONE for word in words.split()}
_NEVER = frozenset(
    "ik pole target tgt mch org vis wgt tweak end tip nub leaf site effector cor corrective helper socket slot attach "
    "weapon prop hair skirt cloth cape dress sleeve ribbon belt breast bust pectoral pec eye eyes eyelid eyeball jaw "
    "tongue teeth tooth lip lips ear brow nose cheek face facial finger fingers thumb index middle ring pinky pinkie "
    "little mid metacarpal metacarpals carpal tail wing wings muscle jiggle phys dynamic share pivot cancel "
    "adj sec handle heel big small camera light fwd bck inner outer scap latissimus".split()
)
_HALVES = frozenset(("mid", "middle"))
"""fingers, but of a spine the part between"""
_NEVER_IN = re.compile(
    "twist|roll|boneend|nub$|effector|sharebone|fingers?$|carpal|metatarsal|(?:big|small|index|mid|ring|pinky)toe|"
    "jaw|brow|hair|ponytail|tooth|teeth|tongue|"
    "捩|指|髪|スカート|キャンセル|肩[cp]|(?:足|ひざ|足首)d"
)
_TWISTS = re.compile("twist|roll(?!er)|捩")
_TWISTED_SEGMENTS: tuple[tuple[str, frozenset[str]], ...] = (
    ("fore|lowerarm|wrist|hand|手", frozenset({"lower_arm"})),
    ("upperarm|uparm|shldr|shoulder|arm|腕", frozenset({"upper_arm"})),
    ("thigh|upperleg|upleg", frozenset({"upper_leg"})),
    ("calf|shin|lowerleg|knee", frozenset({"lower_leg"})),
    ("leg|足", frozenset({"upper_leg", "lower_leg"})),
)


@lru_cache(maxsize=_CACHE_SIZE)
def is_no_joint(name: BoneName) -> bool:
    """Whether a bone of this name is no joint of the body: fingers, face, hair, helpers, handles."""
    words = name.words - _HALVES if "spine" in name.base else name.words
    return bool(words & _NEVER or _NEVER_IN.search(name.base))


@lru_cache(maxsize=_CACHE_SIZE)
def possible_joints(name: BoneName) -> Mapping[str, float]:
    """Return the joints, without side, that a bone of this name may be, and how well it fits, 0 to 1; mostly none."""
    if is_no_joint(name):
        return {}
    table = _SIDED if name.side else _MIDDLE
    found = next((fits for pattern, fits in table if re.search(pattern, name.base)), None)
    if found is not None:
        return found
    foreign = [_BY_WORD[word] for word in (name.base, *sorted(name.words)) if word in _BY_WORD]
    is_middle = [any(joint in fits for joint in ("hips", "spine", "neck", "head")) for fits in foreign]
    return next((fits for fits, middle in zip(foreign, is_middle, strict=True) if middle != bool(name.side)), {})


@lru_cache(maxsize=_CACHE_SIZE)
def possible_twist_segments(name: BoneName) -> frozenset[str]:
    """Return the segments, without side, whose twist a bone of this name may share; mostly none."""
    if not _TWISTS.search(name.base) or name.words & (_NEVER - {"big"}):
        return frozenset()
    return next((roles for pattern, roles in _TWISTED_SEGMENTS if re.search(pattern, name.base)), frozenset())
