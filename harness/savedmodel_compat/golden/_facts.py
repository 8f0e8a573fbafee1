"""What a manifest says of the tensors of a file, compared with the tensors that are in it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from savedmodel_compat.errors import GoldenDamagedError
from savedmodel_compat.golden._statistics import Statistics, statistics_of
from savedmodel_compat.golden.manifest import NAME, TensorFacts
from savedmodel_compat.golden.tensorfile import Stored

# Sums of one array differ in their last bits from machine to machine.
_MEAN_SHARE = 1e-6


def check_facts(
    path: Path, side: str, facts: Sequence[TensorFacts], tensors: Sequence[Stored]
) -> None:
    """Compare names, types, shapes and digests.

    Args:
        path: the file of the data set.
        side: ``inputs`` or ``outputs``.
        facts: what the manifest says of that side.
        tensors: what the file has.

    Raises:
        GoldenDamagedError: something differs.
    """
    listed = {fact.alias: fact for fact in facts}
    found = {tensor.alias: tensor for tensor in tensors}
    if set(listed) != set(found):
        raise GoldenDamagedError(
            f"it has the {side} {sorted(found)}, and {NAME} says {sorted(listed)}: one of the two was"
            " edited or changed",
            path=path,
        )
    for alias, fact in listed.items():
        _check_fact(path, f"{side}/{alias}", fact, found[alias])


def check_statistics(path: Path, facts: Sequence[TensorFacts], tensors: Sequence[Stored]) -> None:
    """Compare ranges, means and counts, which `check_facts` leaves out because they take longer.

    Args:
        path: the file of the data set.
        facts: what the manifest says.
        tensors: what the file has; the same tensors in the same order.

    Raises:
        GoldenDamagedError: the manifest says something else of a tensor.
    """
    for fact, tensor in zip(facts, tensors, strict=True):
        found = statistics_of(tensor.array, tensor.dtype)
        said = Statistics(
            least=fact.least,
            most=fact.most,
            mean=fact.mean,
            nans=fact.nans,
            infinities=fact.infinities,
        )
        for name in ("least", "most", "mean", "nans", "infinities"):
            here, there = getattr(found, name), getattr(said, name)
            if not (_is_near(found, here, there) if name == "mean" else here == there):
                raise GoldenDamagedError(
                    f"{tensor.side}/{tensor.alias} has {name} {here}, and {NAME} says {there}: it was edited"
                    " by hand",
                    path=path,
                )


def _is_near(found: Statistics, here: float | None, there: float | None) -> bool:
    if here is None or there is None or found.least is None or found.most is None:
        return here is there
    return abs(here - there) <= _MEAN_SHARE * max(abs(found.least), abs(found.most))


def _check_fact(path: Path, place: str, fact: TensorFacts, tensor: Stored) -> None:
    for what, here, there in (
        ("dtype", tensor.dtype, fact.dtype),
        ("shape", list(tensor.shape), list(fact.shape)),
    ):
        if here != there:
            raise GoldenDamagedError(
                f"{place} has the {what} {here}, and {NAME} says {there}: one of the two was edited or"
                " changed",
                path=path,
            )
    sha256 = hashlib.sha256(tensor.data).hexdigest()
    if sha256 != fact.sha256:
        raise GoldenDamagedError(
            f"{place} has the SHA-256 {sha256}, and {NAME} says {fact.sha256}: one of the two was edited or"
            " changed",
            path=path,
        )
