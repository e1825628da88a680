"""A rig as a tree of bones in the world: who hangs on whom, and where. Knows no name and no joint."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...geometry.rotation import Array


@dataclass(frozen=True, eq=False)
class Tree:
    """B bones, parents before children, -1 above a root; heads and tails (B, 3) in the world's axes, any unit."""

    parents: tuple[int, ...]
    heads: Array
    tails: Array

    @cached_property
    def children(self) -> list[list[int]]:
        lists: list[list[int]] = [[] for _ in self.parents]
        for bone, parent in enumerate(self.parents):
            if parent >= 0:
                lists[parent].append(bone)
        return lists

    @cached_property
    def reach(self) -> Array:
        """How far the longest chain of bones below each head runs, its last bone's own length included (B,)."""
        reach = np.linalg.norm(self.tails - self.heads, axis=-1)
        reach[[bool(children) for children in self.children]] = 0.0
        for bone in range(len(self.parents) - 1, 0, -1):
            parent = self.parents[bone]
            if parent >= 0:
                step = float(np.linalg.norm(self.heads[bone] - self.heads[parent]))
                reach[parent] = max(reach[parent], step + reach[bone])
        return reach

    def path(self, bone: int) -> list[int]:
        """From the root down to the bone."""
        path = []
        while bone >= 0:
            path.append(bone)
            bone = self.parents[bone]
        return path[::-1]

    def under(self, bone: int, ancestor: int) -> bool:
        """Whether a bone hangs below another."""
        while bone > ancestor:
            bone = self.parents[bone]
            if bone == ancestor:
                return ancestor >= 0
        return False

    def between(self, ancestor: int, bone: int) -> list[int]:
        """The bones strictly between, from the ancestor down; none where they are not in one line."""
        path = self.path(bone)
        return path[path.index(ancestor) + 1 : -1] if ancestor in path else []

    def common(self, bones: Iterable[int]) -> int:
        """The deepest bone on all their paths, itself one of them perhaps; -1 where there is none."""
        paths = [self.path(bone) for bone in bones]
        if not paths:
            return -1
        shared = [step[0] for step in zip(*paths, strict=False) if len(set(step)) == 1]
        return shared[-1] if shared else -1

    def limb(self, bone: int) -> list[int]:
        """From a bone down along its longest chain."""
        chain = [bone]
        while self.children[chain[-1]]:
            chain.append(max(self.children[chain[-1]], key=lambda child: self._longest(child)))
        return chain

    def _longest(self, child: int) -> float:
        step = float(np.linalg.norm(self.heads[child] - self.heads[self.parents[child]]))
        return step + float(self.reach[child])

    def points(self, chain: Sequence[int]) -> Array:
        """The heads along a chain and the last bone's tail (N + 1, 3)."""
        return np.concatenate([self.heads[list(chain)], self.tails[chain[-1]][None]])
