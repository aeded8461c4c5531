"""Which lines of a mail its sender wrote, and which are quoted, a signature, a footer or a forwarded mail.

Mails stand in other tools as well: logged in a CRM, as comments that were sent by mail, pasted into descriptions.

Own rules, line by line and in linear time. Libraries for this cut everything below the first quote header (so that
answers written between quoted lines are lost) and take seconds on a few thousand empty lines.
"""

import re
from dataclasses import dataclass

_QUOTE = re.compile(r"^\s{0,3}(?:[A-Z][A-Za-z]{0,3})?[>|]")
_ON = r"(?:On|Am|Le|El|Em|Il|Op|Den|Dne|W dniu|Dnia|Vào|På|Kl\.)"
_WROTE = (
    r"(?:wrote|schrieb|a écrit|escribió|escreveu|ha scritto|schreef|skrev|napsala?(?:\(a\))?|napisał(?:a|\(a\))?|"
    r"пишет|писала?|написала?|написал\(а\)|пише|писав|писала|написав)"
)
_ATTRIBUTION = re.compile(
    rf"^[*_\s]{{0,4}}(?:{_ON}\b.{{0,240}}\b|.{{2,240}}\b){_WROTE}(?!\w).{{0,120}}:\s*$", re.IGNORECASE
)
_ADDRESSED = re.compile(r"^(?=.{0,300}\d)[^<>]{1,390}<[^<>\s]{1,200}@[^<>\s]{1,200}>\s?:\s*$")
_DATED = re.compile(r"\d|@")
_CJK_ATTRIBUTION = re.compile(r"^.{0,200}(?:写道|寫道|のメール|さんは書きました|님이 작성)\s?[:：]\s*$")
_STARTS_ATTRIBUTION = re.compile(rf"^[*_\s]{{0,4}}{_ON}\b.{{0,240}}\d", re.IGNORECASE)
_SEPARATOR = re.compile(
    r"^\s{0,3}[-_=*]{2,}\s?(?:original(?:nachricht)?|ursprüngliche|message|mensaje|mensagem|messaggio|oorspronkelijk|"
    r"oprindelig|původní|wiadomość|исходное|пересылаемое|пересланное|переслане|початкове|forwarded|"
    r"weitergeleitete|transféré|"
    r"reenviado|encaminhada|inoltrato|doorgestuurd|начало)\b.{0,80}$",
    re.IGNORECASE,
)
_BEGIN_FORWARD = re.compile(
    r"^\s{0,3}(?:[-_=*]{2,}.{0,40})?\b(?:forwarded message|begin forwarded message|weitergeleitete nachricht|"
    r""
    r"message transféré|mensaje reenviado|mensagem encaminhada|messaggio inoltrato|doorgestuurd bericht|"
    r"пересылаемое сообщение|пересланное сообщение|переслане повідомлення)\b",
    re.IGNORECASE,
)
_BLOCK_NAME = {
    "from": "from von de da van fra från od от від",
    "date": "date sent datum gesendet enviado enviada envoyé data inviato verzonden dato sendt skickat odesláno "
            "wysłano дата отправлено надіслано fecha",
    "to": "to an à para a aan til till komu do кому",
    "subject": "subject betreff objet asunto assunto oggetto onderwerp emne ämne předmět temat тема",
    "message-id": "message-id",
}  # fmt: skip
_BLOCK_LINE = re.compile(r"^\s{0,3}\*{0,2}([^\W\d_][\w-]{0,20}?)\s?\*{0,2}\s?:\s?\*{0,2}\s?(\S.*)$")
_SIGNATURE = re.compile(r"^-- $")
_RULE = re.compile(r"^\s{0,3}(?:--|—|_{3,}|-{10,}|={10,})\s{0,3}$")
_CLOSING = re.compile(
    r"^\s{0,3}(?:(?:with )?(?:best|kind|warm|many)\s(?:regards|wishes|thanks)|(?:best|kind|warm) regards|"
    r"regards|cheers|"
    r"sincerely|yours (?:sincerely|faithfully|truly)|mit (?:freundlichen|besten|herzlichen) grüßen|(?:viele|"
    r"beste|liebe|"
    r"herzliche) grüße|freundliche grüße|mfg|lg|cordialement|bien à vous|saludos(?: cordiales)?|un saludo|"
    r"atenciosamente|"
    r"cumprimentos|abraços?|cordiali saluti|saluti|met vriendelijke groet(?:en)?|med vänlig(?:a)? hälsning(?:ar)?|"
    r"med venlig hilsen|mvh|s pozdravem|z poważaniem|pozdrawiam|с уважением|з повагою)[\s,.!]{0,4}$",
    re.IGNORECASE,
)
_SENT_FROM = re.compile(
    r"^\s{0,3}(?:sent from (?:my|outlook|mail)\b|get outlook for\b|gesendet (?:von|mit)\b|"
    r"von meinem .{0,40} gesendet|"
    r"envoyé de mon\b|enviado desde mi\b|enviado do meu\b|inviato da\b|verzonden vanaf\b|skickat från\b|"
    r"отправлено с\b|"
    r"надіслано з\b)",
    re.IGNORECASE,
)
_FOOTER = re.compile(
    r"^\s{0,3}(?:you received this (?:message|email) because|to unsubscribe\b|unsubscribe:|"
    r"(?:this|the information (?:in|contained in) this) (?:e-?mail|message)\b.{0,80}(?:confidential|intended)|"
    r"confidentiality notice|disclaimer\b|diese e-?mail (?:enthält|ist) .{0,40}vertraulich|ce (?:message|"
    r"courriel) .{0,60}"
    r"confidentiel)",
    re.IGNORECASE,
)
_MAY_HOLD_ANOTHER = re.compile(
    r"^\s{0,3}(?:[A-Z][A-Za-z]{0,3})?[>|]|^-- ?$|^\s{0,3}[-_=*]{2}|[:：][ \t]*$|^\W{0,6}[^\W\d_][\w-]{0,20}\W{0,4}:",
    re.MULTILINE,
)
_SIGN = re.compile(r"[>|:：]|[-_=*]{2}")
"""Without any of these signs no line begins what `_MAY_HOLD_ANOTHER` looks for."""
_CLOSING_LINES = 12
"""A closing phrase or a rule starts a signature only when so few lines follow: else it is part of the text."""


@dataclass(frozen=True, slots=True)
class Split:
    """A mail's text, told apart. Every line of it is in exactly one of the first three."""

    written: str
    quoted: str
    """Quotes, with the lines that announce them, and forwarded mails."""
    footer: str
    """Signature, disclaimer, a list's trailer."""
    forwarded: dict[str, str]
    """Header block of the first forwarded mail in the text: from, date, to, subject, message-id as they stand there."""


def may_hold_another(text: str) -> bool:
    """Whether a text of any kind may quote or hold a mail: where not, it need not be split. Much faster than that."""
    return _SIGN.search(text) is not None and _MAY_HOLD_ANOTHER.search(text) is not None


def split(text: str, sender: str = "") -> Split:
    """Tell the lines apart. sender: the name in the mail's From; a line near the end that begins with it signs."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    tail = _below(lines)
    marks = _marks(lines, tail)
    _mark_footer(lines, marks, _signs(sender))
    picked = {
        mark: "\n".join(line for line, m in zip(lines, marks, strict=True) if m == mark).strip("\n ") for mark in "wqf"
    }
    return Split(picked["w"], picked["q"], picked["f"], _forwarded(lines))


def _below(lines: list[str]) -> int:
    """The line from which on everything is an older mail, without quote marks before its lines."""
    for place, line in enumerate(lines):
        if _SEPARATOR.match(line) or _BEGIN_FORWARD.match(line) or len(_block(lines, place)) >= 3:
            return place
        if _announces(lines, place) and not any(_QUOTE.match(later) for later in lines[place + 1 : place + 6]):
            return place
    return len(lines)


def _announces(lines: list[str], place: int) -> int:
    """How many lines from here announce a quote ("On … Anna wrote:"); mail programs wrap it; 0 for none."""
    line = lines[place][:400]
    if _QUOTE.match(line):
        return 0
    if _is_attribution(line):
        return 1
    if not _STARTS_ATTRIBUTION.match(line):
        return 0
    for more in (2, 3):
        joined = " ".join(part.strip()[:200] for part in lines[place : place + more])
        if _is_attribution(joined):
            return more
    return 0


def _is_attribution(line: str) -> bool:
    """Without a date or an address "As I wrote:" is a person's sentence."""
    if not _DATED.search(line) or not line.rstrip().endswith((":", "：")):
        return False
    return bool(_ATTRIBUTION.match(line) or _ADDRESSED.match(line) or _CJK_ATTRIBUTION.match(line))


def _block(lines: list[str], place: int) -> dict[str, str]:
    """The header block of an older mail that starts at this line: at least a From, a date and a subject or To."""
    if not lines[place].strip():
        return {}
    found: dict[str, str] = {}
    for line in lines[place : place + 10]:
        if not line.strip():
            break
        hit = _BLOCK_LINE.match(line[:500])
        name = next((name for name, words in _BLOCK_NAME.items() if hit and hit[1].lower() in words.split()), "")
        if hit and name:
            found.setdefault(name, hit[2].strip())
        elif not found:
            return {}
    return found if "from" in found and len(found.keys() & {"date", "to", "subject"}) >= 2 else {}


def _marks(lines: list[str], tail: int) -> list[str]:
    """w(ritten) or q(uoted) for each line; lines between quotes that are no quotes are answers, and written."""
    marks = ["w"] * len(lines)
    place = 0
    while place < len(lines):
        announced = 0 if place >= tail else _announces(lines, place)
        if place >= tail or _QUOTE.match(lines[place]):
            marks[place] = "q"
        for step in range(announced):
            marks[min(place + step, len(lines) - 1)] = "q"
        place += max(announced, 1)
    return marks


def _signs(sender: str) -> re.Pattern[str] | None:
    """What a line begins with that signs: the whole name, in either order ("Berg, Anna"); one word may be any word."""
    words = re.findall(r"[^\W\d_][\w.'’-]*", sender[:100])
    if len(words) < 2:
        return None
    turned = [*words[1:], words[0]]
    names = (r"[\s,]{1,3}".join(map(re.escape, order)) for order in (words, turned))
    return re.compile(rf"^\s{{0,3}}[*_]{{0,2}}(?:{'|'.join(names)})(?!\w)", re.IGNORECASE)


def _mark_footer(lines: list[str], marks: list[str], signs: re.Pattern[str] | None) -> None:
    """From a signature or footer on, the lines that follow are f, up to the next quote."""
    left = sum(1 for line, mark in zip(lines, marks, strict=True) if mark == "w" and line.strip())
    in_footer = False
    seen = 0
    for place, line in enumerate(lines):
        if marks[place] == "q":
            in_footer = False
            continue
        starts = _SIGNATURE.match(line) or _FOOTER.match(line[:300]) or _SENT_FROM.match(line[:200])
        closes = (
            seen > 0
            and left <= _CLOSING_LINES
            and (_CLOSING.match(line[:100]) or _RULE.match(line[:200]) or (signs and signs.match(line[:200])))
        )
        in_footer = in_footer or bool(starts or closes)
        if in_footer:
            marks[place] = "f"
        if line.strip():
            left -= 1
            seen += 1


def _forwarded(lines: list[str]) -> dict[str, str]:
    for place, line in enumerate(lines):
        if _BEGIN_FORWARD.match(line):
            for start in range(place + 1, min(place + 5, len(lines))):
                block = _block(lines, start)
                if block:
                    return block
    return {}
