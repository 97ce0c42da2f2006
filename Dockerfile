# The mock server, as an image:
#
#   docker build --tag facematch-mock .
#   docker run --rm --publish 127.0.0.1:8080:8080 facematch-mock
#   docker run --rm --publish 127.0.0.1:8080:8080 \
#     --env FACEMATCH_MOCK_VENDOR="didit deepvue" --env FACEMATCH_MOCK_CONTROL_TOKEN=A-LONG-SECRET facematch-mock
#
# Every option is a variable: docs/test/use-the-mock.md. Without a token, one is generated and printed.

FROM python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY LICENSE NOTICE README.md SECURITY.md hatch_build.py pyproject.toml ./
COPY docs docs
COPY requirements requirements
COPY facematch_core facematch_core
COPY backends backends
COPY comparison comparison
COPY mock_server mock_server
RUN python -m pip install --no-deps --require-hashes --requirement requirements/publish.txt \
 && python -m build --no-isolation --wheel --outdir /wheels \
 && python -m venv /opt/facematch \
 && /opt/facematch/bin/pip install --no-deps --require-hashes --requirement requirements/mock.txt \
 && /opt/facematch/bin/pip install --no-deps /wheels/*.whl

FROM python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b
LABEL org.opencontainers.image.title="facematch mock" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/facematch/bin:$PATH PYTHONUNBUFFERED=1
COPY --from=build /opt/facematch /opt/facematch
# A volume here gets the certificate of a door: FACEMATCH_MOCK_CA_FOLDER=/ca, as in docs/examples/compose/go.
RUN useradd --system --uid 10001 --create-home mock \
 && install --directory --owner mock /ca
USER 10001
WORKDIR /home/mock
# Set other options as variables, or as arguments of the container.
ENV FACEMATCH_MOCK_HOST=0.0.0.0 FACEMATCH_MOCK_PORT=8080
EXPOSE 8080 443
# The port stands in the arguments or in the variable. The mock neither counts nor shows requests for its health. With a
# door, it is healthy once the door listens.
HEALTHCHECK --interval=5s --timeout=3s --start-period=15s --retries=3 \
  CMD ["python", "-c", "import http.client, os, re, sys; said = re.search('--port[=\\0](\\d+)', open('/proc/1/cmdline').read()); mock = http.client.HTTPConnection('127.0.0.1', int(said[1] if said else os.environ['FACEMATCH_MOCK_PORT']), timeout=2); mock.request('GET', '/__mock__/health'); sys.exit(mock.getresponse().status != 200)"]
ENTRYPOINT ["facematch", "mock"]
