"""The route table: every router of the API, in the order of the source API specification."""

from litestar.router import Router

from officepro.access.routes import router as authentication
from officepro.activity.disclosure_routes import router as disclosures
from officepro.activity.routes import router as activity
from officepro.documentation.errors_page import router as errors_page
from officepro.documentation.routes import router as documentation
from officepro.knowledge.routes import administration as knowledge_administration
from officepro.knowledge.routes import router as knowledge
from officepro.me.routes import router as me
from officepro.metrics import router as metrics
from officepro.partners.change_routes import router as partner_changes
from officepro.partners.key_routes import router as keys
from officepro.partners.routes import router as partners
from officepro.practices.list_routes import router as practice_lists
from officepro.practices.provider_routes import router as provider_hours
from officepro.practices.routes import router as practices
from officepro.products.routes import router as products
from officepro.products.routes import vendors
from officepro.prospects.routes import router as prospects
from officepro.requests.routes import administration as access_request_administration
from officepro.requests.routes import router as access_requests
from officepro.scheduling.availability import router as availability
from officepro.scheduling.visit_routes import router as visits
from officepro.security_contact import router as security_contact
from officepro.service import router as service
from officepro.tags.routes import router as tags
from officepro.tickets.routes import router as tickets
from officepro.webhooks.admin_routes import router as webhook_administration
from officepro.webhooks.log_routes import feed as events
from officepro.webhooks.log_routes import log as log_of_practice
from officepro.webhooks.routes import router as webhooks

ROUTERS: list[Router] = [
    authentication,
    prospects,
    tags,
    availability,
    practices,
    practice_lists,
    provider_hours,
    partners,
    partner_changes,
    keys,
    visits,
    products,
    vendors,
    knowledge,
    knowledge_administration,
    webhooks,
    events,
    webhook_administration,
    log_of_practice,
    tickets,
    me,
    access_requests,
    access_request_administration,
    activity,
    disclosures,
    service,
    security_contact,
    metrics,
    documentation,
    errors_page,
]
