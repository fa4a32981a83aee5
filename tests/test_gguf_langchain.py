"""LangChain's own standard suites of a chat model, over a real GGUF file of noise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from agent.models.gguf import ChatGGUF
from tests.tiny_gguf import CHATML, write_chatty_gguf

pytest.importorskip("llama_cpp")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_chatty_gguf(tmp_path_factory.mktemp("models") / "chatty.gguf", CHATML, context=2048)


@pytest.fixture(scope="module")
def shared(path: Path) -> Any:
    model = ChatGGUF(model_path=str(path), context_tokens=2048, threads=1, temperature=1.0)
    yield model
    model.close()


@pytest.fixture
def benchmark() -> Callable[[Callable[[], None]], None]:
    """In place of the plugin's, which is off: once will do."""
    return lambda work: work()


@pytest.fixture
def snapshot() -> None:
    """Of a plugin that is off; the suite skips what would need it."""


@pytest.fixture
def vcr() -> None:
    """The same."""


class _Params:
    @pytest.fixture(autouse=True)
    def made(self, path: Path) -> None:
        self.path = path

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatGGUF

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model_path": str(self.path)}


class TestUnit(_Params, ChatModelUnitTests):
    pass


class TestIntegration(_Params, ChatModelIntegrationTests):
    @pytest.fixture
    def model(self, shared: ChatGGUF) -> BaseChatModel:  # type: ignore[override]
        """One for all of them, with replies that end sooner or later."""
        return shared
