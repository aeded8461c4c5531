"""Who works at the sandbox company and who asks it for things. All of them are made up."""

from dataclasses import dataclass

HOUSE = "acme.example"
"""Domain of the company itself."""
REQUESTS = "requests@sandbox.example"
"""The watched mailbox."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an address; `name` is how other happenings refer to them."""

    name: str
    first: str
    last: str
    address: str
    company: str = ""

    @property
    def full(self) -> str:
        """As it stands in a mail's From."""
        return f"{self.first} {self.last}"


@dataclass(frozen=True, slots=True)
class Business:
    """A customer, or a business unit that asks."""

    name: str
    title: str
    domain: str


def _staff(name: str, first: str, last: str) -> Person:
    return Person(name, first, last, f"{name}@{HOUSE}")


SALES = (_staff("ines", "Inês", "Carvalho"), _staff("tom", "Tom", "Okafor"))
ANALYSTS = (_staff("maren", "Maren", "Jäger"), _staff("david", "David", "Stern"))
DEVELOPERS = (
    _staff("anna", "Anna", "Kern"),
    _staff("yusuf", "Yusuf", "Şahin"),
    _staff("lea", "Lea", "Dubois"),
    _staff("pavel", "Pavel", "Novák"),
)
OPERATORS = (_staff("olga", "Olga", "Bondar"),)
STAFF = (*SALES, *ANALYSTS, *DEVELOPERS, *OPERATORS)

BUSINESSES = (
    Business("brandt", "Brandt & Söhne GmbH", "brandt.example"),
    Business("harbor", "Harbor Foods", "harborfoods.example"),
    Business("lumen", "Lumen Energy", "lumen.example"),
    Business("kestrel", "Kestrel Logistics", "kestrel.example"),
    Business("ozone", "Ozone Travel", "ozone.example"),
    Business("retail", "Retail Banking", "retail.example"),
)

_NAMES = (
    ("Jürgen", "Müller-Lüdenscheidt"),
    ("נועה", "לוי"),
    ("Grace", "Wanjiru"),
    ("محمد", "الحسن"),
    ("Sofía", "Núñez"),
    ("Peter", "O'Brien"),
    ("Björk", "Þórsdóttir"),
    ("Wei", "Chen"),
    ("Éloïse", "Lefèvre"),
    ("Marta", "Wójcik"),
    ("Kenji", "Tanaka"),
    ("Ruth", "Adeyemi"),
)
CUSTOMERS = tuple(
    Person(f"customer{place}", first, last, f"person{place}@{business.domain}", business.title)
    for place, ((first, last), business) in enumerate(zip(_NAMES, BUSINESSES * 2, strict=True))
)
"""Those who ask: two of each business, names of many scripts among them."""

TRACKER = Person("tracker", "Jira", "Digest", f"no-reply@{HOUSE}")
"""A program."""
PEOPLE = {person.name: person for person in (*STAFF, *CUSTOMERS, TRACKER)}
"""By name."""
