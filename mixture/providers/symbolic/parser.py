"""Tokens into an expression, by operator precedence (V. Pratt, "Top down operator precedence", 1973)."""

from __future__ import annotations

from mixture.providers.symbolic.lexer import Token, tokens
from mixture.providers.symbolic.refusals import NotMaths, TooLarge
from mixture.providers.symbolic.syntax import BINDING, MANY, Call, Name, Node, Num, number

DEEPEST = 60
"""Brackets, signs and powers inside one another."""
LONGEST = 150
"""Operators in one expression: a chain of them is as deep a tree as it is long."""
_PRODUCT = BINDING["*"]
_POSTFIX = ("!", "%", "degrees")
_FRACTIONS = ("%", "/")
_FUNCTION_LETTERS = frozenset("fgh")


def parse(text: str) -> Node:
    """The expression that all of `text` is. Raises NotMaths when it is none, TooLarge when it is nested too deep."""
    parser = _Parser(tokens(text))
    node = parser.expression(0)
    if parser.next.kind != "end":
        raise NotMaths
    return node


class _Parser:
    def __init__(self, found: list[Token]) -> None:
        self._tokens = found
        self._at = 0
        self._depth = 0
        self._operators = 0

    @property
    def next(self) -> Token:
        return self._tokens[self._at]

    def expression(self, binding: int) -> Node:
        """Everything that binds more tightly than `binding`."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise TooLarge(f"brackets, signs or powers nested more than {DEEPEST} deep")
        left = self._first()
        while (operator := self._infix(left)) and BINDING[operator] > binding:
            left = self._continued(left, operator)
        self._depth -= 1
        return left

    def _take(self) -> Token:
        token = self.next
        self._at += 1
        return token

    def _takes(self, *texts: str) -> bool:
        found = self.next.kind == "operator" and self.next.text in texts
        self._at += found
        return found

    def _first(self) -> Node:
        token = self._take()
        if token.number is not None:
            return self._postfixed(token.number)
        if token.kind == "name":
            return self._postfixed(Name(token.text))
        if token.kind == "function":
            return self._function(token)
        if token.text == "(":
            inner = self.expression(0)
            self._expect(")")
            return self._postfixed(inner)
        if token.text == "-":
            return Call("neg", (self.expression(BINDING["neg"]),))
        if token.text == "+":
            return self.expression(BINDING["neg"])
        raise NotMaths

    def _postfixed(self, node: Node) -> Node:
        while self.next.kind == "operator" and self.next.text in _POSTFIX:
            if self.next.text == "%" and self._tokens[self._at + 1].kind == "number":
                break  # "17 % 5" is a remainder
            if isinstance(node, Call) and node.name == "!":
                raise NotMaths  # "n!!" is not the factorial of a factorial
            node = Call(self._take().text, (node,))
        return node

    def _infix(self, left: Node) -> str | None:
        """The operator that comes next; a product may be without a sign ("2x", "3(4+5)")."""
        token = self.next
        if token.kind == "operator":
            if token.text == "%":
                return "mod"
            return token.text if token.text in BINDING else ("*" if token.text == "(" and _multiplies(left) else None)
        if token.kind == "number" or token.kind == "end" or (isinstance(left, Call) and left.name in _POSTFIX):
            return None
        return "*"

    def _continued(self, left: Node, operator: str) -> Node:
        self._operators += 1
        if self._operators > LONGEST:
            raise TooLarge(f"an expression of more than {LONGEST} operators")
        if self.next.kind == "operator" and self.next.text != "(":
            self._at += 1
        if operator == "^":
            return Call("^", (left, self.expression(BINDING["neg"] - 1 if self.next.text == "-" else BINDING["^"] - 1)))
        right = self.expression(BINDING[operator])
        if (operator == "of" and not _is_fraction(left)) or (operator == "off" and not _is_percentage(left)):
            raise NotMaths
        if operator in "+-" and _is_percentage(right) and not _is_percentage(left):
            raise NotMaths  # "80 + 15%" is 80.15 to some and 92 to others
        return Call(operator, (left, right))

    def _function(self, token: Token) -> Node:
        if token.text in MANY:
            return Call(token.text, self._arguments())
        power = self._power()
        self._takes("of")
        if self.next.text == "(" and self.next.kind == "operator":
            self._take()
            inner = self.expression(0)
            self._expect(")")
            return self._postfixed(_raised(_applied(token, inner), power))
        return _raised(_applied(token, self._operand()), power)

    def _power(self) -> Num | None:
        """The 2 of "sin^2 x"."""
        if not self._takes("^"):
            return None
        power = self._take().number
        if power is None:
            raise NotMaths
        return power

    def _operand(self) -> Node:
        """What a function without brackets is applied to: a power, or a product without signs ("sin 2x")."""
        node = self.expression(BINDING["neg"])
        while self.next.kind == "name":
            node = Call("*", (node, self.expression(BINDING["neg"])))
        return node

    def _arguments(self) -> tuple[Node, ...]:
        self._expect("(")
        arguments = [self.expression(0)]
        while self._takes(","):
            arguments.append(self.expression(0))
        self._expect(")")
        return tuple(arguments)

    def _expect(self, text: str) -> None:
        if not self._takes(text):
            raise NotMaths


def _applied(token: Token, inner: Node) -> Node:
    if token.text == "square":
        return Call("^", (inner, number(2)))
    if token.text == "cube":
        return Call("^", (inner, number(3)))
    return Call(token.text, (inner,) if token.base is None else (inner, token.base))


def _raised(node: Node, power: Num | None) -> Node:
    return node if power is None else Call("^", (node, power))


def _multiplies(left: Node) -> bool:
    """Whether a bracket after `left` is a factor; "f(2)" is the value of a function that we don't know."""
    return not (isinstance(left, Name) and left.name in _FUNCTION_LETTERS)


def _is_percentage(node: Node) -> bool:
    return isinstance(node, Call) and node.name == "%"


def _is_fraction(node: Node) -> bool:
    return isinstance(node, Call) and node.name in _FRACTIONS
