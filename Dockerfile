# One image for the web process, the worker and the simulator. Its user is not root and it writes only to /tmp.
FROM python:3.11-slim AS build
RUN python -m venv /venv
COPY requirements.lock /
RUN /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /requirements.lock

FROM python:3.11-slim
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin gatehouse
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 STATIC_ROOT=/srv/static BIND=0.0.0.0:8000
COPY --from=build /venv /venv
WORKDIR /srv/gatehouse
COPY manage.py ./
COPY connections connections
COPY templates templates
COPY static static
# The keys of this step are made up, used once and not kept: collecting files needs none, the settings ask for some.
RUN SECRET_KEY="$(python -c 'import secrets; print(secrets.token_urlsafe(50))')" \
    ENCRYPTION_KEYS="$(python -c 'import base64, os; print(base64.b64encode(os.urandom(32)).decode())')" \
    PUBLIC_URL=https://build.invalid DATABASE_URL=sqlite://:memory: \
    python manage.py collectstatic --noinput --verbosity 0 \
 && python -m compileall -q connections
USER gatehouse
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["sh", "-c", "python manage.py check --deploy && python manage.py migrate --noinput --verbosity 1 && exec gunicorn -c python:connections.serving connections.wsgi"]
