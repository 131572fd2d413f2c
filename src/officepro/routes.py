"""ONE table of every address that the API answers, in the order of the seeds."""

from litestar.router import Router

from officepro.access.routes import router as authentication
from officepro.documentation.routes import router as documentation
from officepro.partners.key_routes import router as keys
from officepro.partners.routes import router as partners
from officepro.practices.list_routes import router as practice_lists
from officepro.practices.provider_routes import router as provider_hours
from officepro.practices.routes import router as practices
from officepro.prospects.routes import router as prospects
from officepro.scheduling.availability import router as availability
from officepro.scheduling.visit_routes import router as visits
from officepro.service import router as service
from officepro.tags.routes import router as tags

ROUTERS: list[Router] = [
    authentication,
    prospects,
    tags,
    availability,
    practices,
    practice_lists,
    provider_hours,
    partners,
    keys,
    visits,
    service,
    documentation,
]
