"""Responses of Cookbook 0.11 for unit tests; `changes` override the default fields."""

from typing import Any, Final

COOKBOOK: Final = "/index.php/apps/cookbook/api/v1"
_IMAGE: Final = "/index.php/apps/cookbook/webapp/recipes/239/image"


def recipe(**changes: Any) -> dict[str, Any]:
    """Return a recipe."""
    return {
        "@context": "http://schema.org",
        "@type": "Recipe",
        "id": "239",
        "name": "Pancakes",
        "description": "",
        "url": "",
        "image": "",
        "imageUrl": f"{_IMAGE}?size=full",
        "keywords": "sweet,fast",
        "dateCreated": "2026-11-23T15:29:15+00:00",
        "dateModified": "2026-11-23T15:29:15+00:00",
        "datePublished": None,
        "prepTime": "PT0H10M0S",
        "cookTime": None,
        "totalTime": None,
        "recipeYield": 4,
        "recipeCategory": "Dessert",
        "tool": ["Pan"],
        "recipeIngredient": ["2 eggs"],
        "recipeInstructions": ["Mix.", "Fry."],
        "nutrition": {"@type": "NutritionInformation"},
        "printImage": True,
    } | changes


def stub(**changes: Any) -> dict[str, Any]:
    """Return a recipe as in lists."""
    return {
        "recipe_id": 239,
        "id": "239",
        "name": "Pancakes",
        "keywords": "fast,sweet",
        "category": "Dessert",
        "dateCreated": "2026-11-23T15:29:15+0000",
        "dateModified": "2026-11-23T15:29:15+0000",
        "imageUrl": f"{_IMAGE}?size=thumb",
        "imagePlaceholderUrl": f"{_IMAGE}?size=thumb16",
    } | changes
