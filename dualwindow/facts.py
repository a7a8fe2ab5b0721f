"""What is written down and read back: typed, checked, and the same in memory as in JSON."""

from typing import Self

from pydantic import BaseModel


class Facts(BaseModel, frozen=True, extra="forbid"):
    """Facts that never change; what is unknown is None."""

    def to_json(self) -> str:
        """Write them as JSON text."""
        return self.model_dump_json(indent=1)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `to_json` has written.

        Raises
        ------
        pydantic.ValidationError
            If it is of another format, or damaged; it names the place.
        """
        return cls.model_validate_json(text)


class Numbers(Facts, allow_inf_nan=False):
    """Facts that refuse a number that is none, and infinity, which JSON cannot write."""
