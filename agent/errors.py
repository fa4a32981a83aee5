"""The errors a user may see.

    ToulminError        shown as one line that says what to do
      SettingsError     a setting or a flag is off
      InputError        a question, a file or an id cannot be used
      ModelError        the chat model could not be loaded, asked, or understood
        ContextOverflow the prompt does not fit into the model's window

Programming mistakes are not wrapped: they keep their own types and tracebacks. `retrieval` and `tools` have
errors of their own (`StoreError`, `EmbedderError`, `LoadError`, `ToolError`), written in the same manner.
"""


class ToulminError(Exception):
    """Shown to the user as one line; says what to do."""

    lang = "en"
    """The language that the line is in."""


class Stopped(BaseException):
    """A run was stopped, by `Agent.stop`. No handler of errors takes it for one; it never leaves a run."""


class SettingsError(ToulminError):
    """A setting, a flag or an environment variable has a value that cannot be used."""


class InputError(ToulminError):
    """What was given to work on cannot be used: an empty question, an unknown id, a missing file."""


class ModelError(ToulminError):
    """The chat model could not be loaded, asked, or understood."""


class ContextOverflow(ModelError):
    """The prompt does not fit into the model's context window.

    Attributes:
        requested: tokens in the rendered prompt, and those that its reply must have.
        window: tokens the context holds, prompt and reply together.
    """

    def __init__(self, requested: int, window: int) -> None:
        self.requested = requested
        self.window = window
        super().__init__(
            f"The prompt needs {requested} tokens but the model's window holds {window}: "
            "send fewer or shorter passages, or raise context_tokens."
        )
