from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from mixture.config import ConfigError, parse
from mixture.keys import kept, with_keys


def test_a_key_is_made_once_and_kept_for_its_owner(tmp_path):
    environ = {"MIXTURE_HOME": str(tmp_path / "home")}
    key = kept(environ)
    assert len(key) > 30
    assert kept(environ) == key
    assert (tmp_path / "home" / "key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["key"]


def test_servers_that_start_together_agree(tmp_path):
    environ = {"MIXTURE_HOME": str(tmp_path)}
    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(lambda _: kept(environ), range(64)))) == 1


def test_configured_keys_win_over_the_environment_and_that_over_the_file(tmp_path):
    environ = {"MIXTURE_HOME": str(tmp_path), "MIXTURE_API_KEYS": "one, two,"}
    assert with_keys(parse({"server": {"api_keys": ["mine"]}}), environ).server.api_keys == ("mine",)
    assert with_keys(parse({}), environ).server.api_keys == ("one", "two")
    assert not (tmp_path / "key").exists()
    del environ["MIXTURE_API_KEYS"]
    assert with_keys(parse({}), environ).server.api_keys == (kept(environ),)


def test_an_empty_key_file_opens_nothing(tmp_path):
    (tmp_path / "key").write_text("\n")
    with pytest.raises(ConfigError, match="is empty"):
        kept({"MIXTURE_HOME": str(tmp_path)})
