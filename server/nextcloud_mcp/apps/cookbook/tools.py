"""The tools for Nextcloud Cookbook."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from nextcloud_mcp.apps.cookbook import api
from nextcloud_mcp.apps.cookbook.api import Category, Config, Keyword, Recipe, RecipeStub, Version
from nextcloud_mcp.boundary.addresses import accepts_url
from nextcloud_mcp.boundary.arguments import Expects
from nextcloud_mcp.boundary.call import AsUser
from nextcloud_mcp.boundary.changes import require_change
from nextcloud_mcp.boundary.declaration import CommaList, Resource, Result, Texts, reads, writes
from nextcloud_mcp.boundary.lookup import Named
from nextcloud_mcp.boundary.paging import DEFAULT_LIMIT, Paged, page
from nextcloud_mcp.boundary.schemas import Cursor, described
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.names import Thing, folded


async def _recipes(nextcloud: Nextcloud, _: Mapping[str, Any]) -> list[Thing]:
    return [Thing(stub.id, stub.name) for stub in await api.recipes(nextcloud)]


RecipeId = Annotated[
    int,
    accepts_url(r"/apps/cookbook/?#?/?recipe/([0-9]{1,18})(?:/.*)?"),
    Named("recipe", _recipes, scope="cookbook:read"),
]


def _as_text(given: Any) -> Any:
    """Return an integer as text, and text without surrounding blanks; return other values unchanged."""
    if isinstance(given, float) and given.is_integer():
        given = int(given)
    if isinstance(given, str):
        return given.strip()
    return given if isinstance(given, bool) or not isinstance(given, int) else str(given)


Servings = Annotated[
    str | None,
    BeforeValidator(_as_text),
    Expects("a whole number"),
    WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "null"}]}),
]
"""An integer in the schema, but text in this server, so that a caller can pass back a yield that contains words."""


class RecipeImported(Result):
    """An imported recipe and its id."""

    recipe: Recipe
    recipe_id: str


class RecipeWritten(Result):
    """A recipe that was created or changed."""

    id: int | str


class RecipeDeleted(Result):
    """A deleted recipe."""

    deleted_id: int
    status_code: int | None = 200
    message: str | None = None


class Done(Result):
    """The result of a change; `status_code` is for clients that expect one."""

    status_code: int | None = 200
    message: str | None = None


class Recipes(Paged):
    """A page of recipes, and the number of all recipes."""

    recipes: list[RecipeStub]
    total_count: int


class RecipesFound(Paged):
    """A page of matching recipes, and the number of all matches."""

    recipes: list[RecipeStub]
    query: str
    total_found: int


class Categories(Result):
    """The user's categories of recipes."""

    categories: list[Category]


class Keywords(Result):
    """The keywords of the user's recipes."""

    keywords: list[Keyword]


@writes("Import a recipe", scopes="cookbook:write", destructive=False, idempotent=False)
async def nc_cookbook_import_recipe(url: str, nextcloud: AsUser) -> RecipeImported:
    """Import a recipe from a public web page, which Nextcloud fetches."""
    recipe = await api.import_recipe(nextcloud, url)
    return RecipeImported(recipe=recipe, recipe_id=recipe.id or "")


@reads("List recipes", scopes="cookbook:read")
async def nc_cookbook_list_recipes(nextcloud: AsUser, limit: int = DEFAULT_LIMIT, cursor: Cursor = "") -> Recipes:
    """List all recipes by name, with keywords and category."""
    return _listed(await api.recipes(nextcloud), limit, cursor)


@reads("Read a recipe", scopes="cookbook:read")
async def nc_cookbook_get_recipe(recipe_id: RecipeId, nextcloud: AsUser) -> Recipe:
    """Read a recipe: ingredients, instructions, times, yield and nutrition."""
    return await api.recipe(nextcloud, recipe_id)


Duration = Annotated[str | None, described("ISO 8601, such as PT1H30M")]


@writes("Create a recipe", scopes="cookbook:write", destructive=False, idempotent=False)
async def nc_cookbook_create_recipe(
    name: str,
    nextcloud: AsUser,
    description: str | None = None,
    ingredients: Texts | None = None,
    instructions: Texts | None = None,
    url: str | None = None,
    prep_time: Duration = None,
    cook_time: Duration = None,
    total_time: Duration = None,
    recipe_yield: Annotated[Servings, described("servings")] = None,
    category: str | None = None,
    keywords: Annotated[CommaList | None, described("comma-separated")] = None,
) -> RecipeWritten:
    """Create a recipe. Its name must be new."""
    fields = {
        "description": description,
        "recipeIngredient": ingredients,
        "recipeInstructions": instructions,
        "url": url,
        "prepTime": prep_time,
        "cookTime": cook_time,
        "totalTime": total_time,
        "recipeYield": recipe_yield,
        "recipeCategory": category,
        "keywords": keywords,
    }
    return RecipeWritten(id=await api.create(nextcloud, name, fields))


@writes("Change a recipe", scopes="cookbook:write", destructive=True, idempotent=True)
async def nc_cookbook_update_recipe(
    recipe_id: RecipeId,
    nextcloud: AsUser,
    name: str | None = None,
    description: str | None = None,
    ingredients: Texts | None = None,
    instructions: Texts | None = None,
    url: str | None = None,
    prep_time: Duration = None,
    cook_time: Duration = None,
    total_time: Duration = None,
    recipe_yield: Annotated[Servings, described("servings")] = None,
    category: str | None = None,
    keywords: Annotated[CommaList | None, described("comma-separated")] = None,
) -> RecipeWritten:
    """Change a recipe. What is omitted or null stays; "" clears. A list replaces the whole list."""
    fields: dict[str, Any] = {
        "name": name,
        "description": description,
        "recipeIngredient": ingredients,
        "recipeInstructions": instructions,
        "url": url,
        "prepTime": prep_time,
        "cookTime": cook_time,
        "totalTime": total_time,
        "recipeYield": recipe_yield,
        "recipeCategory": category,
        "keywords": keywords,
    }
    require_change(fields.values(), "pass at least one field, such as name")
    return RecipeWritten(id=await api.update(nextcloud, recipe_id, fields))


@writes("Delete a recipe", scopes="cookbook:write", destructive=True, idempotent=True)
async def nc_cookbook_delete_recipe(recipe_id: RecipeId, nextcloud: AsUser) -> RecipeDeleted:
    """Move a recipe with its picture to the user's trash."""
    await api.delete(nextcloud, recipe_id)
    return RecipeDeleted(deleted_id=recipe_id, message=f"Recipe {recipe_id} is deleted.")


@reads("Search recipes", scopes="cookbook:read")
async def nc_cookbook_search_recipes(
    query: str, nextcloud: AsUser, limit: int = DEFAULT_LIMIT, cursor: Cursor = ""
) -> RecipesFound:
    """Find recipes that contain any word of the query in name, keywords or category. Ingredients are not searched."""
    found = await api.search(nextcloud, query)
    recipes, next_cursor = page(found, limit, cursor)
    return RecipesFound(recipes=recipes, query=query, total_found=len(found), next_cursor=next_cursor)


@reads("List categories of recipes", scopes="cookbook:read")
async def nc_cookbook_list_categories(nextcloud: AsUser) -> Categories:
    """List the categories with their number of recipes. "*" stands for recipes without a category."""
    return Categories(categories=await api.categories(nextcloud))


@reads("List a category's recipes", scopes="cookbook:read")
async def nc_cookbook_get_recipes_in_category(
    category: Annotated[str, described('exact name; "*": without a category')],
    nextcloud: AsUser,
    limit: int = DEFAULT_LIMIT,
    cursor: Cursor = "",
) -> Recipes:
    """List the recipes of a category."""
    return _listed(await api.in_category(nextcloud, category), limit, cursor)


@reads("List keywords of recipes", scopes="cookbook:read")
async def nc_cookbook_list_keywords(nextcloud: AsUser) -> Keywords:
    """List the keywords with their number of recipes."""
    return Keywords(keywords=await api.keywords(nextcloud))


@reads("List recipes by keywords", scopes="cookbook:read")
async def nc_cookbook_get_recipes_with_keywords(
    keywords: Texts, nextcloud: AsUser, limit: int = DEFAULT_LIMIT, cursor: Cursor = ""
) -> Recipes:
    """List the recipes that have all of the given keywords."""
    return _listed(await api.with_keywords(nextcloud, keywords), limit, cursor)


@writes("Change Cookbook's settings", scopes="cookbook:write files:read files:write", destructive=True, idempotent=True)
async def nc_cookbook_set_config(
    nextcloud: AsUser,
    folder: Annotated[
        str | None, described("where recipes are kept, such as /Recipes; existing recipes are not moved")
    ] = None,
    update_interval: Annotated[int | None, described("minutes")] = None,
    print_image: bool | None = None,
) -> Done:
    """Change Cookbook's settings. What is omitted or null stays."""
    require_change([folder, update_interval, print_image], "pass folder, update_interval or print_image")
    await api.set_config(nextcloud, folder=folder, update_interval=update_interval, print_image=print_image)
    return Done(message="The settings of Cookbook are changed.")


@writes("Index recipes again", scopes="cookbook:write", destructive=False, idempotent=True)
async def nc_cookbook_reindex(nextcloud: AsUser) -> Done:
    """Make Cookbook read its files again, after recipes were added in another way, such as WebDAV."""
    await api.reindex(nextcloud)
    return Done(message="All recipes are read again.")


async def cookbook_version(nextcloud: AsUser) -> Version:
    """Return the versions of Cookbook and its API."""
    return await api.version(nextcloud)


async def cookbook_config(nextcloud: AsUser) -> Config:
    """Return the settings of Cookbook."""
    return await api.config(nextcloud)


async def recipe_ids(value: str, nextcloud: AsUser) -> list[str]:
    """Complete a recipe id: return the recipes whose id starts with `value` or whose name contains it."""
    typed = folded(value)
    return [r.id for r in await api.recipes(nextcloud) if r.id.startswith(typed) or typed in folded(r.name)]


def _listed(found: list[RecipeStub], limit: int, cursor: str) -> Recipes:
    recipes, next_cursor = page(found, limit, cursor)
    return Recipes(recipes=recipes, total_count=len(found), next_cursor=next_cursor)


RESOURCES = (
    Resource("cookbook://version", cookbook_version, "Version of Cookbook", scopes="cookbook:read"),
    Resource("cookbook://config", cookbook_config, "Settings of Cookbook", scopes="cookbook:read"),
    Resource(
        "nc://Cookbook/{recipe_id}",
        nc_cookbook_get_recipe,
        "A recipe",
        scopes="cookbook:read",
        complete={"recipe_id": recipe_ids},
    ),
)
