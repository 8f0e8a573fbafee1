"""Faults that only a search of shapes and values finds, each made as small as it gets."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.search.seeding import broken, seeded, smallest

from savedmodel_compat import properties
from savedmodel_compat.properties import DoesNotApplyError
from savedmodel_compat.search import engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from savedmodel_compat.properties import Subject, Tally


@seeded("export_right")
@pytest.mark.parametrize("holds", properties.ALL, ids=properties.name_of)
def test_without_a_fault(savedmodel_subject: Subject, holds: Callable[[Subject], Tally]) -> None:
    """What is right breaks nothing; what does not apply is said."""
    try:
        tally = holds(savedmodel_subject)
    except DoesNotApplyError:
        assert holds in {
            properties.defaults_hold,
            properties.releases_agree,
            properties.survives_saving_again,
        }
    else:
        assert tally.answered


@seeded("export_empty_batch")
def test_an_empty_batch(savedmodel_subject: Subject) -> None:
    """A model that is wrong for no rows."""
    assert (
        smallest(broken(properties.rows_are_independent, savedmodel_subject)) == "x float32 [0, 1]"
    )


@seeded("export_beyond_64")
def test_a_batch_of_more_than_64(savedmodel_subject: Subject) -> None:
    """A model that is wrong from 65 rows on."""
    found = broken(properties.rows_are_independent, savedmodel_subject)
    assert smallest(found) == "x float32 [65, 1]"


@seeded("export_odd_width")
def test_an_odd_width(savedmodel_subject: Subject) -> None:
    """A model that is wrong for odd widths, which what was recorded has not."""
    found = broken(properties.answers_as_exported, savedmodel_subject)
    assert smallest(found) == "image float32 [1, 0, 1]"


@seeded("export_empty_string")
def test_an_empty_string(savedmodel_subject: Subject) -> None:
    """A model that is wrong for the empty string."""
    found = broken(properties.answers_as_exported, savedmodel_subject)
    assert smallest(found) == "text string [1]"
    assert "np.array([b''], object)" in found


@seeded("export_by_position")
def test_inputs_by_position(savedmodel_subject: Subject) -> None:
    """A model that takes its inputs by their order, and not by their names."""
    found = broken(properties.answers_as_exported, savedmodel_subject)
    assert smallest(found) == "minuend float32 [1, 1], subtrahend float32 [1, 1]"


@seeded("export_leaking")
def test_state_that_leaks(savedmodel_subject: Subject) -> None:
    """A model that adds what it was fed before."""
    found = broken(properties.answers_twice_alike, savedmodel_subject)
    assert smallest(found) == "x float32 [1, 1]"
    assert "AssignVariableOp" in found


@seeded("export_leaking", stateful=True)
def test_state_that_is_meant(savedmodel_subject: Subject) -> None:
    """Of a model that is said to keep state nothing is asked that state would change."""
    with pytest.raises(DoesNotApplyError, match="stateful"):
        properties.answers_twice_alike(savedmodel_subject)


@seeded("export_batch_norm")
def test_rows_that_depend_on_each_other(savedmodel_subject: Subject) -> None:
    """A model that looks at the whole batch."""
    found = broken(properties.rows_are_independent, savedmodel_subject)
    assert smallest(found) == "x float32 [2, 1]"


@seeded("export_batch_norm", batched=False)
def test_rows_that_are_meant_to(savedmodel_subject: Subject) -> None:
    """It may be said that they are meant to."""
    with pytest.raises(DoesNotApplyError, match="depend on each other"):
        properties.rows_are_independent(savedmodel_subject)


@seeded("export_undeclared")
def test_a_shape_that_is_not_declared(savedmodel_subject: Subject) -> None:
    """A model that breaks its own signature."""
    found = broken(properties.outputs_as_declared, savedmodel_subject)
    assert smallest(found) == "x float32 [3, 1]"
    assert "output 'y' has the shape [3, 0], and ['?', 1] is declared" in found


@seeded("export_aborting")
def test_inputs_that_end_the_process(savedmodel_subject: Subject) -> None:
    """A kernel that ends the process for an image without dimensions, which the C++ loader lets through."""
    found = broken(properties.mismatches_refused, savedmodel_subject)
    assert smallest(found) == "image float32 []"
    assert "SIGABRT" in found
    assert "Check failed" in found


@seeded("export_default", producers="2.21.0", on="2.21.0")
def test_a_default(savedmodel_subject: Subject) -> None:
    """A default that is what leaving out means."""
    assert properties.defaults_hold(savedmodel_subject).answered


@seeded("export_other_default", producers="2.21.0", on="2.21.0")
def test_another_default(savedmodel_subject: Subject) -> None:
    """A default that is something else than leaving out meant."""
    found = broken(properties.defaults_hold, savedmodel_subject)
    assert "the defaults of ['scale'] are not what is left out means" in found
    assert smallest(found) == "scale float32 [], x float32 [1, 1]"


@seeded("export_wide_norm", examples="30")
def test_rows_of_any_width(savedmodel_subject: Subject) -> None:
    """Rows are of different values, whatever their size."""
    found = broken(properties.rows_are_independent, savedmodel_subject)
    assert smallest(found) == "x float32 [2, 12]"


@seeded("export_image_norm", examples="30")
def test_rows_that_are_images(savedmodel_subject: Subject) -> None:
    """Of large rows there are batches, too."""
    found = broken(properties.rows_are_independent, savedmodel_subject)
    assert smallest(found) == "x float32 [2, 96, 96, 3]"


@seeded("export_two_widths", examples="60")
def test_rows_of_two_widths(savedmodel_subject: Subject) -> None:
    """Inputs of one batch have as many rows, however wide one of them is."""
    found = broken(properties.rows_are_independent, savedmodel_subject)
    assert smallest(found) == "wide float32 [2, 20000], x float32 [2, 1]"


@seeded("export_one_at_a_time", examples="30")
def test_rows_that_are_refused_together(savedmodel_subject: Subject) -> None:
    """A batch that is refused, and each of whose rows is not."""
    found = broken(properties.rows_are_independent, savedmodel_subject)
    assert smallest(found) == "x float32 [2, 1]"
    assert "each of its 2 rows is answered alone, and together they are refused" in found
    assert "if that is meant, say so: batched=False" in found


@seeded("export_poisoned")
def test_a_row_that_is_no_number(savedmodel_subject: Subject) -> None:
    """A row of NaN makes another's answer NaN."""
    found = broken(properties.rows_are_independent, savedmodel_subject)
    assert smallest(found) == "x float32 [2, 1]"


@seeded("export_poisoned", edges=False)
def test_no_edges(savedmodel_subject: Subject) -> None:
    """Without edges every row is a number."""
    assert properties.rows_are_independent(savedmodel_subject).answered


@seeded("export_fewer_rows", examples="60")
def test_a_first_dimension_that_is_no_batch(savedmodel_subject: Subject) -> None:
    """An output of fewer rows than the batch."""
    found = broken(properties.rows_are_independent, savedmodel_subject)
    assert "output 'y' of 2 rows has the shape [1]" in found


@seeded("export_latching", examples="60")
def test_state_that_comes_once(savedmodel_subject: Subject) -> None:
    """What was asked before the state came is answered otherwise after."""
    found = broken(properties.answers_twice_alike, savedmodel_subject)
    assert "others, and not first: output 'y'" in found


@seeded("export_lenient", examples="60")
def test_what_call_refuses(savedmodel_subject: Subject) -> None:
    """An answer to what the exporter's own function raises at, with what it raised."""
    found = broken(properties.answers_as_exported, savedmodel_subject)
    assert smallest(found) == "x float32 [4, 1]"
    assert "the exporter's `call` raised KeyError: 'too many'" in found


@seeded("export_refused_default", producers="2.21.0", on="2.21.0", examples="10")
def test_a_default_that_is_refused(savedmodel_subject: Subject) -> None:
    """A default that the model refuses where it answers others."""
    found = broken(properties.defaults_hold, savedmodel_subject)
    assert "the defaults of ['scale'] are refused" in found


@seeded("export_forgiving", examples="40")
def test_placeholders_that_take_more(savedmodel_subject: Subject) -> None:
    """A session does not miss what has a value of its own."""
    assert properties.mismatches_refused(savedmodel_subject).answered


@seeded("export_forgiving", examples="40", provider="venv", loader="v1")
def test_signatures_that_say_less(savedmodel_subject: Subject) -> None:
    """A session of Python compares shapes with those of the placeholders, not with the signature's."""
    assert properties.mismatches_refused(savedmodel_subject).answered


@seeded("export_hanging", examples="60")
def test_inputs_that_take_for_ever(
    savedmodel_subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hang ends after its limit; of what fits it is a refusal, of what does not it is a fault."""
    monkeypatch.setattr(engine, "_MOST_TOO_MUCH", 2)
    # Loading has to fit, too, on a machine that does much else.
    savedmodel_subject.limits = replace(savedmodel_subject.limits, seconds=4.0)
    tally = properties.outputs_as_declared(savedmodel_subject)
    assert tally.refused
    assert tally.answered
    found = broken(properties.mismatches_refused, savedmodel_subject)
    assert "no answer after 4.2 s" in found
    found = broken(properties.answers_as_exported, savedmodel_subject)
    assert "exported answers, and" in found
