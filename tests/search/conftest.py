"""In these tests a property that does not apply is a fault: a skip would hide that it is asked no more."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from savedmodel_compat.properties import DoesNotApplyError


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Fail where a property says that it does not apply, and the test did not expect that."""
    try:
        return (yield)
    except DoesNotApplyError as error:
        pytest.fail(f"{pyfuncitem.name}: it does not apply: {error}")
