from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from penstock.api import errors, web


@pytest.fixture
def client(tmp_path: Path) -> httpx.AsyncClient:
    (tmp_path / "vendor").mkdir()
    (tmp_path / "index.html").write_text("<title>Penstock</title>")
    (tmp_path / "main.js").write_text("export {};")
    (tmp_path / "vendor" / "plot.js").write_text("export {};")
    (tmp_path.parent / "secret.txt").write_text("secret")
    app = FastAPI(docs_url=None, redoc_url=None)
    errors.install(app)
    web.install(app, tmp_path)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


async def test_the_page_is_served_at_the_root(client: httpx.AsyncClient) -> None:
    response = await client.get("/")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "Penstock" in response.text


async def test_modules_have_the_type_that_browsers_want(client: httpx.AsyncClient) -> None:
    response = await client.get("/main.js")
    assert response.headers["content-type"].startswith("text/javascript")


async def test_unchanged_files_are_not_sent_again(client: httpx.AsyncClient) -> None:
    first = await client.get("/main.js")
    assert first.headers["cache-control"] == "no-cache"
    again = await client.get("/main.js", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_vendored_files_are_kept_for_a_while(client: httpx.AsyncClient) -> None:
    response = await client.get("/vendor/plot.js")
    assert "max-age" in response.headers["cache-control"]


@pytest.mark.parametrize("path", ["/gone.js", "/../secret.txt", "/%2e%2e/secret.txt"])
async def test_nothing_outside_the_folder_is_served(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert response.status_code == 404
    assert "error" in response.json()
