"""A rig as a tree of bones in the world: parents, children and positions. Does not know names or joints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...geometry.rotation import Array


@dataclass(frozen=True, eq=False, kw_only=True)
class BoneTree:
    """B bones, parents before children."""

    parents: tuple[int, ...]
    """index of each bone's parent, -1 above a root"""
    heads: Array
    """(B, 3) in the world's axes, any unit"""
    tails: Array
    """(B, 3) likewise"""

    @cached_property
    def children(self) -> list[list[int]]:
        """The indices of each bone's children."""
        lists: list[list[int]] = [[] for _ in self.parents]
        for bone, parent in enumerate(self.parents):
            if parent >= 0:
                lists[parent].append(bone)
        return lists

    @cached_property
    def reach(self) -> Array:
        """The length (B,) of the longest chain below each head, its last bone included."""
        reach: Array = np.linalg.norm(self.tails - self.heads, axis=-1)
        reach[[bool(children) for children in self.children]] = 0.0
        for bone in range(len(self.parents) - 1, 0, -1):
            parent = self.parents[bone]
            if parent >= 0:
                step = float(np.linalg.norm(self.heads[bone] - self.heads[parent]))
                reach[parent] = max(reach[parent], step + reach[bone])
        return reach

    def path(self, bone: int) -> list[int]:
        """Return the bones from the root down to this one."""
        path = []
        while bone >= 0:
            path.append(bone)
            bone = self.parents[bone]
        return path[::-1]

    def is_below(self, bone: int, ancestor: int) -> bool:
        """Whether a bone hangs below another."""
        while bone > ancestor:
            bone = self.parents[bone]
            if bone == ancestor:
                return ancestor >= 0
        return False

    def between(self, ancestor: int, bone: int) -> list[int]:
        """Return the bones strictly between, from the ancestor down; none where they are not in one line."""
        path = self.path(bone)
        return path[path.index(ancestor) + 1 : -1] if ancestor in path else []

    def deepest_common(self, bones: Iterable[int]) -> int:
        """Return the deepest bone on all their paths, perhaps one of them; -1 where there is none."""
        paths = [self.path(bone) for bone in bones]
        if not paths:
            return -1
        shared = [step[0] for step in zip(*paths, strict=False) if len(set(step)) == 1]
        return shared[-1] if shared else -1

    def longest_chain(self, bone: int) -> list[int]:
        """Return the bones from this one down along its longest chain."""
        chain = [bone]
        while self.children[chain[-1]]:
            chain.append(max(self.children[chain[-1]], key=lambda child: self._reach_from_parent(child)))
        return chain

    def _reach_from_parent(self, child: int) -> float:
        step = float(np.linalg.norm(self.heads[child] - self.heads[self.parents[child]]))
        return step + float(self.reach[child])

    def points(self, chain: Sequence[int]) -> Array:
        """Return the heads along a chain of N bones and the last one's tail (N + 1, 3)."""
        return np.concatenate([self.heads[list(chain)], self.tails[chain[-1]][None]])
