"""The web page: files from `api/web`, checked by their ETag so that an update shows at once."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from fastapi import FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

#: Where the page is.
WEB = Path(__file__).parent / "web"

#: Files under here never change without their version: they need not be asked for again.
VENDOR_CACHE = "public, max-age=86400"
#: Everything else is kept, but asked for each time; unchanged files cost a 304.
PAGE_CACHE = "no-cache"


class WebFiles(StaticFiles):
    """Serves a folder with caching that suits it."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file, 304, or the error that there is none."""
        response = await super().get_response(path, scope)
        is_vendored = path.replace("\\", "/").startswith("vendor/")
        response.headers["Cache-Control"] = VENDOR_CACHE if is_vendored else PAGE_CACHE
        return response


def install(app: FastAPI, folder: Path = WEB) -> None:
    """Serve the page at `/`, wherever no other route fits."""
    # Some systems map .js to text/plain, which browsers refuse for modules.
    mimetypes.add_type("text/javascript", ".js")
    mimetypes.add_type("image/svg+xml", ".svg")
    if folder.is_dir():
        # Not a mount: that would take 405 away from the other routes.
        app.router.default = WebFiles(directory=folder, html=True)
