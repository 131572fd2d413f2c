"""Scopes of API keys. (source API specification: "Requires … scope"; API.md: Keys, tokens, scopes)"""

PROVIDERS = "Providers"
SCHEDULING = "Scheduling"
PRODUCTS = "ProductPro.Products"
KNOWLEDGE = "KB"
TICKETS = "Tickets"
PROSPECTS = "Prospects"
TAGS = "Tags"

# What each scope permits. The access request form and the documentation show these.
MEANINGS = {
    PROSPECTS: "Search, create and update prospects and patients",
    TAGS: "List tags, assign them to prospects and remove them",
    PROVIDERS: "Read providers, their schedules and availability",
    SCHEDULING: "Book, hold, move and cancel visits",
    PRODUCTS: "Search and push products",
    KNOWLEDGE: "Read and edit knowledge base articles",
    TICKETS: "Read and process the practice's tickets",
    "Patients": "Events about patients: created, updated, tagged",
    "Encounters": "Events about visits: booked, moved, cancelled",
    "Claims": "Events about claims",
    "Payments": "Events about payments",
    "Documents": "Events about documents",
}
EVERY_SCOPE = frozenset(MEANINGS)
EVENT_SCOPES = frozenset({"Patients", "Encounters", "Claims", "Payments", "Documents"})
DEFAULT_SCOPES = frozenset({PROSPECTS, TAGS})  # of a new key, unless an administrator removes them
