# The service, and its tests over HTTP. The build context is the repository's root.
FROM python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
COPY LICENSE NOTICE README.md SECURITY.md hatch_build.py pyproject.toml ./
COPY docs docs
COPY facematch_core facematch_core
COPY backends backends
COPY comparison comparison
COPY mock_server mock_server
COPY requirements/app.txt requirements.txt
RUN python -m pip install --no-deps --require-hashes --requirement requirements.txt \
 && python -m pip install --no-deps --no-build-isolation . \
 && useradd --system --uid 10001 --create-home app
USER 10001
WORKDIR /home/app
COPY docs/examples/compose/app.py docs/examples/compose/test_service.py docs/examples/compose/mock.toml ./
EXPOSE 8000
CMD ["uvicorn", "app:app", "--host", "0.0.0.0", "--port", "8000"]
