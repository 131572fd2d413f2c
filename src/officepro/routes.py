"""ONE table of every address that the API answers, in the order of the seeds."""

from litestar.router import Router

from officepro.access.routes import router as authentication
from officepro.documentation.routes import router as documentation
from officepro.prospects.routes import router as prospects
from officepro.scheduling.availability import router as availability
from officepro.service import router as service
from officepro.tags.routes import router as tags

ROUTERS: list[Router] = [
    authentication,
    prospects,
    tags,
    availability,
    service,
    documentation,
]
