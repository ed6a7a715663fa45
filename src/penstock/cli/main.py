"""`penstock`: the one command; every subcommand is a file beside this one."""

from __future__ import annotations

import sys

import typer

from penstock.cli import (
    alarm_rules,
    alarms,
    app_queries,  # noqa: F401 - adds to `apps`
    app_texts,  # noqa: F401 - adds to `apps`
    apps,
    audit,
    clients,
    commanding,  # noqa: F401 - adds to `devices`
    companies,
    deadletters,
    demo,
    device_logs,  # noqa: F401 - adds to `devices`
    devices,
    doctor,
    grants,
    import_history,
    keys,
    log,
    login,
    notifications,
    observations,
    simulate,
    sql,
    systems,
    targets,
    up,
    users,
)
from penstock.core.errors import (
    Backpressure,
    Conflict,
    Forbidden,
    InvalidInput,
    NotConnected,
    NotFound,
    PenstockError,
    Unauthenticated,
)

#: Exit codes that scripts can rely on, by the first type that fits; everything else is 1.
EXIT_CODES: tuple[tuple[type[PenstockError], int], ...] = (
    (InvalidInput, 2),
    (NotFound, 3),
    (Unauthenticated, 4),
    (Forbidden, 4),
    (Conflict, 5),
    (NotConnected, 6),
    (Backpressure, 6),
)

app = typer.Typer(
    name="penstock",
    help="Sensor streams in, on disk before they are acknowledged, live and past on one chart.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("up")(up.up)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.command("version")(up.version)
app.command("password")(up.password)
app.add_typer(simulate.app, name="simulate")
app.command("import")(import_history.import_history)
app.add_typer(log.app, name="log")
app.add_typer(deadletters.app, name="deadletters")
app.command("login")(login.login)
app.command("logout")(login.logout)
app.command("whoami")(login.whoami)
app.add_typer(devices.app, name="devices")
app.add_typer(targets.app, name="targets")
app.add_typer(observations.app, name="observations")
app.command("export")(observations.export)
app.add_typer(apps.app, name="apps")
app.command("sql")(sql.sql)
app.add_typer(alarms.app, name="alarms")
app.add_typer(alarm_rules.app, name="alarm-rules")
app.add_typer(notifications.app, name="notifications")
app.add_typer(users.app, name="users")
app.add_typer(companies.app, name="companies")
app.add_typer(systems.app, name="systems")
app.add_typer(clients.app, name="clients")
app.add_typer(keys.app, name="keys")
app.add_typer(grants.app, name="grants")
app.command("audit")(audit.audit)


def run() -> None:
    """Run the command line; an error of ours becomes one line and an exit code."""
    try:
        app()
    except PenstockError as error:
        sys.stderr.write(f"penstock: {error}\n")
        sys.exit(next((code for kind, code in EXIT_CODES if isinstance(error, kind)), 1))
    except OSError as error:
        if error.filename is None:
            raise
        what = error.strerror or type(error).__name__
        sys.stderr.write(
            f"penstock: {error.filename} cannot be used: {what}; name another file or folder, or "
            "look at who may write there\n"
        )
        sys.exit(1)


if __name__ == "__main__":
    run()
