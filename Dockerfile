# Two images: `core` (the application) and `driver-host` (serves the driver it is told, in-tree ones or yours).
#   docker build --target core -t delphis .
#   docker build --target driver-host -t delphis-driver-host .

FROM python:3.11-slim AS base
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /var/lib/delphis delphis \
 && install -d -o delphis -g delphis -m 0750 \
    /var/lib/delphis /var/lib/delphis-key /run/delphis-service \
    /run/delphis-tls /run/delphis-tls/core /run/delphis-tls/alerts /run/delphis-tls/telemetry \
    /run/delphis-tls/driver

# Wheels of ours, made with locked tools.
FROM base AS wheels
COPY requirements/build.txt /requirements/
RUN python3 -m venv /opt/build && /opt/build/bin/pip install --quiet --require-hashes -r /requirements/build.txt
WORKDIR /app
COPY pyproject.toml README.md LICENSE ./
COPY protos protos
COPY driver_host driver_host
COPY cli cli
RUN for project in protos driver_host cli; do \
      /opt/build/bin/pip wheel --quiet --no-build-isolation --no-deps --wheel-dir /wheels ./$project || exit 1; \
    done
# The application itself is no wheel: its name points to /app.
RUN /opt/build/bin/hatchling build --target wheel:editable --directory /wheels/app

FROM base AS core-packages
COPY requirements/app.txt /requirements/
RUN python3 -m venv /opt/delphis && /opt/delphis/bin/pip install --quiet --require-hashes -r /requirements/app.txt
COPY --from=wheels /wheels /wheels
RUN /opt/delphis/bin/pip install --quiet --no-index --no-deps /wheels/*.whl /wheels/app/*.whl

FROM base AS driver-host-packages
COPY requirements/driver-host.txt /requirements/
RUN python3 -m venv /opt/delphis && /opt/delphis/bin/pip install --quiet --require-hashes -r /requirements/driver-host.txt
COPY --from=wheels /wheels /wheels
RUN /opt/delphis/bin/pip install --quiet --no-index --no-deps /wheels/delphis_protos-*.whl /wheels/delphis_driver_sdk-*.whl

FROM base AS core
COPY --from=core-packages /opt/delphis /opt/delphis
WORKDIR /app
COPY services services
COPY gateway gateway
COPY drivers drivers
# Generated arrays and the tutorial have no place in a real core; the driver-host image has them.
RUN rm -r drivers/fake_storage drivers/sample_vendor
COPY deploy deploy
RUN python3 -m compileall -q /app
# PYTHONPATH: a dependency that ships a top-level `services` must not win over ours.
ENV PATH=/opt/delphis/bin:$PATH PYTHONPATH=/app DELPHIS_KEY_FILE=/var/lib/delphis-key/key
USER 10001:10001
EXPOSE 8190 8191 8192 8195 8196 1162/udp
VOLUME ["/var/lib/delphis", "/var/lib/delphis-key"]
ENTRYPOINT ["delphis"]
CMD ["serve", "core", "--data-dir", "/var/lib/delphis", "--http-listen", "0.0.0.0:8190", "--grpc-listen", "0.0.0.0:8191"]

FROM base AS driver-host
COPY --from=driver-host-packages /opt/delphis /opt/delphis
WORKDIR /app
COPY drivers drivers
RUN python3 -m compileall -q /app
ENV PATH=/opt/delphis/bin:$PATH PYTHONPATH=/app
USER 10001:10001
EXPOSE 50051
ENTRYPOINT ["delphis-driver", "run"]
