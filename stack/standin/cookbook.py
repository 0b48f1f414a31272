"""Cookbook, REST API v1 (https://nextcloud.github.io/cookbook/dev/api/), as measured on Cookbook 0.11.9.

Recipes are kept in memory. The oddities are Cookbook's own: names in paths are decoded twice, `/tags` finds nothing, an
update uses the id in its body and replaces the whole recipe, and a deletion always succeeds.

The stand-in does not access the web. An import works only for the URL `PAGE`, whose recipe is built in.
"""

import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from html import unescape
from itertools import count
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote_plus, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from stack.standin.gate import account_of
from stack.standin.mounts import CREATE, Mounts

PAGE = "https://recipes.example/soup"
_RECIPE: dict[str, Any] = {
    "name": "Imported soup",
    "description": "Hot",
    "recipeYield": 4,
    "prepTime": "PT0H15M0S",
    "recipeIngredient": ["1 l water", "salt"],
    "recipeInstructions": ["Boil.", "Eat."],
    "keywords": "soup,hot",
    "recipeCategory": "Soup",
    "url": PAGE,
}
_BASE = "/index.php/apps/cookbook/api"
_API = f"{_BASE}/v1"
_IMAGE = "/index.php/apps/cookbook/webapp/recipes/{}/image?size={}"
_DURATION = re.compile(r"P(?:\d+W)?(?:\d+D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_SETTINGS = {
    "folder": "/Recipes",
    "update_interval": 5,
    "print_image": True,
    "visibleInfoBlocks": {"preparation-time": True, "nutrition-information": True},
}
_EMPTY: dict[str, Any] = {
    "@context": "http://schema.org",
    "@type": "Recipe",
    "description": "",
    "url": "",
    "image": "",
    "keywords": "",
    "recipeCategory": "",
    "recipeYield": None,
    "prepTime": None,
    "cookTime": None,
    "totalTime": None,
    "datePublished": None,
    "tool": [],
    "recipeIngredient": [],
    "recipeInstructions": [],
}

Row = dict[str, Any]
Handler = Callable[["Cookbook", Request, Row], Any]


class Cookbook:
    """The recipes of one user."""

    def __init__(self) -> None:
        self.recipes: dict[int, Row] = {}
        self.settings: Row = dict(_SETTINGS)

    def by_name(self) -> list[Row]:
        """Return all recipes, sorted by name."""
        return sorted(self.recipes.values(), key=lambda recipe: str(recipe["name"]).casefold())

    def taken(self, name: str, own: int | None) -> bool:
        """Return whether a recipe other than `own` has the name."""
        return any(recipe["name"] == name for number, recipe in self.recipes.items() if number != own)


def routes(mounts: Mounts) -> list[Route]:
    """Return the API's routes."""
    books: dict[str, Cookbook] = {}
    ids = count(1)

    def at(path: str, method: str, handler: Handler) -> Route:
        return Route(path, _endpoint(books, handler, mounts), methods=[method])

    def create(book: Cookbook, _request: Request, body: Row) -> Response:
        return _store(book, body, next(ids), None)

    def fetch(book: Cookbook, _request: Request, body: Row) -> Response:
        return _import(book, body, next(ids))

    return [
        at(f"{_BASE}/version", "GET", _version),
        at(f"{_API}/config", "GET", _config),
        at(f"{_API}/config", "POST", _set_config),
        at(f"{_API}/reindex", "POST", lambda _book, _request, _body: "Search index rebuilt successfully"),
        at(f"{_API}/recipes", "GET", _list),
        at(f"{_API}/recipes", "POST", create),
        at(f"{_API}/recipes/{{id:int}}", "GET", _get),
        at(f"{_API}/recipes/{{id:int}}", "PUT", _update),
        at(f"{_API}/recipes/{{id:int}}", "DELETE", _delete),
        at(f"{_API}/import", "POST", fetch),
        at(f"{_API}/search/{{words}}", "GET", _search),
        at(f"{_API}/categories", "GET", _categories),
        at(f"{_API}/category/{{name}}", "GET", _category),
        at(f"{_API}/keywords", "GET", _keywords),
        at(f"{_API}/tags/{{names}}", "GET", lambda _book, _request, _body: []),
    ]


def _endpoint(books: dict[str, Cookbook], handler: Handler, mounts: Mounts) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        body, user = json.loads(await request.body() or b"{}"), account_of(request.scope).user
        book = books.setdefault(user, Cookbook())
        if handler not in _WITHOUT_FOLDER and not _can_create(mounts, user, book):
            return HTMLResponse("<!DOCTYPE html>", 500)
        answer = handler(book, request, body)
        if handler is _set_config and not _can_create(mounts, user, book):
            return HTMLResponse("<!DOCTYPE html>", 500)  # the setting is stored all the same
        return answer if isinstance(answer, Response) else JSONResponse(answer)

    return endpoint


def _can_create(mounts: Mounts, user: str, book: Cookbook) -> bool:
    """Return whether Cookbook can use the folder; it makes a missing one."""
    path = PurePosixPath("/") / str(book.settings["folder"]).strip("/")
    place = mounts.find(user, str(path))
    while not place.path.exists():
        path = path.parent
        place = mounts.find(user, str(path))
    return place.path.is_dir() and bool(place.permissions & CREATE)


def _version(_book: Cookbook, _request: Request, _body: Row) -> Row:
    return {"cookbook_version": [0, 11, 9], "api_version": {"epoch": 0, "major": 1, "minor": 2}}


def _config(book: Cookbook, _request: Request, _body: Row) -> Row:
    return book.settings


def _list(book: Cookbook, _request: Request, _body: Row) -> list[Row]:
    return [_stub(each) for each in book.by_name()]


def _set_config(book: Cookbook, _request: Request, body: Row) -> str | Response:
    book.settings.update({name: value for name, value in body.items() if name in _SETTINGS})
    if ".." in str(book.settings["folder"]):
        return HTMLResponse("<!DOCTYPE html>", 500)  # the setting is stored all the same, so the next calls fail too
    return "OK"


def _get(book: Cookbook, request: Request, _body: Row) -> Row | Response:
    number = request.path_params["id"]
    if number not in book.recipes:
        return JSONResponse(number, 404)
    return book.recipes[number] | {
        "printImage": book.settings["print_image"],
        "imageUrl": _IMAGE.format(number, "full"),
    }


def _update(book: Cookbook, _request: Request, body: Row) -> Response:
    number = int(body.get("id") or 0)
    if number and number not in book.recipes:
        return HTMLResponse("<!DOCTYPE html>", 500)
    return _store(book, body, number, number)


def _delete(book: Cookbook, request: Request, _body: Row) -> str:
    number = request.path_params["id"]
    book.recipes.pop(number, None)
    return f"Recipe {number} deleted successfully"


def _store(book: Cookbook, body: Row, number: int, own: int | None) -> Response:
    if not body.get("name"):
        return JSONResponse({"msg": "No recipe name was given. A unique name is required to store the recipe."}, 422)
    if book.taken(body["name"], own):
        return JSONResponse({"msg": "Another recipe with that name already exists"}, 409)
    _keep(book, body, number)
    return JSONResponse(number)


def _keep(book: Cookbook, body: Row, number: int) -> None:
    now = datetime.now(UTC).replace(microsecond=0).isoformat()
    recipe = _EMPTY | {"dateCreated": now} | body | {"id": str(number), "dateModified": now}
    recipe["nutrition"] = {**dict(recipe.get("nutrition") or {}), "@type": "NutritionInformation"}
    recipe["recipeCategory"] = recipe["recipeCategory"].replace("/", "_")
    for name in ("prepTime", "cookTime", "totalTime"):
        recipe[name] = _duration(recipe[name])
    for name in ("description", "recipeIngredient", "recipeInstructions"):
        texts = recipe[name]
        recipe[name] = _clean(texts) if isinstance(texts, str) else [text for text in map(_clean, texts) if text]
    recipe["url"] = _address(recipe["url"])
    book.recipes[number] = recipe


def _clean(text: str) -> str:
    """Remove tags, decode entities and replace backslashes, twice: Cookbook filters a recipe twice."""
    for _ in range(2):
        text = unescape(re.sub(r"<(?!\s)[^>]*>?", "", text).replace("\\", "_"))
    return re.sub(" +", " ", text.replace("\t", " ")).strip()


def _address(url: str) -> str:
    """Return a URL without its non-ASCII characters, or an empty string if the result is not a URL."""
    url = re.sub("[^!-~]", "", url)
    return url if re.fullmatch(r"[a-zA-Z]+://[a-zA-Z0-9.-]+([:/?#].*)?", url) else ""


def _duration(value: str | None) -> str | None:
    """Return a duration in hours, minutes and seconds, without weeks and days; None if it is not a duration."""
    found = _DURATION.fullmatch(value or "")
    if found is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    minutes, hours = minutes % 60, hours + minutes // 60
    return f"PT{hours}H{minutes}M{seconds}S"


def _import(book: Cookbook, body: Row, number: int) -> Response:
    if "url" not in body:
        return JSONResponse('Field "url" is required', 400)
    host = urlsplit(body["url"]).hostname
    if not host or host == "localhost" or host.replace(".", "").isdigit():
        return JSONResponse("The provided URL is not allowed.", 400)
    if body["url"] != PAGE:
        message = f"Exception while downloading recipe from {body['url']}.: URL resolves to a local/internal address"
        return JSONResponse(message, 400)
    if book.taken(str(_RECIPE["name"]), None):
        return JSONResponse({"msg": "Another recipe with that name already exists"}, 409)
    _keep(book, _RECIPE, number)
    return JSONResponse(book.recipes[number] | {"nutrition": []})


def _search(book: Cookbook, request: Request, _body: Row) -> list[Row]:
    words = re.split(r"[\s,]+", unquote_plus(request.path_params["words"]).casefold())
    texts = [
        (recipe, f"{recipe['name']}\n{recipe['keywords']}\n{recipe['recipeCategory']}".casefold())
        for recipe in book.by_name()
    ]
    return [_stub(recipe) for recipe, text in texts if any(word in text for word in words)]


def _categories(book: Cookbook, _request: Request, _body: Row) -> list[Row]:
    counted = Counter(recipe["recipeCategory"] for recipe in book.recipes.values())
    named = [{"name": name, "recipe_count": counted[name]} for name in sorted(counted) if name]
    return [*named, {"name": "*", "recipe_count": counted[""]}]


def _category(book: Cookbook, request: Request, _body: Row) -> list[Row]:
    name = unquote_plus(request.path_params["name"])
    wanted = "" if name == "_" else name
    return [_stub(recipe) for recipe in book.by_name() if recipe["recipeCategory"] == wanted]


def _keywords(book: Cookbook, _request: Request, _body: Row) -> list[Row]:
    counted = Counter(keyword for recipe in book.recipes.values() for keyword in _split(recipe))
    return [{"name": name, "recipe_count": counted[name]} for name in sorted(counted, key=str.casefold)]


def _split(recipe: Row) -> list[str]:
    return [keyword.strip() for keyword in recipe["keywords"].split(",") if keyword.strip()]


def _stub(recipe: Row) -> Row:
    number = int(recipe["id"])
    return {
        "recipe_id": number,
        "id": recipe["id"],
        "name": recipe["name"],
        "keywords": ",".join(sorted(_split(recipe))) or None,
        "category": recipe["recipeCategory"] or None,
        "dateCreated": recipe["dateCreated"],
        "dateModified": recipe["dateModified"],
        "imageUrl": _IMAGE.format(number, "thumb"),
        "imagePlaceholderUrl": _IMAGE.format(number, "thumb16"),
    }


_WITHOUT_FOLDER: frozenset[Handler] = frozenset({_version, _config, _set_config, _list, _categories, _keywords})
"""What Cookbook answers from its index and its settings, even if it cannot use its folder."""
