"""Settings come from the environment, and their errors name the variable, never the value."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from connectors.contract import Misconfigured
from schemas.access import Role
from services.broker import BrokerSettings
from services.settings import PREFIX, Settings, read_settings, settings_table


def url_of(environ: dict[str, str]) -> str:
    return read_settings(environ).database_url.get_secret_value()


def test_the_defaults_need_nothing() -> None:
    settings = read_settings({"HOME": "/home/ann"})
    assert settings.data_dir == Path("/home/ann/.local/share/throughline")
    assert settings.secret_key_file == Path("/home/ann/.local/share/throughline/secret.key")
    assert settings.database_url.get_secret_value() == (
        "sqlite+aiosqlite:////home/ann/.local/share/throughline/throughline.db"
    )
    assert settings.kafka_bootstrap is None
    assert (settings.api_host, settings.api_port, settings.retention_days) == ("127.0.0.1", 8700, 30)
    assert (settings.poll_interval, settings.batch_size, settings.allow_loopback_tools) == (60, 500, False)


def test_the_data_directory_moves_all_that_lies_in_it() -> None:
    assert read_settings({"XDG_DATA_HOME": "/x"}).data_dir == Path("/x/throughline")
    settings = read_settings({"XDG_DATA_HOME": "/x", "THROUGHLINE_DATA_DIR": "/srv/hub"})
    assert settings.secret_key_file == Path("/srv/hub/secret.key")
    assert url_of({"THROUGHLINE_DATA_DIR": "/srv/hub"}) == "sqlite+aiosqlite:////srv/hub/throughline.db"


def test_a_user_without_a_home_says_where_the_data_lies() -> None:
    nowhere = {"HOME": "~"}  # as Python says it where there is none
    with pytest.raises(Misconfigured, match="THROUGHLINE_DATA_DIR: nobody's home is known here; give the whole path"):
        read_settings(nowhere)
    assert read_settings(nowhere | {"THROUGHLINE_DATA_DIR": "/srv/hub"}).data_dir == Path("/srv/hub")


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgresql://u:p@h:5432/d", "postgresql+asyncpg://u:p@h:5432/d"),
        ("postgres://u:a?b@h/d?sslmode=require&port=1", "postgresql+asyncpg://u:a?b@h/d?ssl=require&port=1"),
        ("postgresql:///d?host=/run/postgresql", "postgresql+asyncpg:///d?host=/run/postgresql"),
        ("postgresql+asyncpg://h/d", "postgresql+asyncpg://h/d"),
        ("sqlite:///a.db", "sqlite+aiosqlite:///a.db"),
    ],
)
def test_the_database_address_gets_its_driver(given: str, used: str) -> None:
    assert url_of({"THROUGHLINE_DATABASE_URL": given}) == used


def test_secrets_from_files(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://u:p@h/d\n")
    (tmp_path / "password").write_text("pass word\n")
    environ = {
        "THROUGHLINE_DATABASE_URL_FILE": str(tmp_path / "url"),
        "THROUGHLINE_KAFKA_PASSWORD_FILE": str(tmp_path / "password"),
        "THROUGHLINE_KAFKA_USERNAME": "hub",
    }
    assert url_of(environ) == "postgresql+asyncpg://u:p@h/d"
    assert read_settings(environ).kafka_password == SecretStr("pass word")


def test_lists_and_switches() -> None:
    settings = read_settings(
        {
            "THROUGHLINE_ALLOWED_NETWORKS": "10.0.0.0/8, fd00::/8",
            "THROUGHLINE_SECRET_KEY": "new,old",
            "THROUGHLINE_ALLOW_LOOPBACK_TOOLS": "yes",
            "THROUGHLINE_LOG_LEVEL": "WARNING",
            "THROUGHLINE_API_PORT": "",
        }
    )
    assert [str(each) for each in settings.allowed_networks] == ["10.0.0.0/8", "fd00::/8"]
    assert [each.get_secret_value() for each in settings.secret_key] == ["new", "old"]
    assert settings.allow_loopback_tools
    assert settings.log_level == "warning"
    assert settings.api_port == 8700


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("API_PORT", "99991"),
        ("API_PORT", "canary-5e"),
        ("DATABASE_URL", "mysql://canary-5e@h/d"),
        ("DATABASE_URL", "canary-5e"),
        ("DATABASE_URL", "postgresql://h/d?canary-5e=1"),
        ("DATABASE_URL", "postgresql://h/d?sslmode=require&connect_timeout=canary-5e"),
        ("ALLOWED_NETWORKS", "10.0.0.1/8"),
        ("ALLOWED_NETWORKS", "canary-5e"),
        ("KAFKA_BOOTSTRAP", "canary-5e"),
        ("KAFKA_BOOTSTRAP", "[canary-5e]:9092"),
        ("KAFKA_MECHANISM", "canary-5e"),
        ("LOG_FORMAT", "canary-5e"),
        ("PUBLIC_URL", "canary-5e"),
        ("TOPIC_PREFIX", "canary 5e"),
        ("BATCH_SIZE", "0"),
        ("POLL_INTERVAL", "canary-5e"),
        ("ALLOW_LOOPBACK_TOOLS", "canary-5e"),
    ],
)
def test_an_error_names_its_variable_and_not_its_value(variable: str, value: str) -> None:
    with pytest.raises(Misconfigured) as raised:
        read_settings({PREFIX + variable: value})
    assert str(raised.value).count(PREFIX) == 1
    assert PREFIX + variable in str(raised.value)
    assert value not in str(raised.value)
    assert raised.value.__cause__ is None or value not in str(raised.value.__cause__)


def test_all_errors_are_told_at_once() -> None:
    with pytest.raises(Misconfigured) as raised:
        read_settings({"THROUGHLINE_API_PORT": "x", "THROUGHLINE_LOG_LEVEL": "x", "THROUGHLINE_DATA_DIRR": "/x"})
    for variable in ("API_PORT", "LOG_LEVEL", "DATA_DIRR: there is no such setting; THROUGHLINE_DATA_DIR is meant?"):
        assert PREFIX + variable in str(raised.value)


def test_variables_of_others_are_left_alone() -> None:
    environ = {"THROUGHLINE_JIRA_TOKEN": "x", "PATH": "/bin", "API_PORT": "x"}
    assert read_settings(environ) == read_settings({})


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        ({"KAFKA_USERNAME": "hub"}, "KAFKA_PASSWORD"),
        ({"KAFKA_PASSWORD": "canary-5e"}, "KAFKA_USERNAME"),
        (
            {
                "KAFKA_BOOTSTRAP": "127.0.0.1:9092,k.example:9092",
                "KAFKA_USERNAME": "hub",
                "KAFKA_PASSWORD": "canary-5e",
                "KAFKA_MECHANISM": "plain",
            },
            "KAFKA_MECHANISM",
        ),
        ({"API_HOST": "0.0.0.0", "OPEN_TO_THIS_MACHINE": "true"}, "OPEN_TO_THIS_MACHINE"),
        ({"API_HOST": "hub.example", "OPEN_TO_THIS_MACHINE": "true"}, "OPEN_TO_THIS_MACHINE"),
        ({"HEALTH_HOST": "0.0.0.0", "HEALTH_PORT": "1", "OPEN_TO_THIS_MACHINE": "true"}, "OPEN_TO_THIS_MACHINE"),
        ({"OIDC_ISSUER": "https://a.example"}, "OIDC_CLIENT_ID"),
        ({"OIDC_ISSUER": "https://a.example", "OIDC_CLIENT_ID": "hub"}, "OIDC_CLIENT_SECRET"),
        ({"OIDC_ISSUER": "https://a.example", "OIDC_CLIENT_ID": "hub", "OIDC_CLIENT_SECRET": "canary"}, "SITE_URL"),
        ({"PROXY_USER_HEADER": "X-User"}, "PROXY_NETWORKS"),
        ({"PROXY_USER_HEADER": "X-User", "PROXY_NETWORKS": "10.0.0.1/32"}, "PROXY_SECRET"),
        ({"PROXY_SECRET": "canary"}, "PROXY_SECRET"),
        ({"API_TOKEN_FILE": "/x"}, "API_TOKEN_FILE"),
        ({"KAFKA_PASSWORD_FILE": "/absent/canary-5e"}, "KAFKA_PASSWORD_FILE"),
        ({"DATABASE_URL": "sqlite://", "DATABASE_URL_FILE": "/x"}, "DATABASE_URL"),
    ],
)
def test_settings_that_do_not_go_together(environ: dict[str, str], variable: str) -> None:
    with pytest.raises(Misconfigured, match=f"{PREFIX}{variable}: ") as raised:
        read_settings({PREFIX + name: value for name, value in environ.items()})
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_this_machine_may_be_let_in_unasked(host: str) -> None:
    settings = read_settings({"THROUGHLINE_API_HOST": host, "THROUGHLINE_OPEN_TO_THIS_MACHINE": "true"})
    assert (settings.api_host, settings.open_to_this_machine) == (host, True)
    assert not read_settings({"THROUGHLINE_API_HOST": host}).open_to_this_machine


def test_groups_have_roles_and_names_with_spaces() -> None:
    settings = read_settings(
        {"THROUGHLINE_GROUP_ROLES": "Hub admins=admin, IT=Editor", "THROUGHLINE_NEWCOMER_GROUPS": "All staff,Partners"}
    )
    assert settings.group_roles == {"Hub admins": Role.ADMIN, "IT": Role.EDITOR}
    assert settings.newcomer_groups == ("All staff", "Partners")
    with pytest.raises(Misconfigured, match="THROUGHLINE_GROUP_ROLES") as raised:
        read_settings({"THROUGHLINE_GROUP_ROLES": "canary-5e=king"})
    assert "canary" not in str(raised.value)


def test_the_broker_takes_the_part_about_kafka() -> None:
    environ = {
        "THROUGHLINE_KAFKA_BOOTSTRAP": "k1:9092,k2:9092",
        "THROUGHLINE_KAFKA_USERNAME": "hub",
        "THROUGHLINE_KAFKA_PASSWORD": "canary-5e",
        "THROUGHLINE_KAFKA_MECHANISM": "SCRAM-SHA-256",
        "THROUGHLINE_KAFKA_CA_FILE": "/etc/ca.pem",
        "THROUGHLINE_TOPIC_PREFIX": "acme.",
    }
    broker = BrokerSettings(**read_settings(environ).kafka())
    assert (broker.mechanism, broker.username, broker.tls) == ("scram-sha-256", "hub", True)
    assert broker.password.get_secret_value() == "canary-5e"
    assert (broker.prefix, broker.partitions, broker.retention_days) == ("acme.", 4, 30)
    for where in ({"KAFKA_BOOTSTRAP": "127.0.0.1:9092,localhost:9092,[::1]:9092"}, {"KAFKA_TLS": "true"}):
        plain = {
            **environ,
            "THROUGHLINE_KAFKA_MECHANISM": "plain",
            **{PREFIX + name: value for name, value in where.items()},
        }
        assert BrokerSettings(**read_settings(plain).kafka()).mechanism == "plain"
    embedded = BrokerSettings(bootstrap="127.0.0.1:1", **read_settings({}).kafka())
    assert (embedded.mechanism, embedded.tls) == ("none", False)


def test_secrets_do_not_show() -> None:
    environ = {
        "THROUGHLINE_SECRET_KEY": "canary-5e",
        "THROUGHLINE_DATABASE_URL": "postgresql://u:canary-5e@h/d",
        "THROUGHLINE_KAFKA_USERNAME": "hub",
        "THROUGHLINE_KAFKA_PASSWORD": "canary-5e",
    }
    settings = read_settings(environ)
    assert "canary" not in repr(settings) + str(settings) + settings.model_dump_json()


def test_every_setting_is_described_and_in_the_table() -> None:
    table = settings_table()
    for name, field in Settings.model_fields.items():
        assert field.title, name
        assert field.description, name
        assert f"| `{PREFIX}{name.upper()}`" in table
        assert field.description in table
    assert "`THROUGHLINE_KAFKA_PASSWORD_FILE`" in table
    assert table.count("\n") == len(Settings.model_fields) + 2
    assert all(line.count(" | ") == 2 for line in table.splitlines() if "---" not in line)


def test_the_table_is_the_same_on_every_machine() -> None:
    assert str(Path.home()) not in settings_table()
