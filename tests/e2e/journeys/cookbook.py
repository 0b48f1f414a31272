"""Cookbook: import a recipe, create one, find it with every search tool, change it and delete it."""

from typing import Any, Final

from tests.support.old_client import OldClient
from tests.support.recipe_page import NAME

APP: Final = "cookbook"
GLANCE: Final[tuple[str, dict[str, Any]]] = ("nc_cookbook_list_recipes", {})


async def journey(old: OldClient) -> None:
    """Cook."""
    await old.call("nc_cookbook_set_config", {"update_interval": 10})
    assert (await old.resource("cookbook://config"))["update_interval"] == 10
    assert (await old.resource("cookbook://version"))["api_version"]["major"] == 1
    await _import(old)

    word = old.unique.replace("-", "")
    fields = {"name": old.unique, "category": word, "keywords": f"{word},fast", "ingredients": ["2 eggs"]}
    created = await old.call("nc_cookbook_create_recipe", fields | {"instructions": ["Fry."], "prep_time": "PT10M"})
    recipe = {"recipe_id": created["id"]}
    assert (await old.call("nc_cookbook_update_recipe", recipe | {"description": "Thin"}))["id"] == created["id"]
    await _read(old, recipe, word)

    await old.call("nc_cookbook_delete_recipe", recipe)
    await old.call("nc_cookbook_reindex")
    assert old.unique not in {each["name"] for each in (await old.call("nc_cookbook_list_recipes"))["recipes"]}


async def _import(old: OldClient) -> None:
    async with old.recipe_page() as url:
        imported = await old.call("nc_cookbook_import_recipe", {"url": url})
    assert (imported["recipe"]["name"], imported["recipe"]["recipeIngredient"]) == (NAME, ["1 l water", "salt"])
    await old.call("nc_cookbook_delete_recipe", {"recipe_id": int(imported["recipe_id"])})


async def _read(old: OldClient, recipe: dict[str, int], word: str) -> None:
    read = await old.call("nc_cookbook_get_recipe", recipe)
    assert (read["name"], read["description"], read["recipeIngredient"]) == (old.unique, "Thin", ["2 eggs"])
    assert (read["recipeInstructions"], read["prepTime"]) == (["Fry."], "PT0H10M0S")
    assert await old.resource(f"nc://Cookbook/{recipe['recipe_id']}") == read
    for tool, arguments in (
        ("nc_cookbook_list_recipes", {}),
        ("nc_cookbook_search_recipes", {"query": word}),
        ("nc_cookbook_get_recipes_in_category", {"category": word}),
        ("nc_cookbook_get_recipes_with_keywords", {"keywords": [word, "fast"]}),
    ):
        found = (await old.call(tool, arguments))["recipes"]
        assert recipe["recipe_id"] in {each["recipe_id"] for each in found}, tool
    categories = (await old.call("nc_cookbook_list_categories"))["categories"]
    keywords = (await old.call("nc_cookbook_list_keywords"))["keywords"]
    for listed in (categories, keywords):
        assert {"name": word, "recipe_count": 1} in listed
