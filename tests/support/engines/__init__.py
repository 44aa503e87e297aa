"""Both engines of state machines behind one face, so that a test plays the same on each."""

import pytest

pytest.register_assert_rewrite("tests.support.engines.both")
