"""Whether a text declines to answer instead of answering.

Only what begins with a refusal and is not much more than one counts: an answer that holds "I can't" somewhere, or that
says what can't be known and then answers, is an answer.
"""

from __future__ import annotations

import re

LONGEST = 700
"""Characters of a text that may still be nothing but a refusal; longer ones give something beside it."""
LOOKED_AT = 300
"""Characters in which a refusal must have been spoken."""

_ENGLISH = r"""
(?: (?:i['\u2019]?m\s+|i\s+am\s+)?(?:very\s+|so\s+|really\s+)?sorry,?\s*(?:but\s*)?
  | (?:my\s+|i\s+)?apolog(?:ies|i[sz]e)[^.!\n]{0,40}?[,.]\s*(?:but\s*)?
  | unfortunately,?\s*
  | as\s+an?\s+(?:ai|artificial|large\s+language|language)[^,.\n]{0,60},?\s*
)*
i(?:\s+(?:simply|really|just))?\s*
(?: (?: can(?:no|['\u2019])t | can\s+not | won['\u2019]t | will\s+not | could\s+not | couldn['\u2019]t | refuse
      | (?:must|have\s+to)\s+decline
      | (?:\s*am|['\u2019]m)\s+(?:not\s+able|unable|not\s+(?:going|comfortable|allowed|permitted))
      | do(?:\s+not|n['\u2019]t)\s+feel\s+comfortable
    )\b
    (?:\s+\w+){0,3}?\s*(?:to\s+)?
    (?: help(?:ing)? | assist(?:ing)? | answer(?:ing)? | provid(?:e|ing) | comply | fulfil+ | support | creat(?:e|ing)
      | generat(?:e|ing) | writ(?:e|ing) | produce | shar(?:e|ing) | continue | proceed | engag(?:e|ing)
      | discuss(?:ing)? | participate | do\s+th(?:at|is) | offer | give\s+(?:you\s+)?(?:advice|instructions|information)
      | process | complete | respond | talk\s+about | advise | carry\s+out | (?:to|with)\s+th(?:at|is)
    )\b
  | \s*(?:must|have\s+to|need\s+to)\s+(?:respectfully\s+|politely\s+)?decline\b
  | \s*refuse\s+to\b
)
"""
_OTHERS = r"""
  # German
  (?:(?:es\s+)?tut\s+mir\s+(?:sehr\s+)?leid|leider|entschuldigung|verzeihung)[,.]?\s*(?:aber\s*)?
  (?:(?:dabei|hierbei|damit)\s+)?(?:ich\s+kann|kann\s+ich)\b[^.!\n]{0,80}\bnicht\b[^.!\n]{0,40}\b
  (?:helfen|beantworten|antworten|nachkommen|bereitstellen|unterstützen|erstellen|weiterhelfen)
| ich\s+kann\s+(?:dir|ihnen|euch)\b[^.!\n]{0,40}\bnicht\b[^.!\n]{0,20}\b(?:helfen|weiterhelfen|behilflich)
  # French
| (?:je\s+suis\s+)?désolée?,?\s*(?:mais\s*)?je\s+ne\s+(?:peux|puis)\b[^.!\n]{0,30}
  (?:aider|répondre|fournir|satisfaire|traiter|accéder|créer)
| je\s+ne\s+(?:peux|puis)\s+pas\s+(?:vous\s+|t['\u2019])(?:aider|répondre|fournir)
  # Spanish
| (?:lo\s+siento|lamentablemente|disculpa|perdón)[,.]?\s*(?:pero\s*)?no\s+(?:puedo|me\s+es\s+posible)\s+
  (?:\w+\s+)?(?:ayudar|responder|proporcionar|cumplir|asistir|ofrecer|generar|crear)
  # Italian
| (?:mi\s+dispiace|spiacente|purtroppo)[,.]?\s*(?:ma\s*)?non\s+(?:posso|sono\s+in\s+grado\s+di)\s+
  (?:\w+\s+)?(?:aiutar|rispondere|fornire|assister|soddisfare|creare)
  # Portuguese
| (?:sinto\s+muito|desculpe|lamento|infelizmente)[,.]?\s*(?:mas\s*)?(?:eu\s*)?não\s+posso\s+
  (?:\w+\s+)?(?:ajud|responder|fornecer|atender|auxiliar|criar)
  # Dutch
| (?:het\s+spijt\s+me|sorry|helaas)[,.]?\s*(?:maar\s*)?(?:ik\s+kan|kan\s+ik)\b[^.!\n]{0,60}\bniet\b[^.!\n]{0,30}
  (?:helpen|beantwoorden|assisteren|voldoen|geven)
  # Polish
| (?:przepraszam|przykro\s+mi|niestety)[,.]?\s*(?:ale\s*)?nie\s+mogę\s+
  (?:\w+\s+)?(?:pomóc|odpowiedzieć|udzielić|spełnić)
  # Russian
| (?:извините|простите|к\s+сожалению)[,.]?\s*(?:но\s*)?я\s+не\s+могу\s+
  (?:\w+\s+)?(?:помочь|ответить|предоставить|выполнить)
  # Chinese
| (?:很|非常)?(?:抱歉|对不起|對不起|不好意思)[,\uff0c。\s]*(?:但是?)?我?(?:无法|無法|不能|没办法)[^。\n]{0,10}
  (?:帮助|幫助|协助|協助|回答|提供|满足|处理)
  # Japanese
| 申し訳(?:ありません|ございません)[^\n]{0,40}(?:お手伝い|お答え|提供|対応|応じる)[^\n]{0,12}(?:できません|かねます)
  # Korean
| 죄송(?:합니다|하지만)[^\n]{0,40}(?:도와|답변|제공|도움)[^\n]{0,12}수\s없습니다
"""
_REFUSAL = re.compile(rf"^[\s*_>\#]*(?:{_ENGLISH}|{_OTHERS})", re.IGNORECASE | re.VERBOSE)
_ANSWERED = re.compile(
    r"\\boxed|\banswer(?: is|:)|\b(?:but|however|instead|here)\b[^.\n]{0,60}[:=]|```|^\s*(?:\d+\.|[-*])\s", re.MULTILINE
)
_WANTED = re.compile(
    r"\b(?:translat|say|phrase|quote|rewrite|rephrase|refus|declin|apolog|repl(?:y|ies)|respond to|e-?mail|letter|"
    r"message|dialog|story|sentence|lyrics)",
    re.IGNORECASE,
)


def refuses(text: str, question: str = "") -> bool:
    """Whether `text` is a refusal. A `question` that asks for such words (a translation, a letter) gets them."""
    if len(text) > LONGEST or _REFUSAL.match(text[:LOOKED_AT]) is None:
        return False
    return _ANSWERED.search(text) is None and _WANTED.search(question) is None
