"""{% icon "trash" %}: an icon as part of the template it stands in.

{% include %} looks the same file up and draws it each time. In a table of half a hundred rows with ten icons each that takes
longer than the rest of the page.
"""

from __future__ import annotations

from django import template
from django.template.base import Parser, TextNode, Token
from django.template.loader import get_template

register = template.Library()


@register.tag
def icon(parser: Parser, token: Token) -> TextNode:
    """Takes the name of a file in templates/components/icons, in quotes. Raises TemplateDoesNotExist where there is none."""
    _, name = token.split_contents()
    return TextNode(get_template(f"components/icons/{name[1:-1]}.html").render().strip())
