"""Django's settings, which last as long as the process."""


def configure():
    """Make them, if no other test has."""
    import django
    from django.conf import settings

    if not settings.configured:
        settings.configure(
            ALLOWED_HOSTS=["testserver"],
            LOGGING_CONFIG=None,
            MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
            ROOT_URLCONF="app_django",
        )
        django.setup()
