"""Every word that a question for us may hold: one other word, and the text is not for us.

This is what makes declining cheap: one look at the words, before any form is tried.
"""

from __future__ import annotations

import re

from mixture.providers.symbolic import units, words
from mixture.providers.symbolic.syntax import CONSTANTS, FUNCTIONS

_FORMS = """
    above absolute add added all amount an and answer antiderivative approaches are as at average away base below
    best between bigger bucks by calculate can cent change changing check choose come common completely compute
    conversion convert converting correct cosine could cu cube cubed cubic decimal decrease decreased definite
    degree degrees derivative derive determine difference differentiate divide divided divisible divisor dk dn do
    does dollar dollars double dt dtheta du dx dy dz easy equal equals equation equations equivalent evaluate even
    exact exactly expand exponential express expression factor factored factorial factorisation factorise factorised
    factorization factorize factors figure find following for fraction from function gcd gcf get give given go goes
    going greater greatest have hcf hello help hey hi highest how if in increase increased indefinite infinity
    integers integral integrate into is it just kindly know larger largest lcm least less let like lim limit linear
    log logarithm lower lowest make makes many maximum me mean median minimum minus mod modulo more much multiple
    multiplied multiply natural nd need negative now nth number numbers numerical odd of off ok okay on one or out
    output over per percent percentage please plus point polynomial positive power prime product proper provide
    quadratic quickly quotient raised rate rd real reduce reduced remainder respect result right root roots show
    simplify sine smaller smallest so solution solutions solve sq square squared st subtract such sum summation
    switch system take tangent tell tends terms th than thank thanks that the then there theta this through times
    tip to total translate triple turn twice under up us usd value values wanna want was way we what whats when
    where whether which whole will with work would write wrt you zero zeroes zeros
"""

VOCABULARY = frozenset(
    {
        *_FORMS.split(),
        *words.WORDS,
        *FUNCTIONS,
        *CONSTANTS,
        *(part for name in units.NAMES for part in name.split("_")),
        *("xy", "xyz", "yz", "xz"),
    }
)

_WORD = re.compile(r"[a-z]{2,}")


def known(text: str) -> bool:
    """Whether every word of lower-case `text` is ours; single letters may be variables."""
    return all(match[0] in VOCABULARY for match in _WORD.finditer(text))
