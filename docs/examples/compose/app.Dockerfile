# The FastAPI example, and the tests that talk to it over HTTP. Built from the top of the repository.
FROM python:3.13-slim
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
COPY LICENSE NOTICE README.md pyproject.toml constraints.txt ./
COPY facematch_core facematch_core
COPY backends backends
COPY comparison comparison
COPY mock_server mock_server
COPY docs/examples/compose/requirements.txt requirements.txt
RUN python -m pip install --constraint constraints.txt --requirement requirements.txt ".[testing]" \
 && useradd --system --uid 10001 --create-home app
USER 10001
WORKDIR /home/app
COPY docs/examples/fastapi_app/app.py docs/examples/compose/test_service.py docs/examples/compose/mock.toml ./
EXPOSE 8000
CMD ["uvicorn", "--factory", "app:create_app", "--host", "0.0.0.0", "--port", "8000"]
