ROOT_URLCONF = "face_site"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.sqlite3"}}
MIDDLEWARE = ["face_site.FaceMiddleware", "django.middleware.csrf.CsrfViewMiddleware"]
FILE_UPLOAD_MAX_MEMORY_SIZE = 12_000_000  # Django writes larger uploads, so faces, to disk
