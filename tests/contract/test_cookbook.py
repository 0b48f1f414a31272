"""Cookbook: https://nextcloud.github.io/cookbook/dev/api/, and undocumented behavior."""

import uuid
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.contract.people import Person
from tests.support.recipe_page import NAME, RecipePage

API = "/index.php/apps/cookbook/api/v1"
RECIPES = f"{API}/recipes"
STUB_FIELDS = {
    *("recipe_id", "id", "name", "keywords", "category", "dateCreated", "dateModified", "imageUrl"),
    "imagePlaceholderUrl",
}
MISSING = 999999999


@pytest.fixture
async def word(alice: Person) -> AsyncIterator[str]:
    """A word that is in no recipe; those that have it in their names go after the test."""
    word = f"contract{uuid.uuid4().hex[:8]}"
    yield word
    for recipe in (await alice.http.get(RECIPES)).json():
        if word in recipe["name"]:
            await alice.http.delete(f"{RECIPES}/{recipe['recipe_id']}")


async def test_create_returns_the_id_as_a_number(alice: Person, word: str) -> None:
    """The response is a number, and the other fields of the recipe have defaults."""
    answer = await alice.http.post(RECIPES, json={"name": word})
    assert (answer.status_code, type(answer.json())) == (200, int)
    recipe = (await alice.http.get(f"{RECIPES}/{answer.json()}")).json()
    assert (recipe["id"], recipe["name"], recipe["@type"]) == (str(answer.json()), word, "Recipe")
    assert (recipe["description"], recipe["keywords"], recipe["recipeCategory"], recipe["url"]) == ("", "", "", "")
    assert (recipe["recipeYield"], recipe["prepTime"], recipe["tool"]) == (None, None, [])
    assert recipe["nutrition"] == {"@type": "NutritionInformation"}


async def test_unknown_recipe_fields_are_stored(alice: Person, word: str) -> None:
    """Unknown fields are stored and returned."""
    number = await _create(alice, word, customField="kept", recipeIngredient=["2 eggs"], recipeInstructions=["Fry."])
    recipe = (await alice.http.get(f"{RECIPES}/{number}")).json()
    assert (recipe["customField"], recipe["recipeIngredient"]) == ("kept", ["2 eggs"])
    assert recipe["recipeInstructions"] == ["Fry."]


async def test_durations_are_normalized_or_dropped(alice: Person, word: str) -> None:
    """Durations are returned in hours, minutes and seconds; invalid ones are dropped without an error."""
    number = await _create(alice, word, prepTime="10 min", cookTime="PT90M", totalTime="PT2H")
    recipe = (await alice.http.get(f"{RECIPES}/{number}")).json()
    assert (recipe["prepTime"], recipe["cookTime"], recipe["totalTime"]) == (None, "PT1H30M0S", "PT2H0M0S")


async def test_recipe_name_is_required_and_unique(alice: Person, word: str) -> None:
    """A missing name gets 422; a taken name gets 409, also in an update."""
    first, second = await _create(alice, word), await _create(alice, f"{word} 2")
    nameless = await alice.http.post(RECIPES, json={"description": "x"})
    twin = await alice.http.post(RECIPES, json={"name": word})
    renamed = await alice.http.put(f"{RECIPES}/{second}", json={"id": str(second), "name": word})
    assert (nameless.status_code, twin.status_code, renamed.status_code) == (422, 409, 409)
    assert (await alice.http.get(f"{RECIPES}/{first}")).status_code == 200


async def test_update_replaces_the_whole_recipe(alice: Person, word: str) -> None:
    """Omitted fields are removed, even the creation date."""
    number = await _create(alice, word, recipeIngredient=["2 eggs"], keywords="fast")
    changed = await alice.http.put(f"{RECIPES}/{number}", json={"id": str(number), "name": f"{word} b"})
    assert (changed.status_code, changed.json()) == (200, number)
    recipe = (await alice.http.get(f"{RECIPES}/{number}")).json()
    assert (recipe["name"], recipe["recipeIngredient"], recipe["keywords"]) == (f"{word} b", [], "")


async def test_read_recipe_can_be_sent_back(alice: Person, word: str) -> None:
    """A recipe can be sent as it was read; everything but the modification date stays the same."""
    number = await _create(alice, word, recipeIngredient=["2 eggs"], prepTime="PT10M", nutrition={"calories": "1 kcal"})
    recipe = (await alice.http.get(f"{RECIPES}/{number}")).json()
    assert (await alice.http.put(f"{RECIPES}/{number}", json=recipe)).status_code == 200
    again = (await alice.http.get(f"{RECIPES}/{number}")).json()
    assert again | {"dateModified": None} == recipe | {"dateModified": None}


async def test_update_uses_the_id_in_the_body(alice: Person, word: str) -> None:
    """The id in the path is ignored; without an id in the body, the update would create a recipe."""
    number = await _create(alice, word)
    elsewhere = await alice.http.put(f"{RECIPES}/{MISSING}", json={"id": str(number), "name": word, "description": "x"})
    idless = await alice.http.put(f"{RECIPES}/{number}", json={"name": word})
    nowhere = await alice.http.put(f"{RECIPES}/{MISSING}", json={"id": str(MISSING), "name": f"{word} 2"})
    assert (elsewhere.status_code, elsewhere.json()) == (200, number)
    assert (idless.status_code, nowhere.status_code) == (409, 500)


async def test_missing_recipe_is_404(alice: Person, bob: Person, word: str) -> None:
    """A recipe that does not exist, or that belongs to another user, gets 404."""
    number = await _create(alice, word)
    assert (await alice.http.get(f"{RECIPES}/{MISSING}")).status_code == 404
    assert (await bob.http.get(f"{RECIPES}/{number}")).status_code == 404


async def test_delete_always_returns_200(alice: Person, word: str) -> None:
    """DELETE gets 200 even for a missing recipe, so clients must check first."""
    number = await _create(alice, word)
    for _ in (1, 2):
        answer = await alice.http.delete(f"{RECIPES}/{number}")
        assert (answer.status_code, answer.json()) == (200, f"Recipe {number} deleted successfully")
    assert (await alice.http.get(f"{RECIPES}/{number}")).status_code == 404


async def test_list_has_names_keywords_and_categories(alice: Person, word: str) -> None:
    """The list has recipes with name, keywords and category."""
    later = await _create(alice, f"{word} b", keywords="sweet,fast", recipeCategory=word)
    earlier = await _create(alice, f"{word} a")
    listed = [each for each in (await alice.http.get(RECIPES)).json() if word in each["name"]]
    assert [each["recipe_id"] for each in listed] == [earlier, later]
    assert all(each.keys() >= STUB_FIELDS for each in listed)
    assert (listed[0]["keywords"], listed[0]["category"], listed[0]["id"]) == (None, None, str(earlier))
    assert (set(listed[1]["keywords"].split(",")), listed[1]["category"]) == ({"sweet", "fast"}, word)


@pytest.mark.parametrize("name", ["plain", "C++ & 50%", "süß", "a b"])
async def test_category_in_path_is_decoded_twice(alice: Person, word: str, name: str) -> None:
    """Cookbook decodes a category in the path twice, so clients encode it twice."""
    category = f"{word} {name}"
    number = await _create(alice, word, recipeCategory=category)
    listed = (await alice.http.get(f"{API}/category/{_twice(category)}")).json()
    assert [each["recipe_id"] for each in listed] == [number]
    counted = {each["name"]: each["recipe_count"] for each in (await alice.http.get(f"{API}/categories")).json()}
    assert counted[category] == 1


async def test_slash_in_category_becomes_underscore(alice: Person, word: str) -> None:
    """A slash in a category is stored as an underscore."""
    number = await _create(alice, word, recipeCategory="a/b")
    assert (await alice.http.get(f"{RECIPES}/{number}")).json()["recipeCategory"] == "a_b"


async def test_recipes_without_category(alice: Person, word: str) -> None:
    """They are `*` in the list of categories, and `_` in a path."""
    number = await _create(alice, word)
    listed = (await alice.http.get(f"{API}/category/_")).json()
    assert number in {each["recipe_id"] for each in listed}
    counted = {each["name"]: each["recipe_count"] for each in (await alice.http.get(f"{API}/categories")).json()}
    assert counted["*"] == len(listed)
    assert (await alice.http.get(f"{API}/category/*")).json() == []


async def test_search_matches_any_word(alice: Person, word: str) -> None:
    """A search matches any word in the name, category or keywords, in any case; the query is encoded twice."""
    number = await _create(alice, word, keywords=f"k{word}", recipeCategory=f"c{word}")
    for query in (word.upper(), f"k{word}", f"nowhere-at-all,{word}", f"nowhere-at-all c{word}", word[3:]):
        found = (await alice.http.get(f"{API}/search/{_twice(query)}")).json()
        assert [each["recipe_id"] for each in found] == [number], query
    assert (await alice.http.get(f"{API}/search/nowhere-at-all")).json() == []


async def test_keywords_are_listed_but_not_searchable(alice: Person, word: str) -> None:
    """Cookbook lists keywords with counts but filters no recipes by keyword, so clients filter the list."""
    await _create(alice, word, keywords=f"{word}, fast")
    counted = {each["name"]: each["recipe_count"] for each in (await alice.http.get(f"{API}/keywords")).json()}
    assert counted[word] == 1
    assert (await alice.http.get(f"{API}/tags/{word}")).json() == []


async def test_import_returns_the_recipe(alice: Person, recipe_page: RecipePage) -> None:
    """Cookbook fetches the page and returns the recipe; a second import gets 409."""
    async with recipe_page() as url:
        imported = await alice.http.post(f"{API}/import", json={"url": url})
        again = await alice.http.post(f"{API}/import", json={"url": url})
    assert imported.status_code == 200, imported.text
    recipe = imported.json()
    await alice.http.delete(f"{RECIPES}/{recipe['id']}")
    assert (recipe["name"], recipe["recipeIngredient"], recipe["nutrition"]) == (NAME, ["1 l water", "salt"], [])
    assert again.status_code == 409


@pytest.mark.parametrize(
    "url",
    ["http://localhost:1/r", "http://127.0.0.1:1/r", "http://192.0.2.1/r", "nonsense", "http://nosuch.invalid/r", ""],
)
async def test_import_from_unreachable_address_is_400(alice: Person, url: str) -> None:
    """IP addresses of this machine and unknown host names get 400."""
    assert (await alice.http.post(f"{API}/import", json={"url": url})).status_code == 400


async def test_settings_change_only_the_sent_fields(alice: Person) -> None:
    """A change of the settings affects only the fields that were sent."""
    before = (await alice.http.get(f"{API}/config")).json()
    changed = await alice.http.post(f"{API}/config", json={"update_interval": 42})
    after = (await alice.http.get(f"{API}/config")).json()
    await alice.http.post(f"{API}/config", json={"update_interval": before["update_interval"]})
    assert (changed.status_code, changed.json()) == (200, "OK")
    assert after == before | {"update_interval": 42}
    assert before.keys() >= {"folder", "update_interval", "print_image"}


async def test_reindex_and_version_respond(alice: Person) -> None:
    """The endpoints for reindexing and for the version respond."""
    assert (await alice.http.post(f"{API}/reindex")).json() == "Search index rebuilt successfully"
    version = (await alice.http.get(f"{API.removesuffix('/v1')}/version")).json()
    assert version["api_version"]["major"] == 1
    assert len(version["cookbook_version"]) == 3


async def _create(person: Person, name: str, **fields: Any) -> int:
    answer = await person.http.post(RECIPES, json={"name": name} | fields)
    assert answer.status_code == 200, answer.text
    number: int = answer.json()
    return number


def _twice(name: str) -> str:
    return quote(quote(name, safe=""), safe="")


@pytest.mark.parametrize(
    ("field", "sent", "kept"),
    [
        ("description", "bake at <200 degrees", "bake at"),
        ("description", "5 < 6 & 7 > 3", "5 < 6 & 7 > 3"),
        ("description", "fish &amp; chips", "fish & chips"),
        ("recipeIngredient", ["<b>salt</b>", "a\\b", ""], ["salt", "a_b"]),
        ("prepTime", "P1DT2H", "PT2H0M0S"),
        ("prepTime", "P1W", "PT0H0M0S"),
        ("prepTime", "PT1.5H", None),
        ("url", "example.org/soup", ""),
        ("url", "https://example.org/\u00e4", "https://example.org/"),
        ("url", "https://example.org/%C3%A4", "https://example.org/%C3%A4"),
    ],
)
async def test_unsupported_values_are_dropped_without_an_error(
    alice: Person, word: str, field: str, sent: Any, kept: Any
) -> None:
    """Cookbook drops tags, backslashes, days and non-ASCII characters silently, so clients must check."""
    number = await _create(alice, word, **{field: sent})
    assert (await alice.http.get(f"{RECIPES}/{number}")).json()[field] == kept
