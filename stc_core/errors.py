"""The one error a user can mend. Everything else is our mistake and stays a natural exception."""


class UserError(Exception):
    """What went wrong, naming the file, and what the user can do about it: two short sentences."""

    def __init__(self, what: str, remedy: str):
        super().__init__(f"{what} {remedy}")
        self.what, self.remedy = what, remedy
