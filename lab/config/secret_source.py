"""The source of a secret: lab.yaml names it, and never has the secret itself."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from lab.base import environment
from lab.base.errors import ConfigurationError
from lab.config.types import PlainPath, SettingsModel, Text


class SecretSource(SettingsModel):
    """The environment variable or the file that contains a secret."""

    env: Text | None = Field(
        None, description="The environment variable that contains the secret. Default: none.", examples=["OS_PASSWORD"]
    )
    file: PlainPath | None = Field(
        None,
        description="The file that contains the secret; each line of six or more characters is a secret. Default: none.",
        examples=["/srv/qalab/upload.key"],
    )

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        if (self.env is None) == (self.file is None):
            message = "name one source of the secret: env: NAME OF A VARIABLE, or file: /PATH"
            raise ValueError(message)
        return self

    @property
    def place(self) -> str:
        """The variable or the file, for messages."""
        return self.env or self.file or ""


def read(source: SecretSource, key: str) -> str:
    """Return the secret that ``key`` of lab.yaml needs, on one line.  Raises ConfigurationError for a missing one."""
    if source.env:
        found = environment.variable(source.env) or ""
        problem = f"the variable {source.env} is not set"
    else:
        try:
            found = Path(source.place).read_text(encoding="utf-8")
            problem = f"{source.place} is empty"
        except (OSError, UnicodeDecodeError) as error:
            found, problem = "", f"{source.place} cannot be read: {error.__class__.__name__}"
    secret = found.strip()
    if not secret:
        raise ConfigurationError(f"{key}: {problem}")
    if not secret.isascii() or not secret.isprintable() or " " in secret:
        raise ConfigurationError(f"{key}: {source.place} contains something else than one word in ASCII")
    return secret
