"""Every property of every exporter's model, in the releases of a tier: what holds of a model whatever it is fed.

What does not hold is a rule of TensorFlow, and left out here; ``test_search_rules.py`` has the smallest inputs that show each. How many
inputs are tried is what ``pyproject.toml`` says, or ``--savedmodel-examples``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

from savedmodel_compat import properties
from savedmodel_compat.properties import DoesNotApplyError
from savedmodel_compat.report.scenarios_page import read_scenarios

if TYPE_CHECKING:
    from savedmodel_compat.properties import Found, Subject

ROOT = Path(__file__).parent.parent
SCENARIOS = {each.name: each.exporters for each in read_scenarios(ROOT / "suites/scenarios.toml")}
# They are meant to answer otherwise from one request to the next.
STATEFUL = {
    "counter",
    "counter_resource",
    "counter_module",
    "generator_module",
    "mutable_hash_table_module",
}
# Their words are padded to the longest of the batch, or laid end to end.
PADDED = {"composites_module", "tf_example", "tf_example_ragged"}
# From 2.9 on an image without dimensions ends the process of a convolution, and a batch of 0 is refused.
CONVOLUTIONS = {
    "keras_training",
    "keras_training_export",
    "mnist_cnn",
    "mnist_cnn_module",
    "mnist_cnn_versions",
}
# So it does of theirs, and which branch they take depends on the mean of the batch.
BRANCHES = {"functions", "functions_module"}
# A number that they are fed is a number of rounds, or a size.
LOOPS = {"control_flow_module", "control_flow_v1", "control_flow_v2", "segmentation"}
# A node is pinned to a GPU; an asset is fed twice.
NOT_AT_HOME = {"devices_pinned", "vocabulary_shared_path"}
# Ninety layers take their time.
LARGE = "keras_mobilenet"
PLAIN = [
    name
    for scenario, names in SCENARIOS.items()
    for name in names
    if scenario != "attrs"
    and name not in {*STATEFUL, *PADDED, *CONVOLUTIONS, *BRANCHES, *LOOPS, LARGE}
]


def searched(subject: Subject) -> list[Found]:
    """Ask all properties of a model; of releases up to 1.12 without NaN, of which a softmax there is what its neighbours make it."""
    if Version(subject.consumer.release) < Version("1.13"):
        subject.search = replace(subject.search, edges=False)
    try:
        return properties.check_all(subject)
    except DoesNotApplyError as error:
        # Elsewhere a model may well not load; where it was written, a skip would hide that nothing is asked any more.
        at_home = subject.origin is not None and subject.origin.producer == subject.consumer.release
        if at_home and subject.model.exporter not in NOT_AT_HOME:
            pytest.fail(f"nothing was asked of {subject.label}: {error}")
        raise


@pytest.mark.savedmodel(*PLAIN, producers="2.21.0", strip="on")
def test_whatever_it_is_fed(savedmodel_subject: Subject) -> None:
    """All properties hold."""
    searched(savedmodel_subject)


@pytest.mark.savedmodel(
    *SCENARIOS["estimator"],
    *SCENARIOS["contrib_learn"],
    producers="1.15.5",
    strip="on",
)
def test_estimators(savedmodel_subject: Subject) -> None:
    """So they do of what no newer release writes."""
    searched(savedmodel_subject)


@pytest.mark.savedmodel(*sorted(STATEFUL), producers="2.21.0", strip="on", stateful=True)
def test_with_state(savedmodel_subject: Subject) -> None:
    """Of a model with state, all but what its state changes."""
    searched(savedmodel_subject)


@pytest.mark.savedmodel(*sorted(PADDED), producers="2.21.0", strip="on", batched=False)
def test_with_padding(savedmodel_subject: Subject) -> None:
    """Of a model whose rows depend on each other, all but that they do not."""
    searched(savedmodel_subject)


@pytest.mark.savedmodel(
    *sorted(CONVOLUTIONS),
    producers="2.21.0",
    strip="on",
    leave_out=("mismatches_refused", "releases_agree"),
)
def test_convolutions(savedmodel_subject: Subject) -> None:
    """Of a convolution, all but what releases from 2.9 on do with odd images."""
    searched(savedmodel_subject)


@pytest.mark.savedmodel(
    *sorted(BRANCHES),
    producers="2.21.0",
    strip="on",
    leave_out=("mismatches_refused", "releases_agree"),
    batched=False,
)
def test_branches(savedmodel_subject: Subject) -> None:
    """Nor are rows alone what they are together where the batch decides on a branch."""
    searched(savedmodel_subject)


@pytest.mark.savedmodel(
    *sorted(LOOPS),
    producers="2.21.0",
    strip="on",
    on="2.11.1,2.21.0",
    edges=False,
)
def test_loops(savedmodel_subject: Subject) -> None:
    """Of a loop, all properties and no numbers at the edges, in releases that survive a negative number of rounds."""
    searched(savedmodel_subject)


@pytest.mark.savedmodel(
    LARGE, producers="2.21.0", strip="on", examples="1", leave_out="mismatches_refused"
)
def test_a_large_model(savedmodel_subject: Subject) -> None:
    """Of a large model, a few inputs."""
    searched(savedmodel_subject)


@pytest.mark.savedmodel(
    "half_plus_two_module",
    "static_hash_table_module",
    "keras_functional_export",
    producers="2.21.0",
    strip="on",
    on="2.21.0",
    provider="venv",
    loader="v2",
    examples="3",
)
def test_through_python(savedmodel_subject: Subject) -> None:
    """Through a Python loader, too; there a model is saved again as well."""
    found = searched(savedmodel_subject)
    saved = [each for each in found if each.property == "survives_saving_again"]
    assert all(each.tally is not None for each in saved)
