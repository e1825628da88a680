# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operators share: an error is a sentence, and a poll that fails has a reason. Registers nothing."""

from __future__ import annotations

import bpy

from stc_core.errors import UserError

from ...jobs import monitor
from ...map_properties import has_own_maps
from ...rig import provenance


class ReportingOperator(bpy.types.Operator):
    """An operator whose `run` may raise UserError: it is reported, and shown in the panel. Not registered itself."""

    def run(self, context: bpy.types.Context) -> set[str]:
        """Do the work and return what execute returns. May raise UserError."""
        raise NotImplementedError

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            return self.run(context)
        except UserError as error:
            monitor.show_message(str(error), is_error=True)
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}

    def report_success(self, sentence: str, kind: str = "INFO") -> set[str]:
        """Report a sentence, show it in the panel, and return that the operator has finished."""
        monitor.show_message(sentence)
        self.report({kind}, sentence)
        return {"FINISHED"}


def check_poll(cls: type[bpy.types.Operator], problem: str) -> bool:
    """Return a poll's result: True where there is no problem, else the problem becomes the tooltip."""
    if problem:
        cls.poll_message_set(problem)
    return not problem


def get_target_armature(context: bpy.types.Context) -> bpy.types.Object | None:
    """The armature that gets the next motion; None where one will be created."""
    settings = context.scene.stc_mocap
    return settings.armature if settings.target == "ARMATURE" else None


def find_target_problem(context: bpy.types.Context) -> str:
    """Why no motion can be put on the chosen character; "" where one can."""
    settings = context.scene.stc_mocap
    return find_armature_problem(context) if settings.target == "ARMATURE" else ""


def find_armature_problem(context: bpy.types.Context) -> str:
    """Why the chosen armature cannot be used; "" where it can."""
    obj = context.scene.stc_mocap.armature
    if obj is None:
        return "Choose an armature first"
    return "" if context.scene.objects.get(obj.name) == obj else "The armature is not in this scene; choose another"


def find_map_problem(context: bpy.types.Context) -> str:
    """Why the maps of the chosen armature cannot be changed; "" where they can."""
    if problem := find_armature_problem(context):
        return problem
    is_own = has_own_maps(context.scene.stc_mocap.armature)
    return "" if is_own else "The armature is linked: change its maps in the file that it is from"


def find_action_problem(context: bpy.types.Context) -> str:
    """Why there is no captured action to work with; "" where there is one."""
    action = provenance.find_captured_action(provenance.find_shown_armature(context))
    return "" if action else "The armature plays no captured action"
