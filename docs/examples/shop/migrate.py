"""Create all tables, as their owner: `python migrate.py`, before each deploy.

With a role, as in `python migrate.py shop_app`, grant it what the application needs. PostgreSQL
then lets the application write the audit, and neither read, change nor delete it. SQLite has no
roles.
"""

import sys
from pathlib import Path

import shop
from faces import opened

GRANTS = """
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role};
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role};
REVOKE ALL ON audit FROM {role};
GRANT INSERT ON audit TO {role}"""


def migrate(role: str | None = None) -> None:
    with opened():  # creates facematch's own tables
        pass
    statements = Path(__file__).with_name("schema.sql").read_text().split(";\n")
    if role is not None:
        statements += GRANTS.format(role=f'"{role}"').split(";")
    with shop.transaction() as database:
        for statement in statements:
            if statement.strip():
                shop.execute(database, statement)


if __name__ == "__main__":
    migrate(*sys.argv[1:])
