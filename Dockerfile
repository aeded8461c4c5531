# syntax=docker/dockerfile:1
FROM python:3.11-slim AS build

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/throughline
ENV PATH=/opt/throughline/bin:$PATH

# The locked dependencies first: they change rarely, so this layer is kept.
COPY requirements.txt /src/
RUN pip install --require-hashes -r /src/requirements.txt

COPY pyproject.toml /src/
COPY connectors /src/connectors
COPY pipelines /src/pipelines
COPY schemas /src/schemas
COPY services /src/services
RUN pip install --no-deps /src


FROM python:3.11-slim

LABEL org.opencontainers.image.title="Throughline" \
      org.opencontainers.image.description="One line of sight from the business's first ask to the change that answered it"

# Named volumes take over the owner of the folder they cover.
RUN groupadd --gid 10001 throughline \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/throughline --shell /usr/sbin/nologin throughline \
 && install -d -o 10001 -g 10001 -m 0700 /var/lib/throughline /run/throughline /run/throughline-database

COPY --from=build /opt/throughline /opt/throughline

# The file system may be read-only: only the data folder and /tmp are ever written.
ENV PATH=/opt/throughline/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    THROUGHLINE_DATA_DIR=/var/lib/throughline

USER 10001:10001
WORKDIR /var/lib/throughline
EXPOSE 8700 8701
ENTRYPOINT ["throughline"]
CMD ["--help"]
