"""`apps.cookbook.tools`: the tools for Nextcloud Cookbook, called through MCP."""

import json
from typing import Any, Final

import pytest

from tests.support.cookbook import COOKBOOK, recipe, stub
from tests.support.issuer import answer
from tests.support.server import Server

RECIPES: Final = f"{COOKBOOK}/recipes"
RECIPE: Final = f"{RECIPES}/239"
NAMES: Final = {
    "description": "recipe's text",
    "ingredients": ["2 eggs"],
    "instructions": ["Fry."],
    "url": "https://example.org/p",
    "prep_time": "PT1M",
    "cook_time": "PT2M",
    "total_time": "PT3M",
    "recipe_yield": 4,
    "category": "Dessert",
    "keywords": "a,b",
}
BY_SCHEMA: Final = {
    "description": "recipe's text",
    "recipeIngredient": ["2 eggs"],
    "recipeInstructions": ["Fry."],
    "url": "https://example.org/p",
    "prepTime": "PT1M",
    "cookTime": "PT2M",
    "totalTime": "PT3M",
    "recipeYield": 4,
    "recipeCategory": "Dessert",
    "keywords": "a,b",
}


async def test_creates_a_recipe(server: Server) -> None:
    """Each argument becomes the field of schema.org."""
    server.nextcloud.on("POST", RECIPES, answer(json=239))
    assert (await server.use("nc_cookbook_create_recipe", {"name": "Pancakes"} | NAMES))["id"] == 239
    assert json.loads(server.nextcloud.requests[-1].content) == {"@type": "Recipe", "name": "Pancakes"} | BY_SCHEMA


async def test_updates_a_recipe(server: Server) -> None:
    """Omitted fields stay unchanged."""
    server.nextcloud.on("GET", RECIPE, answer(json=recipe(author="Ann")))
    server.nextcloud.on("PUT", RECIPE, answer(json=239))
    assert (await server.use("nc_cookbook_update_recipe", {"recipe_id": 239} | NAMES))["id"] == 239
    body = json.loads(server.nextcloud.requests[-1].content)
    assert body.items() >= (BY_SCHEMA | {"id": "239", "name": "Pancakes", "author": "Ann", "tool": ["Pan"]}).items()


async def test_reads_a_recipe(server: Server) -> None:
    """The tool and the resource return schema.org's names and all other fields."""
    server.nextcloud.on("GET", RECIPE, answer(json=recipe(author="Ann")))
    read = await server.use("nc_cookbook_get_recipe", {"recipe_id": 239})
    assert (read["@type"], read["recipeIngredient"], read["author"]) == ("Recipe", ["2 eggs"], "Ann")
    assert json.loads((await server.contents("nc://Cookbook/239"))["text"]) == read


async def test_deletes_a_recipe(server: Server) -> None:
    """The result names the deleted recipe."""
    server.nextcloud.on("GET", RECIPE, answer(json=recipe()))
    server.nextcloud.on("DELETE", RECIPE, answer(json="Recipe 239 deleted successfully"))
    result = await server.use("nc_cookbook_delete_recipe", {"recipe_id": 239})
    assert (result["deleted_id"], result["status_code"]) == (239, 200)


async def test_imports_a_recipe(server: Server) -> None:
    """The result has the recipe and its id."""
    server.nextcloud.on("POST", f"{COOKBOOK}/import", answer(json=recipe()))
    result = await server.use("nc_cookbook_import_recipe", {"url": "https://example.org/p"})
    assert (result["recipe_id"], result["recipe"]["name"]) == ("239", "Pancakes")


@pytest.mark.parametrize(
    ("tool", "arguments", "path", "count"),
    [
        ("nc_cookbook_list_recipes", {}, "/recipes", "total_count"),
        ("nc_cookbook_search_recipes", {"query": "pan"}, "/search/pan", "total_found"),
        ("nc_cookbook_get_recipes_in_category", {"category": "Dessert"}, "/category/Dessert", "total_count"),
        ("nc_cookbook_get_recipes_with_keywords", {"keywords": ["sweet"]}, "/recipes", "total_count"),
    ],
)
async def test_lists_come_in_pages(server: Server, tool: str, arguments: dict[str, Any], path: str, count: str) -> None:
    """A page has a hundred entries and the total, and stays small."""
    server.nextcloud.on("GET", COOKBOOK + path, answer(json=[stub(recipe_id=n, id=str(n)) for n in range(150)]))
    first = await server.use(tool, arguments)
    rest = await server.use(tool, arguments | {"cursor": first["next_cursor"]})
    assert [each["recipe_id"] for each in first["recipes"] + rest["recipes"]] == list(range(150))
    assert (first[count], rest[count], rest["next_cursor"]) == (150, 150, None)
    assert len(json.dumps(first)) < 50_000


@pytest.mark.parametrize("what", ["categories", "keywords"])
async def test_lists_keywords_and_categories_with_counts(server: Server, what: str) -> None:
    """Each name comes with its number of recipes."""
    server.nextcloud.on("GET", f"{COOKBOOK}/{what}", answer(json=[{"name": "Dessert", "recipe_count": 2}]))
    result = await server.use(f"nc_cookbook_list_{what}")
    assert result[what] == [{"name": "Dessert", "recipe_count": 2}]


async def test_settings_and_reindexing(server: Server) -> None:
    """The tool changes settings, the resource reads them, and reindexing is one request."""
    settings = {"folder": "/Recipes", "update_interval": 5, "print_image": True, "visibleInfoBlocks": {"tools": True}}
    server.nextcloud.on("POST", f"{COOKBOOK}/config", answer(json="OK"))
    server.nextcloud.on("GET", f"{COOKBOOK}/config", answer(json=settings))
    server.nextcloud.on("POST", f"{COOKBOOK}/reindex", answer(json="Search index rebuilt successfully"))
    assert (await server.use("nc_cookbook_set_config", {"print_image": True}))["status_code"] == 200
    assert json.loads(server.nextcloud.requests[-1].content) == {"print_image": True}
    assert (await server.use("nc_cookbook_reindex"))["success"] is True
    assert json.loads((await server.contents("cookbook://config"))["text"]) == settings


async def test_returns_app_and_api_version(server: Server) -> None:
    """The result has the versions of the app and of its API."""
    version = {"cookbook_version": [0, 11, 9], "api_version": {"epoch": 0, "major": 1, "minor": 2}}
    server.nextcloud.on("GET", COOKBOOK.removesuffix("/v1") + "/version", answer(json=version))
    assert json.loads((await server.contents("cookbook://version"))["text"]) == version


@pytest.mark.parametrize(("typed", "proposed"), [("", ["239", "7"]), ("2", ["239"]), ("TOAST", ["7"]), ("x", [])])
async def test_recipe_id_is_completed(server: Server, typed: str, proposed: list[str]) -> None:
    """Completion matches the start of the id or the name."""
    server.nextcloud.on("GET", RECIPES, answer(json=[stub(), stub(id="7", recipe_id=7, name="Toast")]))
    assert await server.completions("nc://Cookbook/{recipe_id}", "recipe_id", typed) == proposed


async def test_recipes_and_categories_are_found_by_name(server: Server) -> None:
    """Names match in any case if unique; otherwise the error lists the candidates."""
    server.nextcloud.on("GET", f"{COOKBOOK}/recipes", answer(json=[stub()]))
    server.nextcloud.on("GET", f"{COOKBOOK}/recipes/239", answer(json=recipe()))
    assert (await server.use("nc_cookbook_get_recipe", {"recipe_id": "pancakes"}))["id"] == "239"
    said = await server.misuse("nc_cookbook_delete_recipe", {"recipe_id": "Waffles"})
    assert said == "No recipe 'Waffles': choose from 239 (Pancakes)."

    known = [{"name": "Dessert", "recipe_count": "1"}, {"name": "*", "recipe_count": "2"}]
    server.nextcloud.on("GET", f"{COOKBOOK}/categories", answer(json=known))
    server.nextcloud.on("GET", f"{COOKBOOK}/category/dessert", answer(json=[]))
    server.nextcloud.on("GET", f"{COOKBOOK}/category/Soup", answer(json=[]))
    server.nextcloud.on("GET", f"{COOKBOOK}/category/Dessert", answer(json=[stub()]))
    assert (await server.use("nc_cookbook_get_recipes_in_category", {"category": "dessert"}))["total_count"] == 1
    said = await server.misuse("nc_cookbook_get_recipes_in_category", {"category": "Soup"})
    assert said == "No category 'Soup': choose from Dessert."


@pytest.mark.parametrize(
    ("stored", "given", "sent"),
    [
        pytest.param(4, 6, 6, id="a number"),
        pytest.param(4, "6", 6, id="a number as text"),
        pytest.param(4, 6.0, 6, id="a whole number with a point"),
        pytest.param("4 people", "4 people", "4 people", id="words that the recipe has"),
        pytest.param("4 people", 6, 6, id="a number in place of words"),
        pytest.param(None, "", None, id="none, as reading shows it"),
        pytest.param(4, "null", 4, id="no value"),
    ],
)
async def test_servings_accept_numbers_as_text(server: Server, stored: Any, given: Any, sent: Any) -> None:
    """The value that reading returns can be written back, and a number may be text."""
    server.nextcloud.on("GET", RECIPE, answer(json=recipe(recipeYield=stored)))
    server.nextcloud.on("PUT", RECIPE, answer(json=239))
    await server.use("nc_cookbook_update_recipe", {"recipe_id": 239, "name": "Soup", "recipe_yield": given})
    assert json.loads(server.nextcloud.requests[-1].content)["recipeYield"] == sent


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            "4 jars of 250 ml",
            "Invalid recipe_yield '4 jars of 250 ml': pass a whole number; Cookbook keeps no words, which can stand",
        ),
        ("4.5", "Invalid recipe_yield '4.5': pass a whole number"),
        (4.5, "Invalid recipe_yield 4.5: pass a whole number."),
        (True, "Invalid recipe_yield true: pass a whole number."),
        ([4], "Invalid recipe_yield, which is a list: pass a whole number."),
    ],
)
async def test_servings_with_words_are_refused(server: Server, given: Any, sentence: str) -> None:
    """Cookbook would keep some number, or 1, and drop the words."""
    tools: dict[str, dict[str, Any]] = {
        "nc_cookbook_create_recipe": {"name": "Jam"},
        "nc_cookbook_update_recipe": {"recipe_id": 239},
    }
    for tool, which in tools.items():
        server.nextcloud.on("GET", RECIPE, answer(json=recipe()))
        said = await server.misuse(tool, {**which, "recipe_yield": given})
        assert said.startswith(sentence), said
