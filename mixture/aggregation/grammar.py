"""Reading expressions: sums of products of powers, with multiplication signs that may be left out."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from functools import reduce
from typing import cast

from mixture.aggregation.latex import DEEPEST
from mixture.providers.symbolic.syntax import FUNCTIONS, Call, Name, Node, Num

_TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d+)?|\.\d+)|([a-zA-Z]+)|(\*\*|[-+*/^()!|]))")
GREEK = frozenset(
    (
        *("alpha", "beta", "gamma", "delta", "epsilon", "theta", "lambda", "mu"),
        *("nu", "rho", "sigma", "tau", "phi", "chi", "psi", "omega"),
    )
)
_TOGETHER = re.compile(r"[abc]{2,3}|[xyz]{2,3}")
"""Variables written without a sign between them."""
_CLOSING = {"(": ")", "|": "|"}
CALLED = frozenset(FUNCTIONS) - {"gcd", "lcm", "max", "min", "factorial", "square", "cube", "floor", "ceil", "ceiling"}
_CONSTANTS = ("pi", "e", "i")


def read(plain: str) -> Node:
    """The expression in `plain`, which is in the signs of a calculator. Raises ValueError when it is none."""
    return _Reader(plain).whole()


class _Reader:
    """Reads one expression from left to right."""

    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        end = 0
        for match in _TOKEN.finditer(text):
            if match.start() != end:
                break
            self._tokens.append("^" if match[0].strip() == "**" else match[0].strip())
            end = match.end()
        if text[end:].strip():
            raise ValueError("not an expression")
        self._place, self._deep = 0, 0
        self._bars = False
        """Whether the innermost bracket is a bar: another bar closes it then."""

    def whole(self) -> Node:
        node = self._sum()
        if self._place != len(self._tokens):
            raise ValueError("not an expression")
        return node

    def _peek(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        self._place += 1
        return token

    def _sum(self) -> Node:
        node = self._product()
        while self._peek() in ("+", "-"):
            node = Call(self._take(), (node, self._product()))
        return node

    def _product(self) -> Node:
        negative = False
        while self._peek() in ("+", "-"):
            negative ^= self._take() == "-"
        node = self._factor()
        while self._peek() not in ("", "+", "-", ")", "=", "!", "^", "|" if self._bars else ""):
            if self._peek() in ("*", "/"):
                node = Call(self._take(), (node, self._signed()))
            else:
                node = Call("*", (node, self._factor()))
        return Call("neg", (node,)) if negative else node

    def _signed(self) -> Node:
        negative = False
        while self._peek() in ("+", "-"):
            negative ^= self._take() == "-"
        node = self._factor()
        return Call("neg", (node,)) if negative else node

    def _factor(self) -> Node:
        node = self._atom()
        if self._peek() == "!":
            self._take()
            node = Call("!", (node,))
        if self._peek() == "^":
            self._take()
            node = Call("^", (node, self._deeper(self._signed)))
        return node

    def _atom(self) -> Node:
        token = self._take()
        return self._deeper(self._bracket, token) if token in _CLOSING else self._named(token)

    def _deeper(self, part: Callable[..., Node], *args: str) -> Node:
        self._deep += 1
        if self._deep > DEEPEST:
            raise ValueError("too deep")
        node = part(*args)
        self._deep -= 1
        return node

    def _bracket(self, opened: str) -> Node:
        outside, self._bars = self._bars, opened == "|"
        node = self._sum()
        if self._take() != _CLOSING[opened]:
            raise ValueError("an open bracket")
        self._bars = outside
        return node if opened == "(" else Call("abs", (node,))

    def _named(self, token: str) -> Node:
        if token[:1].isdigit() or token[:1] == ".":
            return Num(Fraction(token), token)
        if token in CALLED:
            return self._deeper(self._applied, FUNCTIONS[token])
        if token in _CONSTANTS or (len(token) == 1 and token.isalpha()) or token in GREEK:
            return Name(token)
        if _TOGETHER.fullmatch(token):
            return reduce(lambda node, name: Call("*", (node, Name(name))), token[1:], cast(Node, Name(token[0])))
        raise ValueError("a word")

    def _applied(self, name: str) -> Node:
        power: Node | None = None
        if self._peek() == "^":  # sin^2 x
            self._take()
            power = self._atom()
        node = Call(name, (self._factor(),))
        return node if power is None else Call("^", (node, power))
