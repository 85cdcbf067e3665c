#!/usr/bin/python3
"""What psycopg 3 makes of each call in a file such as calls.tsv, in text, in binary and
through a cursor on the server; connects by the environment (PGHOST, ...)."""

import datetime
import json
import re
import struct
import sys
import uuid

import psycopg

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def read_calls(file):
    with open(file, encoding="utf-8", newline="\n") as lines:
        for number, line in enumerate(lines, 1):
            if not line.startswith("#"):
                kind, name, sql, *params = line.rstrip("\n").split("\t")
                yield number, kind, sql, [param.split(":", 2) for param in params]


def to_python(kind, text):
    """A parameter of the type that a program would have it in."""
    if text == r"\N":
        return None
    if kind.endswith("[]"):
        return [None if item == "NULL" else to_python(kind[:-2], item) for item in text[1:-1].split(",")]
    if kind == "timestamptz":
        return datetime.datetime.fromisoformat(text + "+00:00")
    return uuid.UUID(text) if kind == "uuid" else int(text)


def to_text(value, kind):
    if value is None:
        return r"\N"
    if kind == "timestamptz":
        return value.astimezone(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")
    if kind == "interval":
        return str(value // datetime.timedelta(microseconds=1))
    if kind == "float8":
        return struct.pack(">d", value).hex()
    if kind == "bool":
        return "true" if value else "false"
    if kind == "json":
        # It has been parsed; what is written again is the same where nothing was lost.
        value = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    text = str(value)
    for character, escape in ("\\", r"\\"), ("\t", r"\t"), ("\n", r"\n"):
        text = text.replace(character, escape)
    return text


def columns(cursor):
    types = cursor.connection.adapters.types
    return [(column.name, types[column.type_code].name) for column in cursor.description]


def to_lines(cursor):
    kinds = [kind for _, kind in columns(cursor)]
    return ["\t".join(map(to_text, row, kinds)) for row in cursor]


def execute_pages(cursor, sql, names, values):
    """All pages; they end with one that has no row."""
    lines = []
    while True:
        cursor.execute(sql, values)
        rows = cursor.fetchall()
        if not rows:
            return lines
        kinds = [kind for _, kind in columns(cursor)]
        lines += ["\t".join(map(to_text, row, kinds)) for row in rows]
        values[-1] = values[-1] + 1 if names[-1] == "page" else rows[-1][0]


def show(title, lines):
    print("\n".join(["== " + title, *lines]))


def main():
    connection = psycopg.connect(autocommit=True)
    connection.execute("SET TimeZone = 'UTC'")

    # psycopg has no functions that list things; this is how a program looks.
    cursor = connection.execute(
        "SELECT routine_name FROM information_schema.routines"
        " WHERE routine_name LIKE 'ekran%' AND routine_type = 'FUNCTION' ORDER BY routine_name COLLATE \"C\"")
    show("functions", [name for name, in cursor])
    cursor = connection.execute(
        "SELECT table_name || '\t' || column_name || '\t' || udt_name FROM information_schema.columns"
        " WHERE table_schema = 'ekran' ORDER BY table_name COLLATE \"C\", ordinal_position")
    show("relations", [line for line, in cursor])

    for number, kind, sql, params in read_calls(sys.argv[1]):
        names = [name for name, _, _ in params]
        values = [to_python(kind, text) for _, kind, text in params]
        sql = re.sub(r"\$\d+", "%s", sql)
        if kind == "error":
            try:
                connection.execute(sql, values)
            except psycopg.Error as error:
                show(f"error {number}", [f"{error.sqlstate}\t{error.diag.message_primary}"])
            continue
        show(f"columns {number}", ["\t".join(column) for column in columns(
            connection.execute(f"SELECT * FROM ({sql}) q LIMIT 0", values))])
        if kind == "pages":
            for binary in False, True:
                show(f"rows {number}", execute_pages(connection.cursor(binary=binary), sql, names, list(values)))
            continue
        for binary in False, True:
            show(f"rows {number}", to_lines(connection.cursor(binary=binary).execute(sql, values)))
        with connection.transaction(), connection.cursor("on_server") as cursor:
            cursor.itersize = 100
            show(f"rows {number}", to_lines(cursor.execute(sql, values)))


main()
