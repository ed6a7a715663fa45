"""Every codec of the registry keeps the contract."""

import pytest
from tests.codecs.examples import EXAMPLES

from penstock.codecs import CODECS, make
from penstock.core.errors import ConfigError
from penstock.testing.codec_contract import CodecContract


def test_every_codec_has_examples():
    assert set(EXAMPLES) == set(CODECS)


@pytest.mark.parametrize("name", sorted(CODECS))
def test_a_codec_is_called_what_the_registry_says(name: str):
    assert make(name).name == name


def test_an_unknown_codec_is_refused_with_the_nearest_name():
    with pytest.raises(ConfigError, match="did you mean 'factory'"):
        make("factroy")
    with pytest.raises(ConfigError, match=r"codecs are: .*flat"):
        make("x")


@pytest.mark.parametrize("name", sorted(CODECS), scope="class")
class TestCodecs(CodecContract):
    @pytest.fixture
    def make_codec(self, name):
        return lambda: make(name)

    @pytest.fixture
    def examples(self, name):
        return EXAMPLES[name]
