"""Walks through what arrays answer, field by field, and keeps its form: JSON, XML, forms, output of commands."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from urllib.parse import quote_plus, unquote_plus

#: Gets the name of a field ("" where there is none) and its text; returns the text that is to stand there.
Field = Callable[[str, str], str]

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_MARKUP = re.compile(r"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<[^>]*>", re.DOTALL)
_ATTRIBUTE = re.compile(r"""([\w:.-]+)(\s*=\s*)("[^"]*"|'[^']*')""")
_PAIR = re.compile(r"^(?P<key>\s*[A-Za-z][\w ()#./-]{0,60}?)(?P<gap>\s*=\s*|\s*:\s+|\s+:\s*)(?P<value>\S.*)$")
_SPACED = re.compile(r"\S+(?: \S+)*")


def rewrite(body: str, content_type: str, field: Field) -> str:
    """The body with each of its fields as the function wants it. JSON is indented; all else keeps its form.

    Args:
        body: As it came.
        content_type: What the sender calls it; the look decides where that is wrong.
        field: Called for each field, in order.
    """
    start = body.lstrip("\ufeff \t\r\n")[:1]
    if start in ("{", "[", '"') and is_json(body):
        return _json(body, field)
    if start == "<":
        return _xml(body, field)
    if "form-urlencoded" in content_type:
        return form(body, field)
    return text(body, field)


def is_json(body: str) -> bool:
    """Whether a body is JSON."""
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


def form(body: str, field: Field) -> str:
    """A form, or a query."""
    parts: list[str] = []
    for part in body.split("&"):
        key, equals, value = part.partition("=")
        plain = unquote_plus(value)
        made = field(unquote_plus(key), plain)
        parts.append(f"{key}{equals}{value if made == plain else quote_plus(made)}")
    return "&".join(parts)


def text(body: str, field: Field) -> str:
    """Output of a command: lines of key and value, tables, and anything else."""
    lines: list[str] = []
    columns: list[tuple[int, int, str]] = []
    for line in body.splitlines(keepends=True):
        bare = line.rstrip("\r\n")
        end = line[len(bare) :]
        words = [(*found.span(), found.group()) for found in _SPACED.finditer(bare)]
        if (pair := _PAIR.match(bare)) is not None and len(words) < 4:
            columns = []
            made = field("", pair["key"]) + pair["gap"] + _quoted(pair["key"], pair["value"], field)
        elif columns and words:
            made = _row(bare, columns, field)
        else:
            made = field("", bare)
            if len(words) >= 3 and not any(each.isdigit() for _, _, word in words for each in word):
                columns = words
        if not words:
            columns = []
        lines.append(made + end)
    return "".join(lines)


def _quoted(key: str, value: str, field: Field) -> str:
    """A value, perhaps in quotes or brackets, which stay."""
    bare = value.strip()
    for left, right in (('"', '"'), ("[", "]"), ("'", "'")):
        if len(bare) > 1 and bare[0] == left and bare[-1] == right:
            bare = bare[1:-1].strip()
            break
    place = value.find(bare)
    return value[:place] + field(key.strip(), bare) + value[place + len(bare) :]


def _row(line: str, columns: list[tuple[int, int, str]], field: Field) -> str:
    made: list[str] = []
    at = 0
    for word in _SPACED.finditer(line):
        start, end = word.span()
        title = next((name for left, right, name in columns if start < right and left < end), "")
        made += [line[at:start], field(title, word.group())]
        at = end
    return "".join(made) + line[at:]


def _json(body: str, field: Field) -> str:
    made: list[str] = []
    # What the brackets are that are open, and the name under which each stands.
    open_: list[tuple[str, str]] = []
    key = ""
    tokens: list[str] = _TOKEN.findall(body)
    for place, token in enumerate(tokens):
        after = tokens[place + 1] if place + 1 < len(tokens) else ""
        indent = "\n" + "  " * len(open_)
        if token in "{[":
            open_.append((token, key))
            made.append(token if after in "}]" else token + indent + "  ")
        elif token in "}]":
            key = open_.pop()[1]
            made.append(token if tokens[place - 1] in "{[" else "\n" + "  " * len(open_) + token)
        elif token == ",":
            made.append("," + indent)
        elif token == ":":
            made.append(": ")
        elif after == ":":
            key = json.loads(token)
            made.append(_string(token, field("", key)))
        else:
            made.append(_scalar(token, key, field))
    return "".join(made)


def _scalar(token: str, key: str, field: Field) -> str:
    if token.startswith('"'):
        return _string(token, field(key, json.loads(token)))
    if not key or not token.isdigit():
        return token
    made = field(key, token)
    return made if made.isdigit() and (made == "0" or not made.startswith("0")) else token


def _string(token: str, made: str) -> str:
    return token if json.loads(token) == made else json.dumps(made, ensure_ascii=False)


def _xml(body: str, field: Field) -> str:
    made: list[str] = []
    at, key = 0, ""
    for markup in _MARKUP.finditer(body):
        made.append(_content(body[at : markup.start()], key, field))
        at = markup.end()
        tag = markup.group()
        if tag.startswith("<![CDATA["):
            made.append(f"<![CDATA[{field(key, tag[9:-3])}]]>")
        elif tag.startswith(("<!--", "<?", "</", "<!")):
            made.append(tag)
            key = ""
        else:
            names = {name: value[1:-1] for name, _, value in _ATTRIBUTE.findall(tag)}
            key = names.get("name") or re.split(r"[\s/>]", tag[1:], maxsplit=1)[0].rpartition(":")[2]
            made.append(_ATTRIBUTE.sub(lambda found: _attribute(found, field), tag))
    made.append(_content(body[at:], key, field))
    return "".join(made)


def _content(content: str, key: str, field: Field) -> str:
    if not content.strip():
        return content
    plain = html.unescape(content)
    made = field(key, plain)
    return content if made == plain else html.escape(made, quote=False)


def _attribute(found: re.Match[str], field: Field) -> str:
    name, equals, quoted = found.groups()
    plain = html.unescape(quoted[1:-1])
    made = plain if name.startswith("xmlns") or name.endswith("schemaLocation") else field(name, plain)
    return found.group() if made == plain else f"{name}{equals}{quoted[0]}{html.escape(made)}{quoted[0]}"
