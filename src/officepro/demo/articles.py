"""Knowledge base of the demo: forty short articles, by number. Number 12 is the example of the source API
specification."""

from typing import NamedTuple


class Article(NamedTuple):
    """An article of the demo's knowledge base."""

    title: str
    category: str
    type: str  # HowTo, Policy or Reference
    tags: str
    says: tuple[str, ...]  # steps or rules


ARTICLES = (
    Article(
        "Opening the Practice",
        "Front Desk",
        "HowTo",
        "opening, morning",
        (
            "Switch on the label printer first.",
            "Count the cash drawer.",
            "Print the day's schedule for each provider.",
            "Listen to the answering machine.",
        ),
    ),
    Article(
        "Closing the Practice",
        "Front Desk",
        "HowTo",
        "closing, evening",
        (
            "Match card receipts with the day's payments.",
            "Lock the sample cabinet.",
            "Confirm tomorrow's first three visits by phone.",
        ),
    ),
    Article(
        "Greeting a New Patient",
        "Front Desk",
        "HowTo",
        "new patient, check-in",
        (
            "Ask for a photo ID and the insurance card.",
            "Hand over the intake forms on the tablet.",
            "Tell them how long the wait will be.",
        ),
    ),
    Article(
        "Late Arrivals",
        "Scheduling",
        "Policy",
        "late, rebooking",
        (
            "Up to 10 minutes late: the visit goes ahead, shortened.",
            "More than 10 minutes: offer the next free time the same day.",
            "Never double-book a provider to make room.",
        ),
    ),
    Article(
        "No-Shows and Late Cancellations",
        "Scheduling",
        "Policy",
        "no-show, cancellation",
        (
            "Mark the visit as a no-show after 20 minutes.",
            "Call once, write once.",
            "The fee is waived the first time.",
        ),
    ),
    Article(
        "Booking a Consult",
        "Scheduling",
        "HowTo",
        "booking, consult",
        (
            "Search the person by phone number first.",
            "Choose a provider who does consults.",
            "Read the date and the time back to the caller.",
        ),
    ),
    Article(
        "Moving a Visit",
        "Scheduling",
        "HowTo",
        "reschedule",
        (
            "Open the visit and choose Move.",
            "The old time is free the moment the new one is taken.",
            "Tell the patient the new time in writing.",
        ),
    ),
    Article(
        "Holding a Time",
        "Scheduling",
        "Reference",
        "hold, online booking",
        (
            "A hold lasts five minutes by default.",
            "What is held is offered to nobody else.",
            "A hold that ends by itself needs no clean-up.",
        ),
    ),
    Article(
        "Waiting List",
        "Scheduling",
        "HowTo",
        "waiting list",
        ("Tag the person Waiting list.", "Note the days that suit.", "Call from the top when a time becomes free."),
    ),
    Article(
        "Reading an Insurance Card",
        "Billing",
        "Reference",
        "insurance, card",
        (
            "The member number is on the front, the payer's phone on the back.",
            "Photograph both sides.",
            "Compare the name letter by letter.",
        ),
    ),
    Article(
        "Copayments at Check-In",
        "Billing",
        "Policy",
        "copay, payments",
        (
            "Collect the copayment before the visit.",
            "Give a receipt without being asked.",
            "A missing copayment never delays urgent care.",
        ),
    ),
    Article(
        "Insurance Verification Workflow",
        "Billing",
        "HowTo",
        "insurance, verification",
        (
            "Step-by-step process for verifying a patient's insurance before the visit.",
            "Ask for the member number and the date of birth.",
            "Check eligibility in the payer's portal at least two working days ahead.",
            "Note copayment, deductible and the reference number of the answer.",
            "Call the patient when the plan is not active.",
        ),
    ),
    Article(
        "Denied Claims",
        "Billing",
        "HowTo",
        "claims, denial",
        (
            "Read the reason code before anything else.",
            "Correct and resend within the payer's limit.",
            "Appeal in writing when the denial is wrong.",
        ),
    ),
    Article(
        "Superbills",
        "Billing",
        "Reference",
        "superbill, codes",
        ("One for each visit.", "It names provider, codes and fees.", "Patients send it to their payer themselves."),
    ),
    Article(
        "Refunds",
        "Billing",
        "Policy",
        "refund, payments",
        ("Refund to the card that paid.", "Two people sign above 200 dollars.", "Tell the patient when to expect it."),
    ),
    Article(
        "Payment Plans",
        "Billing",
        "Policy",
        "payments, plan",
        ("Offer one above 300 dollars.", "No more than six months.", "The first rate is due the same day."),
    ),
    Article(
        "Price List for Self-Pay Patients",
        "Billing",
        "Reference",
        "cash, prices",
        (
            "Prices are on the counter and on the website.",
            "A good-faith estimate is given in writing.",
            "Discounts are the manager's to give.",
        ),
    ),
    Article(
        "Prior Authorization",
        "Billing",
        "HowTo",
        "insurance, authorization",
        (
            "Ask the payer which form it wants.",
            "Send the notes of the last two visits.",
            "Follow up after three working days.",
        ),
    ),
    Article(
        "Consent Forms",
        "Clinical",
        "Policy",
        "consent, forms",
        ("No procedure without a signed form.", "Forms are valid for one year.", "A parent signs for a minor."),
    ),
    Article(
        "Preparing a Treatment Room",
        "Clinical",
        "HowTo",
        "room, hygiene",
        (
            "Wipe all surfaces and wait two minutes.",
            "Lay out what the visit type asks for.",
            "Check the sharps container.",
        ),
    ),
    Article(
        "Handling Sharps",
        "Clinical",
        "Policy",
        "safety, sharps",
        (
            "Never recap a needle.",
            "Replace the container when it is three quarters full.",
            "Report every injury at once.",
        ),
    ),
    Article(
        "Taking Before-and-After Photos",
        "Clinical",
        "HowTo",
        "photos, aesthetics",
        (
            "Same light, same distance, same angle.",
            "Consent is signed before the first one.",
            "Photos stay on the practice's own camera.",
        ),
    ),
    Article(
        "Lot Numbers",
        "Clinical",
        "Reference",
        "products, recall",
        ("Note the lot of every injectable.", "They are needed for recalls.", "The label sheet has one to peel off."),
    ),
    Article(
        "Recalled Products",
        "Inventory",
        "HowTo",
        "recall, products",
        ("Take the lot off the shelf.", "List the patients who had it.", "The provider decides whom to call."),
    ),
    Article(
        "Ordering Supplies",
        "Inventory",
        "HowTo",
        "orders, vendors",
        ("Order on Mondays.", "Use the vendor's product code.", "Two quotes above 1,000 dollars."),
    ),
    Article(
        "Receiving a Delivery",
        "Inventory",
        "HowTo",
        "delivery, stock",
        ("Compare the slip with the order.", "Cold goods go first.", "Sign only for what is there."),
    ),
    Article(
        "Expiry Dates",
        "Inventory",
        "Policy",
        "stock, expiry",
        (
            "First in, first out.",
            "Check the shelf on the first of the month.",
            "What has expired is logged and thrown away.",
        ),
    ),
    Article(
        "Retail Returns",
        "Inventory",
        "Policy",
        "retail, returns",
        ("Unopened within 30 days.", "Opened goods only for a reaction.", "The vendor credits what was faulty."),
    ),
    Article(
        "Protecting Patient Information",
        "Compliance",
        "Policy",
        "privacy, hipaa",
        (
            "Turn screens away from the counter.",
            "Say no names in the waiting room.",
            "Send nothing about a patient by plain e-mail.",
        ),
    ),
    Article(
        "Requests for Medical Records",
        "Compliance",
        "HowTo",
        "records, release",
        ("A signed release comes first.", "Answer within 15 days.", "Note what was sent, to whom and why."),
    ),
    Article(
        "Reporting a Privacy Incident",
        "Compliance",
        "HowTo",
        "privacy, incident",
        (
            "Tell the privacy officer the same hour.",
            "Write down what happened, not who is to blame.",
            "Keep everything as it is.",
        ),
    ),
    Article(
        "Who May See What",
        "Compliance",
        "Reference",
        "access, roles",
        (
            "The front desk sees no clinical notes.",
            "Partners see what their key's scopes allow.",
            "Every look at a record is on record.",
        ),
    ),
    Article(
        "Yearly Training",
        "Compliance",
        "Policy",
        "training",
        ("Everyone, every January.", "New people within 30 days.", "Certificates go to the manager."),
    ),
    Article(
        "Resetting a Password",
        "Systems",
        "HowTo",
        "password, login",
        (
            "Ask for two things that only they know.",
            "Send the link, never the password.",
            "It must be changed at the first login.",
        ),
    ),
    Article(
        "When the Internet Is Down",
        "Systems",
        "HowTo",
        "outage, paper",
        ("Use the printed schedule.", "Write new bookings on the blue sheet.", "Enter them in order once it is back."),
    ),
    Article(
        "Label Printer Prints Blank",
        "Systems",
        "HowTo",
        "printer, labels",
        ("Turn the roll: the shiny side faces up.", "Clean the head with alcohol.", "Print the test page."),
    ),
    Article(
        "Connecting a Booking Site",
        "Systems",
        "HowTo",
        "api, partners",
        (
            "The partner asks for access on the website.",
            "Approve it with the scopes that it needs and no more.",
            "Send the key over a secure channel: it is shown once.",
        ),
    ),
    Article(
        "Webhooks in Plain Words",
        "Systems",
        "Reference",
        "api, webhooks",
        (
            "They tell a partner that something changed.",
            "They carry numbers, never names.",
            "A delivery that failed is tried again for a day.",
        ),
    ),
    Article(
        "Answering the Phone",
        "Communication",
        "HowTo",
        "phone, greeting",
        (
            "Before the third ring.",
            "The practice's name, your name, how may I help.",
            "Ask before putting anyone on hold.",
        ),
    ),
    Article(
        "Complaints",
        "Communication",
        "Policy",
        "complaints",
        ("Listen to the end.", "Thank them, and write it down in their words.", "The manager calls back the same day."),
    ),
)


def text_of(article: Article) -> str:
    """Return the article's text in Markdown."""
    lines = article.says
    marks = [f"{number}." for number in range(1, len(lines) + 1)] if article.type == "HowTo" else ["-"] * len(lines)
    return "\n".join([f"## {article.title}", "", *(f"{mark} {line}" for mark, line in zip(marks, lines, strict=True))])
