"""The root of the testbed's errors."""

import pickle

import pytest

from testbed.errors import ExitCode, LabFault, TestbedError, UsageError


def test_exit_codes_are_those_of_the_design() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "PASS": 0,
        "LIMIT_FAILED": 1,
        "USAGE": 2,
        "LAB_FAULT": 3,
        "INCONCLUSIVE": 4,
    }


@pytest.mark.parametrize(
    ("kind", "code"), [(UsageError, ExitCode.USAGE), (LabFault, ExitCode.LAB_FAULT)]
)
def test_a_branch_has_its_own_exit_code(kind: type[TestbedError], code: ExitCode) -> None:
    error = kind("the port is gone", hint="plug it in")
    assert (error.exit_code, error.hint, str(error)) == (code, "plug it in", "the port is gone")


def test_an_exit_code_can_be_given() -> None:
    error = TestbedError("too few messages", exit_code=ExitCode.INCONCLUSIVE)
    assert error.exit_code is ExitCode.INCONCLUSIVE
    assert error.hint is None


class _Detailed(UsageError):
    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is wrong", hint="correct it")
        self.path = path


def test_an_error_survives_pickling_whole_even_with_a_constructor_of_its_own() -> None:
    error = pickle.loads(pickle.dumps(_Detailed("a.yaml")))
    assert isinstance(error, _Detailed)
    assert (str(error), error.hint, error.exit_code, error.path) == (
        "a.yaml is wrong",
        "correct it",
        ExitCode.USAGE,
        "a.yaml",
    )
