# Two stages: what builds the program is not in the image that runs it. Not built by the tests, which have no container
# engine; they check it for what can be seen without one.
FROM python:3.13-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY runner runner
RUN python -m venv /opt/teardown \
    && /opt/teardown/bin/pip install --no-cache-dir --constraint constraints.txt ".[fast]"

FROM python:3.13-slim-bookworm
COPY --from=build /opt/teardown /opt/teardown
RUN install --directory --owner=10001 --group=10001 --mode=0700 /state /work
ENV PATH=/opt/teardown/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TEARDOWN_STATE_DIR=/state/teardown
USER 10001:10001
# config.yaml and plans/ are looked for here.
WORKDIR /work
VOLUME /state
STOPSIGNAL SIGTERM
ENTRYPOINT ["teardown"]
CMD ["--help"]
