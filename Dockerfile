# The mock server, as an image:
#
#   docker build --tag facematch-mock .
#   docker run --rm --publish 127.0.0.1:8080:8080 facematch-mock
#   docker run --rm --publish 127.0.0.1:8080:8080 facematch-mock \
#     --host 0.0.0.0 --port 8080 --vendor deepvue --control-token A-LONG-SECRET
#
# Without --no-control, the control interface and the console want a token from other machines.

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY LICENSE NOTICE README.md pyproject.toml constraints.txt ./
COPY facematch_core facematch_core
COPY backends backends
COPY comparison comparison
COPY mock_server mock_server
RUN python -m pip wheel --no-deps --wheel-dir /wheels . \
 && python -m venv /opt/facematch \
 && /opt/facematch/bin/pip install --constraint constraints.txt "$(echo /wheels/*.whl)[mock]"

FROM python:3.13-slim
LABEL org.opencontainers.image.title="facematch mock" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/facematch/bin:$PATH PYTHONUNBUFFERED=1
COPY --from=build /opt/facematch /opt/facematch
RUN useradd --system --uid 10001 --create-home mock
USER 10001
WORKDIR /home/mock
EXPOSE 8080
# Whether it listens. A request would be one of the calls that it counts, shows and bills.
HEALTHCHECK --interval=5s --timeout=3s --start-period=15s --retries=3 \
  CMD ["python", "-c", "import socket; socket.create_connection(('127.0.0.1', 8080), 2).close()"]
ENTRYPOINT ["facematch", "mock"]
CMD ["--host", "0.0.0.0", "--port", "8080", "--vendor", "didit", "--no-control"]
