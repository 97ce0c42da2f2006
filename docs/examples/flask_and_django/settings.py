ROOT_URLCONF = "face_site"
MIDDLEWARE = ["face_site.FaceMiddleware", "django.middleware.csrf.CsrfViewMiddleware"]
FILE_UPLOAD_MAX_MEMORY_SIZE = 12_000_000  # beyond it Django writes uploads, so faces, to the disk
