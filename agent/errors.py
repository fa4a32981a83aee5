"""The errors a user may see.

Every error here is shown as one line, so its text says what to do. Programming
mistakes are not wrapped: they keep their own types and tracebacks.
"""


class ToulminError(Exception):
    """Shown to the user as one line; says what to do."""


class ModelError(ToulminError):
    """The local model could not be loaded, asked, or understood."""


class ContextOverflow(ModelError):
    """The prompt does not fit into the model's context window.

    Attributes:
        requested: tokens in the rendered prompt.
        window: tokens the context holds, prompt and reply together.
    """

    def __init__(self, requested: int, window: int) -> None:
        self.requested = requested
        self.window = window
        super().__init__(
            f"The prompt needs {requested} tokens but the model's window holds {window}: "
            "send fewer or shorter passages, or raise context_tokens."
        )
