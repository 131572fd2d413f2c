"""What a key may be good for. (seeds: "Requires … scope"; API.md: Keys, tokens, scopes)"""

PROVIDERS = "Providers"
SCHEDULING = "Scheduling"
PRODUCTS = "ProductPro.Products"
KNOWLEDGE = "KB"
TICKETS = "Tickets"
PROSPECTS = "Prospects"
TAGS = "Tags"

# What each scope lets a partner do, in plain words: the request form and the documentation show these.
MEANINGS = {
    PROSPECTS: "Search, create and update prospects and patients",
    TAGS: "See tags, and put them on and off prospects",
    PROVIDERS: "See providers, their schedules and free times",
    SCHEDULING: "Book, hold, move and cancel visits",
    PRODUCTS: "Search and push products",
    KNOWLEDGE: "Read and edit knowledge base articles",
    TICKETS: "Work the practice's tickets",
    "Patients": "Events about people: created, updated, tagged",
    "Encounters": "Events about visits: booked, moved, cancelled",
    "Claims": "Events about claims",
    "Payments": "Events about payments",
    "Documents": "Events about documents",
}
EVERY_SCOPE = frozenset(MEANINGS)
EVENT_SCOPES = frozenset({"Patients", "Encounters", "Claims", "Payments", "Documents"})
DEFAULT_SCOPES = frozenset({PROSPECTS, TAGS})  # what a new key has unless an admin takes them away
