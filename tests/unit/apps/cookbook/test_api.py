"""`apps.cookbook.api`: Nextcloud Cookbook, REST API v1."""

import json
from typing import Any, Final

import pytest

from nextcloud_mcp.apps.cookbook import api as cookbook
from nextcloud_mcp.errors import (
    ConflictError,
    ForbiddenError,
    InvalidArgumentError,
    NextcloudUnavailableError,
    NotFoundError,
)
from nextcloud_mcp.nextcloud.client import Nextcloud
from tests.support.cookbook import COOKBOOK, recipe, stub
from tests.support.issuer import answer
from tests.support.nextcloud import FILES, FakeNextcloud, dav_file, dav_folder, dav_shared, propfind

RECIPES: Final = f"{COOKBOOK}/recipes"


def sent(fake: FakeNextcloud) -> Any:
    """Return the body of the last request."""
    return json.loads(fake.requests[-1].content)


async def test_reads_a_recipe(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Unknown fields are returned as well."""
    fake.on("GET", f"{RECIPES}/239", answer(json=recipe(author={"name": "Ann"})))
    read = await cookbook.recipe(nextcloud, 239)
    assert (read.name, read.recipe_ingredient, read.prep_time) == ("Pancakes", ["2 eggs"], "PT0H10M0S")
    assert read.model_dump(by_alias=True)["author"] == {"name": "Ann"}


@pytest.mark.parametrize(
    ("fields", "name", "expected"),
    [
        pytest.param({"recipeYield": None}, "recipe_yield", "", id="no yield"),
        pytest.param({"recipeYield": "4 people"}, "recipe_yield", "4 people", id="yield in words"),
        pytest.param({"nutrition": []}, "nutrition", None, id="no nutrition, as PHP writes it"),
        pytest.param(
            {"nutrition": {"calories": 5}}, "nutrition", cookbook.Nutrition(calories="5"), id="a number of calories"
        ),
    ],
)
async def test_reads_recipes_of_other_programs(
    nextcloud: Nextcloud, fake: FakeNextcloud, fields: dict[str, Any], name: str, expected: object
) -> None:
    """Recipes from files of other programs are read as well."""
    fake.on("GET", f"{RECIPES}/239", answer(json=recipe(**fields)))
    assert getattr(await cookbook.recipe(nextcloud, 239), name) == expected


async def test_creates_a_recipe(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """None values are not sent, so that Cookbook's defaults apply."""
    fake.on("POST", RECIPES, answer(json=239))
    assert await cookbook.create(nextcloud, "Toast", {"url": None, "prepTime": "PT5M", "cookTime": ""}) == 239
    assert sent(fake) == {"@type": "Recipe", "name": "Toast", "prepTime": "PT5M", "cookTime": None}


async def test_update_preserves_other_fields(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Cookbook replaces the whole recipe: all fields are sent back, except those added for readers."""
    before = recipe(author={"name": "Ann"}, image="https://example.org/p.jpg")
    fake.on("GET", f"{RECIPES}/239", answer(json=before))
    fake.on("PUT", f"{RECIPES}/239", answer(json=239))
    assert await cookbook.update(nextcloud, 239, {"description": "Thin", "name": None, "recipeIngredient": []}) == 239
    kept = {name: value for name, value in before.items() if name not in {"imageUrl", "printImage"}}
    assert sent(fake) == kept | {"description": "Thin", "recipeIngredient": []}


async def test_missing_recipe_is_not_written_or_deleted(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Cookbook would fail on the update, and would report the deletion of any id as a success."""
    fake.on("GET", f"{RECIPES}/1", answer(404, json=1))
    with pytest.raises(NotFoundError, match="did not find recipe 1"):
        await cookbook.update(nextcloud, 1, {"name": "x"})
    with pytest.raises(NotFoundError, match="did not find recipe 1"):
        await cookbook.delete(nextcloud, 1)
    assert fake.asked() == [f"GET {RECIPES}/1"] * 2


async def test_deletes_a_recipe(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The recipe is read, then deleted."""
    fake.on("GET", f"{RECIPES}/239", answer(json=recipe()))
    fake.on("DELETE", f"{RECIPES}/239", answer(json="Recipe 239 deleted successfully"))
    await cookbook.delete(nextcloud, 239)
    assert fake.asked("DELETE") == [f"DELETE {RECIPES}/239"]


@pytest.mark.parametrize("name", ["", "  "])
async def test_recipe_requires_a_name(nextcloud: Nextcloud, fake: FakeNextcloud, name: str) -> None:
    """Without a name no request is sent."""
    with pytest.raises(InvalidArgumentError, match=r"^name must not be empty"):
        await cookbook.create(nextcloud, name, {})
    assert fake.requests == []


async def test_used_name_is_conflict(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The error says what to do."""
    fake.on("POST", RECIPES, answer(409, json={"msg": "Another recipe with that name already exists"}))
    with pytest.raises(ConflictError, match=r"^'Toast' has the name of a recipe that is there"):
        await cookbook.create(nextcloud, "Toast", {})


@pytest.mark.parametrize(
    ("duration", "stored"),
    [
        ("PT1H30M", "PT1H30M"),
        ("PT0S", "PT0S"),
        ("PT90M", "PT90M"),
        ("", None),
        ("P1DT12H", "PT36H0M0S"),
        ("P2D", "PT48H0M0S"),
        ("P1WT5M", "PT168H5M0S"),
    ],
)
async def test_iso_8601_durations_are_accepted(
    nextcloud: Nextcloud, fake: FakeNextcloud, duration: str, stored: str | None
) -> None:
    """Days and weeks are sent as hours, since Cookbook drops them; an empty text means no duration."""
    fake.on("POST", RECIPES, answer(json=239))
    await cookbook.create(nextcloud, "Toast", {"totalTime": duration})
    assert sent(fake)["totalTime"] == stored


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"description": "bake at <200 degrees"}, "Invalid description: Cookbook would not keep '<'"),
        ({"recipeIngredient": ["salt", "<b>flour</b>"]}, "Invalid ingredients: Cookbook would not keep '<'"),
        ({"recipeInstructions": ["a\\b"]}, "Invalid instructions"),
        ({"keywords": "fish &amp; chips"}, "Invalid keywords: Cookbook would not keep '&amp;'"),
        ({"recipeCategory": "a/b"}, "Invalid category: Cookbook writes '_' in place of '/'"),
        ({"url": "example.org/soup"}, "Invalid url 'example.org/soup': write an http or https address"),
        ({"url": "https://a_b.example.org"}, "Invalid url"),
        ({"url": "javascript:alert(1)"}, "Invalid url"),
        ({"name": "n" * 257}, "name is too long: Cookbook keeps 256 bytes of it"),
    ],
)
async def test_text_that_cookbook_drops_is_refused(
    nextcloud: Nextcloud, fake: FakeNextcloud, fields: dict[str, Any], complaint: str
) -> None:
    """Cookbook silently drops or changes such texts: the error says which and why, and nothing is written."""
    fake.on("GET", f"{RECIPES}/239", answer(json=recipe()))
    for write in (cookbook.create(nextcloud, "Toast", fields), cookbook.update(nextcloud, 239, fields)):
        with pytest.raises(InvalidArgumentError) as refused:
            await write
        assert complaint in str(refused.value)
    assert fake.asked("POST") + fake.asked("PUT") == []


async def test_unchanged_invalid_values_do_not_block_update(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Values of other programs that Cookbook would not accept don't prevent another change."""
    odd = {"description": "<b>Thin</b>", "cookTime": "30 min", "recipeCategory": "A/B", "url": "http://münchen.de/ü"}
    fake.on("GET", f"{RECIPES}/239", answer(json=recipe(**odd)))
    fake.on("PUT", f"{RECIPES}/239", answer(json=239))
    await cookbook.update(nextcloud, 239, {**odd, "keywords": "new"})
    assert sent(fake).items() >= {**odd, "keywords": "new"}.items()


@pytest.mark.parametrize("text", ["Fish & chips", "5 < 6 > 3", "100 %", "a; b"])
async def test_text_that_cookbook_keeps_is_sent_unchanged(nextcloud: Nextcloud, fake: FakeNextcloud, text: str) -> None:
    """Text that Cookbook keeps is sent unchanged."""
    fake.on("POST", RECIPES, answer(json=239))
    await cookbook.create(nextcloud, text, {"description": text, "url": "https://\u00fc.de/\u00e4 b"})
    assert (sent(fake)["name"], sent(fake)["description"]) == (text, text)
    assert sent(fake)["url"] == "https://xn--tda.de/%C3%A4%20b", "Cookbook takes out what is not ASCII"


@pytest.mark.parametrize("duration", ["PT1.5S", "PT1.5H", "10 min", "90", "P", "PT", "PT1H30", "1:30", "P1DT"])
@pytest.mark.parametrize(
    ("field", "argument"), [("prepTime", "prep_time"), ("cookTime", "cook_time"), ("totalTime", "total_time")]
)
async def test_invalid_duration_is_refused(
    nextcloud: Nextcloud, fake: FakeNextcloud, field: str, argument: str, duration: str
) -> None:
    """Cookbook would silently drop it."""
    with pytest.raises(InvalidArgumentError, match=f"^Invalid {argument} '{duration}': pass a duration in ISO 8601"):
        await cookbook.create(nextcloud, "Toast", {field: duration})
    assert fake.requests == []


@pytest.mark.parametrize(
    ("keywords", "found"),
    [
        pytest.param(["sweet"], [1, 2], id="one"),
        pytest.param(["Sweet ", "FAST"], [1], id="both, in another case"),
        pytest.param(["swe"], [], id="half a keyword"),
        pytest.param([" "], [1, 2, 3], id="none"),
    ],
)
async def test_recipes_by_keyword_match_all_whole_keywords(
    nextcloud: Nextcloud, fake: FakeNextcloud, keywords: list[str], found: list[int]
) -> None:
    """Every whole keyword must match; Cookbook's own filter finds nothing."""
    listed = [
        stub(recipe_id=1, keywords="fast,sweet"),
        stub(recipe_id=2, keywords="sweet"),
        stub(recipe_id=3, keywords=None),
    ]
    fake.on("GET", RECIPES, answer(json=listed))
    assert [each.recipe_id for each in await cookbook.with_keywords(nextcloud, keywords)] == found


@pytest.mark.parametrize(
    ("category", "path"),
    [
        ("C++ 50%", "C%252B%252B%252050%2525"),
        ("a/b", "a%252Fb"),
        ("*", "_"),
        ("", "_"),
        ("süß", "s%25C3%25BC%25C3%259F"),
    ],
)
async def test_recipes_by_category_encode_name_twice(
    nextcloud: Nextcloud, fake: FakeNextcloud, category: str, path: str
) -> None:
    """Cookbook decodes names twice, so they are encoded twice; `*` and "" mean no category."""
    fake.on("GET", f"{COOKBOOK}/category/{path}", answer(json=[stub()]))
    assert len(await cookbook.in_category(nextcloud, category)) == 1


@pytest.mark.parametrize(("query", "path"), [("a b/c", "/search/a%2520b%252Fc"), ("  ", "/recipes"), ("", "/recipes")])
async def test_search_with_empty_query_finds_all(
    nextcloud: Nextcloud, fake: FakeNextcloud, query: str, path: str
) -> None:
    """An empty query finds all recipes."""
    fake.on("GET", COOKBOOK + path, answer(json=[stub()]))
    assert len(await cookbook.search(nextcloud, query)) == 1


async def test_import_returns_recipe_or_plain_error(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The import returns the recipe; an existing or unreachable one is an error in plain words."""
    fake.on(
        "POST",
        f"{COOKBOOK}/import",
        answer(json=recipe(nutrition=[])),
        answer(409, json={"msg": "…"}),
        answer(400, json="Exception: <html>private</html>"),
    )
    assert (await cookbook.import_recipe(nextcloud, "https://example.org/p")).id == "239"
    with pytest.raises(ConflictError, match=r"^The recipe at https://example.org/p has the name of a recipe"):
        await cookbook.import_recipe(nextcloud, "https://example.org/p")
    with pytest.raises(InvalidArgumentError, match=r"^Cookbook got no recipe from url: ") as refused:
        await cookbook.import_recipe(nextcloud, "https://example.org/p")
    assert "private" not in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "body"),
    [
        pytest.param({"folder": "Cooking/New/"}, {"folder": "/Cooking/New"}, id="folder"),
        pytest.param({"update_interval": 1}, {"update_interval": 1}, id="interval"),
        pytest.param({"print_image": False}, {"print_image": False}, id="no picture"),
    ],
)
async def test_changes_settings(
    nextcloud: Nextcloud, fake: FakeNextcloud, settings: dict[str, Any], body: dict[str, Any]
) -> None:
    """Only the passed settings are sent."""
    fake.on("POST", f"{COOKBOOK}/config", answer(json="OK"))
    none = {"folder": None, "update_interval": None, "print_image": None}
    await cookbook.set_config(nextcloud, **(none | settings))
    assert sent(fake) == body


@pytest.mark.parametrize(
    ("settings", "argument"),
    [
        pytest.param({"folder": "/../x"}, "folder", id="out of the user's files"),
        pytest.param({"folder": "/a/./b"}, "folder", id="a dot"),
        pytest.param({"folder": "/"}, "folder", id="the root"),
        pytest.param({"folder": ""}, "folder", id="empty"),
        pytest.param({"update_interval": 0}, "update_interval", id="all the time"),
    ],
)
async def test_invalid_settings_are_refused(
    nextcloud: Nextcloud, fake: FakeNextcloud, settings: dict[str, Any], argument: str
) -> None:
    """Cookbook would store such a folder and then fail; such an interval it would ignore."""
    with pytest.raises(InvalidArgumentError, match=f"^Invalid {argument} "):
        await cookbook.set_config(
            nextcloud, **({"folder": None, "update_interval": None, "print_image": None} | settings)
        )
    assert fake.requests == []


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        pytest.param({"folder": "/a\\b"}, r"^Invalid folder '/a\\\\b': Nextcloud does not allow", id="a backslash"),
        pytest.param({"folder": "/a\nb"}, r"^Invalid folder '/a\\nb': Nextcloud does not allow", id="a line break"),
    ],
)
async def test_settings_without_effect_are_refused(
    nextcloud: Nextcloud, fake: FakeNextcloud, settings: dict[str, Any], sentence: str
) -> None:
    """Cookbook answers "OK" to each of them."""
    with pytest.raises(InvalidArgumentError, match=sentence):
        await cookbook.set_config(
            nextcloud, **({"folder": None, "update_interval": None, "print_image": None} | settings)
        )
    assert fake.requests == []


async def test_malformed_response_is_outage(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """A recipe id that is no number is an outage."""
    fake.on("POST", RECIPES, answer(json={"id": 7}))
    with pytest.raises(NextcloudUnavailableError):
        await cookbook.create(nextcloud, "Toast", {})


FOLDERS: Final = {
    "read-only": (dav_shared("SGDN", bits=1, is_root=True), True, "You may only read /R, which belongs to Bob"),
    "a file": ("", False, "which is a file"),
}


@pytest.mark.parametrize(("more", "is_folder", "cause"), FOLDERS.values(), ids=FOLDERS.keys())
async def test_unusable_folder_is_named(
    nextcloud: Nextcloud, fake: FakeNextcloud, more: str, cause: str, *, is_folder: bool
) -> None:
    """Cookbook answers HTTP 500, even to reading a recipe."""
    fake.on("GET", f"{RECIPES}/239", answer(500))
    fake.on("GET", f"{COOKBOOK}/config", answer(json={"folder": "/R"}))
    there = (dav_folder if is_folder else dav_file)(f"{FILES}/R", more=more)
    fake.on("PROPFIND", f"{FILES}/R", propfind(there))
    with pytest.raises((ForbiddenError, ConflictError)) as refused:
        await cookbook.recipe(nextcloud, 239)
    assert str(refused.value).startswith("Cookbook can't use its folder '/R'")
    assert cause in str(refused.value)
    assert str(refused.value).endswith(": set another folder with nc_cookbook_set_config.")


@pytest.mark.parametrize("status", [207, 503])
async def test_other_failure_keeps_its_error(nextcloud: Nextcloud, fake: FakeNextcloud, status: int) -> None:
    """The folder is not blamed if nothing speaks against it."""
    fake.on("GET", f"{RECIPES}/239", answer(500))
    fake.on("GET", f"{COOKBOOK}/config", answer(json={"folder": "/R"}))
    fake.on("PROPFIND", f"{FILES}/R", propfind(dav_folder(f"{FILES}/R/")) if status == 207 else answer(status))
    with pytest.raises(NextcloudUnavailableError, match="HTTP 500 at recipe 239"):
        await cookbook.recipe(nextcloud, 239)
