"""Expressions as they were read: numbers, names and calls. Plain data that prints, and crosses a pipe as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any


@dataclass(frozen=True, slots=True)
class Num:
    """A number, exact; `text` is how it was written."""

    value: Fraction
    text: str


@dataclass(frozen=True, slots=True)
class Name:
    """A variable, or one of the constants `pi`, `e`, `i` and `oo` (infinity)."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """An operator (`+ - * / ^ neg ! % of off mod choose`) or a function, and what it is applied to."""

    name: str
    args: tuple[Node, ...]


Node = Num | Name | Call

CONSTANTS = frozenset({"pi", "e", "i", "oo"})
FUNCTIONS = {
    "sqrt": "sqrt", "cbrt": "cbrt", "abs": "abs", "exp": "exp", "ln": "ln", "log": "log", "floor": "floor",
    "ceil": "ceil", "ceiling": "ceil", "factorial": "!", "square": "square", "cube": "cube",
    "sin": "sin", "cos": "cos", "tan": "tan", "sec": "sec", "csc": "csc", "cot": "cot",
    "asin": "asin", "acos": "acos", "atan": "atan", "arcsin": "asin", "arccos": "acos", "arctan": "atan",
    "sinh": "sinh", "cosh": "cosh", "tanh": "tanh",
    "gcd": "gcd", "lcm": "lcm", "max": "max", "min": "min",
}  # fmt: skip
"""What a function may be called, and its one name here."""
MANY = frozenset({"gcd", "lcm", "max", "min"})
"""The functions of several numbers; all others take one."""
BINDING = {"+": 10, "-": 10, "*": 20, "/": 20, "of": 20, "off": 20, "mod": 20, "choose": 35, "neg": 30, "^": 40}
"""How tightly an operator binds, for reading and for printing."""
_LOOSE = frozenset(BINDING) - {"^"}
_POSTFIX = {"!": "!", "%": "%", "degrees": "°"}


def variables(node: Node) -> set[str]:
    """The names in `node` that are not constants."""
    if isinstance(node, Name):
        return set() if node.name in CONSTANTS else {node.name}
    return set().union(*(variables(arg) for arg in node.args)) if isinstance(node, Call) else set()


def natural(node: Node) -> Node:
    """`node` with `log` as the natural logarithm, which it is in calculus and algebra."""
    if not isinstance(node, Call):
        return node
    name = "ln" if node.name == "log" and len(node.args) == 1 else node.name
    return Call(name, tuple(natural(arg) for arg in node.args))


def number(value: int | Fraction) -> Num:
    """A number that was not written as such."""
    return Num(Fraction(value), str(value))


def encode(node: Node) -> list[Any]:
    """`node` as nested lists."""
    if isinstance(node, Num):
        return ["n", str(node.value)]
    if isinstance(node, Name):
        return ["v", node.name]
    return ["c", node.name, *(encode(arg) for arg in node.args)]


def show(node: Node) -> str:
    """`node` as a line of text, with no more brackets than it needs."""
    if isinstance(node, Num):
        return node.text
    if isinstance(node, Name):
        return "∞" if node.name == "oo" else node.name
    name, args = node.name, node.args
    if name in _POSTFIX:
        return _inside(args[0], 50) + _POSTFIX[name]
    if name == "neg":
        return "-" + _inside(args[0], 30)
    if name == "^":
        return f"{_inside(args[0], 41)}^{_inside(args[1], 40)}"
    if name in BINDING:
        own = BINDING[name]
        sign = f"{name}" if name == "*" or (name == "/" and _short(args)) else f" {name} "
        return f"{_inside(args[0], own)}{sign}{_inside(args[1], own + 1)}"
    if name in ("log", "root") and len(args) == 2:
        return f"{name}{_inside(args[1], 50)}({show(args[0])})"
    if name == "log":
        return f"log10({show(args[0])})"
    return f"{name}({', '.join(show(arg) for arg in args)})"


def _short(args: tuple[Node, ...]) -> bool:
    return all(isinstance(arg, Num | Name) or (isinstance(arg, Call) and arg.name not in _LOOSE) for arg in args)


def _inside(node: Node, binding: int) -> str:
    text = show(node)
    own = BINDING.get(node.name, 60) if isinstance(node, Call) else 60
    if isinstance(node, Num) and not node.text.replace(".", "").replace(",", "").isdigit():
        own = 20  # it was made here, of a fraction or of words
    return f"({text})" if own < binding else text
