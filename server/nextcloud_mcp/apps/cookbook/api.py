"""Nextcloud Cookbook, REST API v1 (nextcloud.github.io/cookbook/dev/api; measured on Cookbook 0.11.9).

A recipe is a JSON document of schema.org's type Recipe. A PUT replaces the whole recipe, so a change is merged with the
present recipe, including fields that this module does not know. DELETE always answers 200, and deletes the object with
the id even if it is not a recipe, so this module reads the recipe first. Cookbook decodes names in a path twice, so
they are encoded twice.

Cookbook has no ETags: if somebody else changes a recipe in the milliseconds between read and write, their change is
lost. A deleted recipe goes to the user's trash.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final
from urllib.parse import quote

import httpx
from pydantic import AliasGenerator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from nextcloud_mcp.errors import (
    ConflictError,
    ForbiddenError,
    InvalidArgumentError,
    NextcloudError,
    NextcloudUnavailableError,
    quoted,
)
from nextcloud_mcp.nextcloud.answers import parse
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.file_refusals import Need, check_permissions
from nextcloud_mcp.nextcloud.files import CONTROL_CHARACTERS, stat_with_access
from nextcloud_mcp.nextcloud.names import Thing, find_named, folded, spellings

API: Final = "/index.php/apps/cookbook/api/v1"
VERSION: Final = "/index.php/apps/cookbook/api/version"

UNCATEGORIZED: Final = ("*", "_")
"""The names for recipes without a category: in the list of categories, and in a path."""

_DURATION: Final = re.compile(
    r"P(?=.)(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?=.)(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6})S)?)?", re.ASCII
)
"""Matches an ISO 8601 duration without years and months. Cookbook drops weeks, days and other text without an error."""

_OTHER_FOLDER: Final = "set another folder with nc_cookbook_set_config"

_MAX_NAME: Final = 256
"""The longest name of a recipe, in bytes; Cookbook truncates a longer one."""

_UNSTORABLE_TEXT: Final = re.compile(r"<(?!\s)|\\|&(?:#\w+|\w+);")
"""Matches text that Cookbook treats as HTML and drops or decodes, or replaces by `_` (measured on 0.11.9)."""

_CLEANED_FIELDS: Final = {
    "name": "name",
    "description": "description",
    "recipeIngredient": "ingredients",
    "recipeInstructions": "instructions",
    "recipeCategory": "category",
    "keywords": "keywords",
}
"""The tool arguments whose text Cookbook cleans, by the API's field names."""

_INTEGER: Final = re.compile("[+-]?[0-9]{1,9}", re.ASCII)

_HOST: Final = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.?|[0-9a-fA-F:.]+", re.ASCII)

_NOT_STORED: Final = frozenset({"imageUrl", "imagePlaceholderUrl", "printImage"})
"""Fields that Cookbook adds to a response, and would store if a PUT contained them."""


class _Cookbook(BaseModel):
    model_config = ConfigDict(alias_generator=AliasGenerator(to_camel), populate_by_name=True)


class Nutrition(_Cookbook):
    """Nutrition facts of a serving, as text with units."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    kind: str = Field(default="NutritionInformation", alias="@type")
    calories: str | None = None
    carbohydrate_content: str | None = None
    cholesterol_content: str | None = None
    fat_content: str | None = None
    fiber_content: str | None = None
    protein_content: str | None = None
    saturated_fat_content: str | None = None
    serving_size: str | None = None
    sodium_content: str | None = None
    sugar_content: str | None = None
    trans_fat_content: str | None = None
    unsaturated_fat_content: str | None = None


class Recipe(_Cookbook):
    """A recipe; times are ISO 8601 durations, `keywords` are separated by commas, and other fields are kept."""

    model_config = ConfigDict(extra="allow")

    kind: str = Field(default="Recipe", alias="@type")
    id: str | None = None
    name: str
    description: str = ""
    url: str = ""
    image: str = ""
    image_url: str | None = None
    image_placeholder_url: str | None = None
    keywords: str = ""
    date_created: str | None = None
    date_modified: str | None = None
    prep_time: str | None = None
    cook_time: str | None = None
    total_time: str | None = None
    # null for a recipe without a yield, which clients do not expect
    recipe_yield: Annotated[int | str, BeforeValidator(lambda value: "" if value is None else value)] = 1
    recipe_category: str = ""
    tool: list[str] = []
    recipe_ingredient: list[str] = []
    recipe_instructions: list[str] = []
    # PHP serializes an empty map as an empty list
    nutrition: Annotated[Nutrition | None, BeforeValidator(lambda value: value or None)] = None


class RecipeStub(_Cookbook):
    """A recipe in a list; `category` is null where it has none."""

    id: str
    recipe_id: int = Field(alias="recipe_id")
    name: str
    keywords: str | None = ""
    category: str | None = None
    date_created: str
    date_modified: str | None = None
    image_url: str = ""
    image_placeholder_url: str = ""


class Category(BaseModel):
    """A category, and how many recipes are in it; `*` has those without any."""

    name: str
    recipe_count: int


class Keyword(BaseModel):
    """A keyword, and how many recipes have it."""

    name: str
    recipe_count: int


class Version(BaseModel):
    """The versions of the app and of its API, which has `epoch`, `major` and `minor`."""

    cookbook_version: list[int | str]
    api_version: dict[str, int]


class Config(BaseModel):
    """The user's settings; `update_interval` is in minutes, `folder` a path below the user's root folder."""

    model_config = ConfigDict(extra="allow")

    folder: str | None = None
    update_interval: int | None = None
    print_image: bool | None = None


async def version(nextcloud: Nextcloud) -> Version:
    """Return the versions of the app and its API."""
    return parse(Version, await nextcloud.request("GET", VERSION, about="the version of Cookbook"))


async def config(nextcloud: Nextcloud) -> Config:
    """Return the user's settings."""
    return parse(Config, await nextcloud.request("GET", f"{API}/config", about="the settings of Cookbook"))


async def set_config(
    nextcloud: Nextcloud, *, folder: str | None, update_interval: int | None, print_image: bool | None
) -> None:
    """Change the settings that are not None.

    Raises:
        InvalidArgumentError: a value would be ignored or would make Cookbook fail.
    """
    if update_interval is not None and update_interval < 1:
        raise InvalidArgumentError(
            "Invalid update_interval {minutes}",
            "pass 1 minute or more",
            argument="update_interval",
            minutes=update_interval,
        )
    changes = {
        "folder": None if folder is None else _folder(folder),
        "update_interval": update_interval,
        "print_image": print_image,
    }
    body = {name: value for name, value in changes.items() if value is not None}
    await _request(nextcloud, "POST", f"{API}/config", about="the settings of Cookbook", json=body)


async def reindex(nextcloud: Nextcloud) -> None:
    """Rebuild the index of recipes, to include files that were not created through Cookbook."""
    await _request(nextcloud, "POST", f"{API}/reindex", about="the index of recipes")


async def recipes(nextcloud: Nextcloud) -> list[RecipeStub]:
    """Return all recipes, sorted by name."""
    return await _stubs(nextcloud, "/recipes", "list of recipes")


async def search(nextcloud: Nextcloud, query: str) -> list[RecipeStub]:
    """Return the recipes with a word of the query in name, category or keywords; all recipes for an empty query."""
    words = query.strip()
    if not words:
        return await recipes(nextcloud)
    found = [
        await _stubs(nextcloud, f"/search/{_quote_twice(each)}", f"search for {quoted(query)}")
        for each in spellings(words)
    ]
    return list({stub.id: stub for stubs in found for stub in stubs}.values())


async def in_category(nextcloud: Nextcloud, category: str) -> list[RecipeStub]:
    """Return the recipes of a category; `*` or "" returns those without a category.

    Raises:
        NotFoundError: the category does not exist; the error lists the existing ones.
        InvalidArgumentError: several categories differ from `category` only in case or spelling.
    """
    listed, in_path = UNCATEGORIZED
    if category in {listed, ""}:
        return await _in_category(nextcloud, in_path)
    if found := await _in_category(nextcloud, category):
        return found
    known = [Thing(each.name, each.name) for each in await categories(nextcloud) if each.name != listed]
    return await _in_category(nextcloud, find_named(category, known, kind="category"))


async def _in_category(nextcloud: Nextcloud, name: str) -> list[RecipeStub]:
    return await _stubs(nextcloud, f"/category/{_quote_twice(name)}", f"category {quoted(name)}")


async def with_keywords(nextcloud: Nextcloud, keywords: Sequence[str]) -> list[RecipeStub]:
    """Return the recipes that have all of the keywords, regardless of case.

    This function filters the list of recipes, because Cookbook's `/tags/…` compares the user id as a number and finds
    nothing.
    """
    wanted = {folded(keyword.strip()) for keyword in keywords if keyword.strip()}
    return [stub for stub in await recipes(nextcloud) if wanted <= _split(stub.keywords)]


async def categories(nextcloud: Nextcloud) -> list[Category]:
    """Return the categories."""
    return parse(list[Category], await _request(nextcloud, "GET", f"{API}/categories", about="the list of categories"))


async def keywords(nextcloud: Nextcloud) -> list[Keyword]:
    """Return the keywords."""
    return parse(list[Keyword], await _request(nextcloud, "GET", f"{API}/keywords", about="the list of keywords"))


async def recipe(nextcloud: Nextcloud, recipe_id: int) -> Recipe:
    """Return one recipe."""
    return parse(Recipe, await _read(nextcloud, recipe_id))


async def create(nextcloud: Nextcloud, name: str, fields: dict[str, Any]) -> int:
    """Create a recipe and return its id.

    Args:
        nextcloud: The user's client.
        name: The name, which is unique among the user's recipes.
        fields: The other fields, by schema.org's names; fields that are None are omitted.

    Raises:
        ConflictError: a recipe with this name exists.
    """
    document = {"@type": "Recipe", **_encode_fields({"name": name, **fields})}
    return await _write(nextcloud, "POST", "/recipes", document)


async def update(nextcloud: Nextcloud, recipe_id: int, fields: dict[str, Any]) -> int:
    """Change a recipe and return its id; fields that are None, missing or unchanged keep their values.

    Raises:
        ConflictError: another recipe has the new name.
    """
    present = parse(dict[str, Any], await _read(nextcloud, recipe_id))
    told = {**present, "recipeYield": str(present.get("recipeYield"))}
    changes = _encode_fields({name: value for name, value in fields.items() if value != told.get(name)})
    kept = {name: value for name, value in present.items() if name not in _NOT_STORED}
    return await _write(nextcloud, "PUT", f"/recipes/{recipe_id}", {**kept, **changes, "id": str(recipe_id)})


async def delete(nextcloud: Nextcloud, recipe_id: int) -> None:
    """Move a recipe with its image to the user's trash."""
    await _read(nextcloud, recipe_id)
    await _request(nextcloud, "DELETE", f"{API}/recipes/{recipe_id}", about=f"recipe {recipe_id}")


async def import_recipe(nextcloud: Nextcloud, url: str) -> Recipe:
    """Make Cookbook fetch a web page and store the recipe in it; return the recipe.

    Raises:
        ConflictError: a recipe with this name exists.
        InvalidArgumentError: the page cannot be fetched, or contains no recipe.
    """
    response = await _request(
        nextcloud, "POST", f"{API}/import", about=f"recipe at {url}", json={"url": url}, also_ok={400, 409}
    )
    if response.status_code == httpx.codes.BAD_REQUEST:
        # Cookbook's own message is in the user's language, and quotes the page
        raise InvalidArgumentError(
            "Cookbook got no recipe from url",
            (
                "it must be a public http or https address by host name (no localhost, no IP address), which "
                "Nextcloud can reach, of a page with a recipe in schema.org's form; otherwise read the page and "
                "create the recipe"
            ),
        )
    if response.status_code == httpx.codes.CONFLICT:
        raise _name_conflict(f"The recipe at {url}")
    return parse(Recipe, response)


async def _request(nextcloud: Nextcloud, method: str, path: str, **parts: Any) -> httpx.Response:
    """Send a request; an HTTP 500 for the folder of the recipes becomes an error that says so.

    Cookbook answers it to almost every request if nothing may be created in that folder, even to reading a recipe.

    Raises:
        ForbiddenError: the folder was shared without the permission to create in it.
        ConflictError: the folder is a file.
    """
    try:
        return await nextcloud.request(method, path, **parts)
    except NextcloudUnavailableError as error:
        if error.status != httpx.codes.INTERNAL_SERVER_ERROR:
            raise
        reason = await _folder_error(nextcloud)
        if reason is None:
            raise
        raise reason from error


async def _folder_error(nextcloud: Nextcloud) -> NextcloudError | None:
    """Return the error that says why Cookbook cannot use its folder, or None if nothing speaks against the folder."""
    try:
        folder = (await config(nextcloud)).folder or ""
        await check_permissions(nextcloud, Need(folder, "create"))
        there, _ = await stat_with_access(nextcloud, folder)
    except ForbiddenError as error:
        return error.after("Cookbook can't use its folder {folder}", _OTHER_FOLDER, folder=quoted(folder))
    except NextcloudError:
        return None
    if there.is_directory:
        return None
    return ConflictError(
        "Cookbook can't use its folder {folder}, which is a file", _OTHER_FOLDER, folder=quoted(folder)
    )


async def _stubs(nextcloud: Nextcloud, path: str, about: str) -> list[RecipeStub]:
    return parse(list[RecipeStub], await _request(nextcloud, "GET", API + path, about=about))


async def _read(nextcloud: Nextcloud, recipe_id: int) -> httpx.Response:
    return await _request(nextcloud, "GET", f"{API}/recipes/{recipe_id}", about=f"recipe {recipe_id}")


async def _write(nextcloud: Nextcloud, method: str, path: str, document: dict[str, Any]) -> int:
    name = str(document.get("name") or "")
    if not name.strip():
        raise InvalidArgumentError("name must not be empty", "a recipe needs a name of its own", argument="name")
    response = await _request(
        nextcloud, method, API + path, about=f"recipe {quoted(name)}", json=document, also_ok={409}
    )
    if response.status_code == httpx.codes.CONFLICT:
        raise _name_conflict(repr(name))
    return parse(int, response)


def _name_conflict(what: str) -> ConflictError:
    return ConflictError(
        "{resource} has the name of a recipe that is there, and nothing was written",
        "choose another name, or update that one",
        resource=what,
    )


def _encode_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that are not None, in the format that Cookbook stores.

    Raises:
        InvalidArgumentError: Cookbook would drop or change a value without an error.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    for name in given.keys() & {"prepTime", "cookTime", "totalTime"}:
        given[name] = _duration(name, given[name]) if given[name] else None
    for name in given.keys() & _CLEANED_FIELDS.keys():
        _check_text(_CLEANED_FIELDS[name], given[name])
    if "/" in given.get("recipeCategory", ""):
        raise InvalidArgumentError(
            "Invalid category", "Cookbook writes '_' in place of '/'; leave '/' out", argument="category"
        )
    if given.get("url"):
        given["url"] = _url(given["url"])
    if "recipeYield" in given:
        given["recipeYield"] = _servings(given["recipeYield"])
    return given


def _servings(value: str) -> int:
    """Return the yield of a recipe. Cookbook stores only an integer.

    This function rejects words instead of dropping them, because it cannot know which number counts. Cookbook would
    store 4 for "4 servings", 250 for "4 jars of 250 ml", and 1 for text without digits (`FixRecipeYieldFilter`,
    0.11.9).

    Raises:
        InvalidArgumentError: the value is not a whole number.
    """
    if not _INTEGER.fullmatch(value):
        raise InvalidArgumentError(
            "Invalid recipe_yield {given}",
            "pass a whole number; Cookbook keeps no words, which can stand in the description",
            argument="recipe_yield",
            given=quoted(value),
        )
    return int(value)


def _duration(name: str, value: str) -> str:
    """Return a duration in hours, minutes and seconds; Cookbook supports no other units."""
    found = _DURATION.fullmatch(value)
    if found is None:
        raise InvalidArgumentError(
            "Invalid {argument} {given}",
            "pass a duration in ISO 8601, such as PT1H30M",
            argument=f"{name.removesuffix('Time')}_time",
            given=quoted(value),
        )
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    if not weeks and not days:
        return value
    return f"PT{(weeks * 7 + days) * 24 + hours}H{minutes}M{seconds}S"


def _check_text(argument: str, value: str | list[str]) -> None:
    for text in value if isinstance(value, list) else [value]:
        if found := _UNSTORABLE_TEXT.search(text):
            raise InvalidArgumentError(
                "Invalid {argument}",
                "Cookbook would not keep {found!r}. Write no HTML, no '\\', and a space after '<'",
                argument=argument,
                found=found[0],
            )
    if argument == "name" and len(str(value).encode()) > _MAX_NAME:
        raise InvalidArgumentError("name is too long", f"Cookbook keeps {_MAX_NAME} bytes of it", argument="name")


def _url(value: str) -> str:
    """Return a URL in ASCII, because Cookbook removes all other characters.

    Raises:
        InvalidArgumentError: the value is not an http or https URL; Cookbook would drop it.
    """
    try:
        url = httpx.URL(value.strip())
    except (httpx.InvalidURL, ValueError):
        url = httpx.URL("")
    if url.scheme not in {"http", "https"} or not _HOST.fullmatch(url.raw_host.decode()):
        raise InvalidArgumentError(
            "Invalid url {url!r}",
            "write an http or https address, https://example.org/soup",
            argument="url",
            url=value[:200],
        )
    return str(url)


def _folder(folder: str) -> str:
    """Return the path of a folder in Cookbook's format, without `..`, with which Cookbook would fail for the user."""
    names = [name for name in folder.split("/") if name]
    if not names or {".", ".."} & set(names):
        raise InvalidArgumentError(
            "Invalid folder {folder}",
            "pass a path below your root folder, such as /Recipes",
            argument="folder",
            folder=quoted(folder),
        )
    if "\\" in folder or CONTROL_CHARACTERS.search(folder):
        raise InvalidArgumentError(
            "Invalid folder {folder}",
            "Nextcloud does not allow '\\' and control characters in the names of folders",
            argument="folder",
            folder=quoted(folder),
        )
    return "/" + "/".join(names)


def _quote_twice(name: str) -> str:
    return quote(quote(name, safe=""), safe="")


def _split(keywords: str | None) -> set[str]:
    return {folded(keyword.strip()) for keyword in (keywords or "").split(",")}
