"""Short lists that names, streets, products and addresses are made from.

Everything is invented or reserved for fiction. Surnames are built from syllables and
dealt to the four groups in turn, so that they carry a group's label in this world and
evoke no group of ours.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import numpy as np

__all__ = ["ascii_lower", "cards", "geography", "ibans", "surnames"]

FEMALE_NAMES = [
    "Ada",
    "Alba",
    "Alma",
    "Amelie",
    "Anna",
    "Ava",
    "Bea",
    "Carla",
    "Clara",
    "Daria",
    "Edith",
    "Elena",
    "Elin",
    "Ella",
    "Emma",
    "Esther",
    "Eva",
    "Flora",
    "Greta",
    "Hanna",
    "Helga",
    "Ida",
    "Ines",
    "Irene",
    "Iris",
    "Jana",
    "Julia",
    "Karin",
    "Laura",
    "Lea",
    "Lena",
    "Lilian",
    "Lina",
    "Lucia",
    "Maja",
    "Mara",
    "Marta",
    "Mia",
    "Mila",
    "Mona",
    "Nadia",
    "Nina",
    "Nora",
    "Olga",
    "Paula",
    "Rita",
    "Rosa",
    "Ruth",
    "Selma",
    "Sofia",
    "Stella",
    "Thea",
    "Tilda",
    "Vera",
    "Zoë",
]
MALE_NAMES = [
    "Adam",
    "Alan",
    "Albin",
    "Anton",
    "Arno",
    "Arthur",
    "Ben",
    "Bruno",
    "Carl",
    "Daniel",
    "David",
    "Dario",
    "Emil",
    "Enno",
    "Erik",
    "Felix",
    "Filip",
    "Finn",
    "Frank",
    "Georg",
    "Hugo",
    "Ivan",
    "Jakob",
    "Jan",
    "Joel",
    "Jonas",
    "Jörg",
    "Josef",
    "Karl",
    "Leo",
    "Leon",
    "Liam",
    "Linus",
    "Luca",
    "Marco",
    "Martin",
    "Max",
    "Milan",
    "Nico",
    "Noah",
    "Oskar",
    "Otto",
    "Paul",
    "Peter",
    "Rafael",
    "René",
    "Robin",
    "Simon",
    "Sven",
    "Theo",
    "Tim",
    "Tom",
    "Viktor",
    "Walter",
]
NEUTRAL_NAMES = [
    "Alex",
    "Andrea",
    "Ariel",
    "Charlie",
    "Eli",
    "Jamie",
    "Jo",
    "Jules",
    "Kai",
    "Kim",
    "Lou",
    "Luka",
    "Mika",
    "Noa",
    "Noel",
    "Pat",
    "Remy",
    "Robin",
    "Sam",
    "Sasha",
    "Toni",
    "Yael",
]
STREETS = [
    "Acorn",
    "Alder",
    "Amber",
    "Apple",
    "Arch",
    "Ash",
    "Bay",
    "Beech",
    "Birch",
    "Bridge",
    "Brook",
    "Canal",
    "Cedar",
    "Chapel",
    "Cherry",
    "Clover",
    "Copper",
    "Corn",
    "Crane",
    "Dale",
    "Dove",
    "Elder",
    "Elm",
    "Fern",
    "Ferry",
    "Field",
    "Finch",
    "Forge",
    "Fox",
    "Garden",
    "Glen",
    "Granite",
    "Grove",
    "Harbour",
    "Hazel",
    "Heath",
    "Heron",
    "High",
    "Hill",
    "Holly",
    "Iris",
    "Ivy",
    "Juniper",
    "Kiln",
    "Lake",
    "Larch",
    "Lark",
    "Laurel",
    "Lime",
    "Linden",
    "Lock",
    "Maple",
    "Market",
    "Meadow",
    "Mill",
    "Mint",
    "Moss",
    "Oak",
    "Olive",
    "Orchard",
    "Park",
    "Pear",
    "Pine",
    "Plum",
    "Pond",
    "Poplar",
    "Quarry",
    "Quay",
    "Reed",
    "River",
    "Robin",
    "Rose",
    "Rowan",
    "Sage",
    "School",
    "Shore",
    "Spring",
    "Spruce",
    "Station",
    "Stone",
    "Swan",
    "Thistle",
    "Tower",
    "Vale",
    "Violet",
    "Walnut",
    "Water",
    "Weir",
    "Willow",
    "Wren",
    "Yew",
]
STREET_KINDS = ("Street", "Road", "Lane", "Avenue", "Way", "Close")
EMAIL_DOMAINS = ("example.com", "example.org", "example.net")  # reserved by RFC 2606
# area codes; the numbers 555-0100 to 555-0199 of each are reserved for fiction
AREA_CODES = [
    "202",
    "206",
    "209",
    "212",
    "213",
    "215",
    "216",
    "219",
    "224",
    "229",
    "234",
    "239",
    "248",
    "251",
    "253",
    "256",
    "260",
    "262",
    "267",
    "269",
    "270",
    "276",
    "281",
    "301",
    "302",
    "303",
    "304",
    "305",
    "307",
    "308",
    "309",
    "310",
    "312",
    "313",
    "314",
    "315",
    "316",
    "317",
    "318",
    "319",
    "320",
    "321",
    "323",
    "325",
    "330",
    "331",
]
CALIFORNIA_CODES = [
    "209",
    "213",
    "310",
    "323",
    "408",
    "415",
    "510",
    "530",
    "559",
    "562",
    "619",
    "626",
    "650",
    "661",
    "707",
    "714",
    "760",
    "805",
]

PRODUCT_WORDS = {
    "sports": (
        ["Trail", "Sprint", "Summit", "Court", "Tempo", "Ridge", "Pulse", "Stride"],
        [
            "running shoes",
            "rain jacket",
            "training shorts",
            "yoga mat",
            "dumbbell set",
            "water bottle",
            "cycling helmet",
            "football",
            "tennis racket",
            "backpack",
        ],
    ),
    "fashion": (
        ["Linden", "Marlow", "Velvet", "Harbour", "Indigo", "Sable", "Juno", "Atlas"],
        [
            "linen shirt",
            "wool coat",
            "summer dress",
            "jeans",
            "leather belt",
            "silk scarf",
            "sneakers",
            "cardigan",
            "blazer",
            "ankle boots",
        ],
    ),
    "home": (
        ["Hearth", "Nordic", "Loft", "Oak", "Alcove", "Amber", "Lumen", "Cove"],
        [
            "table lamp",
            "bed linen",
            "armchair",
            "rug",
            "cookware set",
            "wall shelf",
            "vase",
            "curtain pair",
            "dinner set",
            "throw blanket",
        ],
    ),
    "garden": (
        ["Meadow", "Orchard", "Fern", "Terrace", "Thistle", "Bloom", "Cedar", "Moss"],
        [
            "pruning shears",
            "planter",
            "garden hose",
            "seed box",
            "bench",
            "watering can",
            "hedge trimmer",
            "greenhouse kit",
            "lantern",
            "compost bin",
        ],
    ),
    "beauty": (
        ["Aura", "Petal", "Lune", "Satin", "Coral", "Iris", "Opal", "Nectar"],
        [
            "face cream",
            "lip balm",
            "shampoo",
            "perfume",
            "nail polish",
            "hand cream",
            "mascara",
            "sun lotion",
            "hair oil",
            "brush set",
        ],
    ),
    "wellness": (
        ["Calm", "Vital", "Balance", "Clear", "Root", "Breath", "Dawn", "Tonic"],
        [
            "herbal tea",
            "massage roller",
            "sleep mask",
            "vitamin box",
            "aroma diffuser",
            "heat pillow",
            "protein bar pack",
            "foot bath",
            "meditation cushion",
            "fitness tracker",
        ],
    ),
}


def ascii_lower(text: str) -> str:
    """Return the text in lower case without accents, as an address needs it."""
    plain = unicodedata.normalize("NFKD", text.lower())
    return "".join(c for c in plain if c.isascii() and c.isalnum())


@lru_cache(maxsize=1)
def surnames() -> tuple[tuple[str, ...], ...]:
    """Return four tuples of invented surnames, one a group, of one and the same make."""
    heads = [
        "Bel",
        "Cor",
        "Dan",
        "Fal",
        "Gar",
        "Hol",
        "Jor",
        "Kel",
        "Lam",
        "Mor",
        "Nel",
        "Par",
        "Quil",
        "Ros",
        "Sel",
        "Tar",
        "Ver",
        "Wal",
        "Yor",
        "Zan",
    ]
    tails = [
        "by",
        "den",
        "der",
        "dorn",
        "fen",
        "ford",
        "gate",
        "ham",
        "kin",
        "land",
        "ley",
        "low",
        "mer",
        "nard",
        "nick",
        "ridge",
        "ro",
        "sen",
        "ton",
        "vale",
    ]
    dealt: list[list[str]] = [[], [], [], []]
    for row, head in enumerate(heads):
        for step in range(8):
            tail = tails[(3 * row + 5 * step) % len(tails)]
            dealt[(row + step) % 4].append(head + tail)
    return tuple(tuple(names) for names in dealt)


class Geography:
    """The land: postcodes with region, district, affluence and the groups' quarters.

    It is a map, not a draw: the same in each world.
    """

    def __init__(self) -> None:
        # an additive sequence spreads the values evenly and needs no generator
        regions, districts, quarters = 6, 12, 8
        count = regions * districts * quarters
        index = np.arange(count)
        self.region = (index // (districts * quarters)).astype(np.int8)
        self.district = index // quarters
        district_wealth = (self.district * 0.6180339887) % 1.0
        quarter_wealth = (index * 0.7548776662) % 1.0
        # standardised: mean about 0, standard deviation about 1
        self.affluence = np.round(3.0 * (district_wealth - 0.5) + 1.6 * (quarter_wealth - 0.5), 4)
        self.size = np.round(1.0 / (1.0 + 6.0 * ((index * 0.5698402910) % 1.0)), 4)
        self.codes = [
            f"{region + 1}{district % districts + 10:02d}{quarter * 11 + 10:02d}"
            for region, district, quarter in zip(
                self.region, self.district, index % quarters, strict=True
            )
        ]
        # each group is at home in some quarters; C and D mostly in the less affluent ones
        pull = (index * 0.8191725134) % 1.0
        home = np.empty((4, count))
        home[0] = np.exp(0.3 * self.affluence)
        home[1] = np.where(pull < 0.35, 6.0, 0.6)
        home[2] = np.where(pull > 0.70, 8.0, 0.4) * np.exp(-0.7 * self.affluence)
        home[3] = np.where((pull > 0.4) & (pull < 0.65), 10.0, 0.4) * np.exp(-0.6 * self.affluence)
        self.home = home


@lru_cache(maxsize=1)
def geography() -> Geography:
    """Return the one map of the land."""
    return Geography()


def _luhn_digit(digits: str) -> str:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str((10 - total % 10) % 10)


@lru_cache(maxsize=1)
def cards() -> tuple[str, ...]:
    """Return card numbers of the kind used for testing: valid check digit, no account."""
    made = []
    for number in range(120):
        digits = f"40000000{(number * 37 + 11) % 10**4:04d}{number * 7 % 1000:03d}"
        digits += _luhn_digit(digits)
        if number % 3 == 0:
            made.append(digits)
        else:
            made.append(
                (" " if number % 3 == 1 else "-").join(digits[i : i + 4] for i in (0, 4, 8, 12))
            )
    return tuple(made)


@lru_cache(maxsize=1)
def ibans() -> tuple[str, ...]:
    """Return account numbers with a valid checksum at a bank code that no bank has."""
    made = []
    for number in range(120):
        account = f"00000000{number * 97 + 13:010d}"
        check = 98 - int(account + "131400") % 97  # "DE00" as digits: D = 13, E = 14
        text = f"DE{check:02d}{account}"
        made.append(text if number % 2 else " ".join(text[i : i + 4] for i in range(0, 22, 4)))
    return tuple(made)
