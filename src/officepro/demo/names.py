"""Word lists for names and addresses of made-up people. PURE."""

from typing import NamedTuple


class Place(NamedTuple):
    """A city with state and postal code."""

    city: str
    state: str
    zip: str


class Region(NamedTuple):
    """Names, addresses and telephone prefixes of a practice's people."""

    female: tuple[str, ...]
    male: tuple[str, ...]
    nicknames: dict[str, str]
    surnames: tuple[str, ...]
    streets: tuple[str, ...]
    number_first: bool  # `12 Elm Street`, not `Ulmenstraße 12`
    places: tuple[Place, ...]
    phone_beginnings: tuple[str, ...]  # two digits follow; numbers reserved for fiction
    language: str
    other_languages: tuple[str, ...]
    country: str


NEW_YORK = Region(
    female=(
        "Abigail", "Aisha", "Alice", "Amara", "Andrea", "Angela", "Anna", "Beatriz", "Bridget", "Camila", "Carmen",
        "Charlotte", "Chloe", "Claire", "Daniela", "Deborah", "Diana", "Elena", "Elizabeth", "Emily", "Esther",
        "Fatima", "Grace", "Hannah", "Ingrid", "Isabel", "Jane", "Jasmine", "Joan", "Julia", "Katherine", "Keiko",
        "Laura", "Leila", "Linda", "Lucía", "Margaret", "Maria", "Mei", "Michelle", "Naomi", "Nicole", "Nora", "Olivia",
        "Patricia", "Rachel", "Rebecca", "Renée", "Rosa", "Ruth", "Samantha", "Sarah", "Simone", "Susan", "Tamika",
        "Teresa", "Valentina", "Veronica", "Victoria", "Wendy", "Yasmin", "Zoe",
    ),
    male=(
        "Aaron", "Adam", "Ahmed", "Andrew", "Anthony", "Arjun", "Benjamin", "Brian", "Carlos", "Charles", "Christopher",
        "Daniel", "David", "Dmitri", "Edward", "Eric", "Ethan", "Francis", "Gabriel", "George", "Hector", "Henry",
        "Isaac", "Jacob", "Jamal", "James", "Javier", "John", "Jonathan", "Joseph", "José", "Kenji", "Kevin", "Kwame",
        "Leonard", "Luis", "Marcus", "Mark", "Matthew", "Michael", "Miguel", "Nathan", "Nicholas", "Oscar", "Patrick",
        "Paul", "Peter", "Rafael", "Raymond", "Richard", "Robert", "Samuel", "Sean", "Stephen", "Theodore", "Thomas",
        "Timothy", "Vincent", "Walter", "William",
    ),
    nicknames={
        "Abigail": "Abby", "Andrew": "Andy", "Anthony": "Tony", "Benjamin": "Ben", "Charles": "Charlie",
        "Christopher": "Chris", "Daniel": "Dan", "Deborah": "Debbie", "Edward": "Ted", "Elizabeth": "Liz",
        "James": "Jim", "Jonathan": "Jon", "Joseph": "Joe", "Katherine": "Kate", "Margaret": "Peggy",
        "Matthew": "Matt", "Michael": "Mike", "Nicholas": "Nick", "Patricia": "Pat", "Patrick": "Paddy",
        "Rebecca": "Becky", "Richard": "Rick", "Robert": "Bob", "Samantha": "Sam", "Samuel": "Sam", "Stephen": "Steve",
        "Susan": "Sue", "Theodore": "Theo", "Thomas": "Tom", "Timothy": "Tim", "Victoria": "Vicky", "William": "Bill",
    },
    surnames=(
        "Abrams", "Adeyemi", "Alvarez", "Anderson", "Baker", "Bauer", "Bennett", "Bianchi", "Brooks", "Campbell",
        "Carter", "Chang", "Chen", "Clark", "Cohen", "Collins", "Cooper", "Cruz", "D'Angelo", "Davis", "Diaz",
        "Edwards", "Evans", "Fernandez", "Fischer", "Flores", "Foster", "Garcia", "Goldberg", "Gomez", "Gonzalez",
        "Gray", "Green", "Gupta", "Hall", "Harris", "Hernandez", "Hill", "Howard", "Hughes", "Ivanov", "Jackson",
        "Johnson", "Jones", "Kaplan", "Katz", "Kelly", "Khan", "Kim", "King", "Kowalski", "Lee", "Levine", "Lewis",
        "Li", "Lopez", "Marino", "Martin", "Martinez", "Mendoza", "Miller", "Mitchell", "Moore", "Morales", "Morgan",
        "Murphy", "Müller", "Nakamura", "Nelson", "Nguyen", "Novak", "O'Brien", "O'Neil", "Okafor", "Ortiz", "Park",
        "Parker", "Patel", "Perez", "Phillips", "Powell", "Ramirez", "Reed", "Reyes", "Rivera", "Roberts", "Rodriguez",
        "Rossi", "Russo", "Sanchez", "Santos", "Schwartz", "Scott", "Shah", "Shapiro", "Silva", "Singh", "Smith-Jones",
        "Stewart", "Sullivan", "Tanaka", "Taylor", "Thompson", "Torres", "Turner", "Vargas", "Walker", "Wang",
        "Washington", "Watson", "White", "Williams", "Wilson", "Wong", "Wright", "Young", "Zhang",
    ),
    streets=(
        "Amsterdam Avenue", "Atlantic Avenue", "Bleecker Street", "Broadway", "Columbus Avenue", "Court Street",
        "Elm Street", "Fordham Road", "Grand Street", "Hudson Street", "Jamaica Avenue", "Lexington Avenue",
        "Main Street", "Maple Avenue", "Mulberry Street", "Northern Boulevard", "Ocean Parkway", "Park Place",
        "Prospect Avenue", "Riverside Drive", "Spring Street", "Steinway Street", "Sterling Place", "Union Street",
        "Vernon Boulevard", "Victory Boulevard", "Washington Avenue", "Willow Street",
    ),
    number_first=True,
    places=(
        Place("New York", "NY", "10011"), Place("New York", "NY", "10024"), Place("New York", "NY", "10128"),
        Place("Brooklyn", "NY", "11201"), Place("Brooklyn", "NY", "11215"), Place("Brooklyn", "NY", "11238"),
        Place("Long Island City", "NY", "11101"), Place("Astoria", "NY", "11103"), Place("Flushing", "NY", "11354"),
        Place("Bronx", "NY", "10458"), Place("Staten Island", "NY", "10301"), Place("Yonkers", "NY", "10701"),
        Place("White Plains", "NY", "10601"), Place("Great Neck", "NY", "11021"), Place("Hoboken", "NJ", "07030"),
        Place("Jersey City", "NJ", "07302"),
    ),
    phone_beginnings=("212-555-01", "646-555-01", "718-555-01", "917-555-01", "347-555-01", "516-555-01", "201-555-01"),
    language="English",
    other_languages=("Spanish", "Spanish", "Mandarin", "Russian", "Korean", "Bengali", "Italian", "Polish"),
    country="US",
)  # fmt: skip

BERLIN = Region(
    female=(
        "Anna", "Birgit", "Clara", "Elif", "Emma", "Franziska", "Frieda", "Greta", "Hannelore", "Ida", "Jana",
        "Katharina", "Lena", "Leyla", "Marie", "Mia", "Petra", "Renate", "Sabine", "Sophie", "Ursula", "Zeynep",
    ),
    male=(
        "Alexander", "Ali", "Andreas", "Ben", "Dieter", "Emil", "Felix", "Friedrich", "Hans", "Jan", "Jonas", "Jürgen",
        "Karl", "Klaus", "Lukas", "Matthias", "Mehmet", "Moritz", "Otto", "Paul", "Sören", "Wolfgang",
    ),
    nicknames={"Alexander": "Alex", "Franziska": "Franzi", "Katharina": "Kathi", "Matthias": "Matze"},
    surnames=(
        "Bauer", "Becker", "Braun", "Demir", "Fischer", "Groß", "Hoffmann", "Jäger", "Kaya", "Klein", "Koch", "Krüger",
        "Lange", "Lehmann", "Möller", "Müller", "Neumann", "Richter", "Schäfer", "Schmidt", "Schneider", "Schröder",
        "Schulze", "Wagner", "Weber", "Weiß", "Werner", "Wolf", "Yılmaz", "Zimmermann",
    ),
    streets=(
        "Bergmannstraße", "Boxhagener Straße", "Danziger Straße", "Goethestraße", "Hauptstraße", "Kantstraße",
        "Kastanienallee", "Lindenstraße", "Müllerstraße", "Oranienstraße", "Schönhauser Allee", "Sonnenallee",
    ),
    number_first=False,
    places=(
        Place("Berlin", "BE", "10115"), Place("Berlin", "BE", "10405"), Place("Berlin", "BE", "10623"),
        Place("Berlin", "BE", "10961"), Place("Berlin", "BE", "12047"), Place("Potsdam", "BB", "14467"),
    ),
    phone_beginnings=("+49 30 231250", "+49 30 231251", "+49 30 231252"),
    language="German",
    other_languages=("Turkish", "English", "Polish", "Arabic"),
    country="DE",
)  # fmt: skip
