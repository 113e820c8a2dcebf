"""An owner from a script. Safe to repeat: an email that exists is refused and nothing changes."""

import getpass
import os
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email

from connections.actions import teams
from connections.actions.errors import ActionError
from connections.models import User


class Command(BaseCommand):
    help = "Create a user who owns a team (the team is made if it is new). The password comes from OWNER_PASSWORD or is asked for."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument("--team", default="My team", help="The team's name.")

    def handle(self, *args: Any, email: str, team: str, **options: Any) -> None:
        password = os.environ.get("OWNER_PASSWORD") or getpass.getpass("Password: ")
        try:
            validate_email(email)
            validate_password(password, User(email=email))
            membership = teams.create_owner(email=email, password=password, team_name=team)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        except ActionError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{membership.user.email} owns the team {membership.team.name}.")
