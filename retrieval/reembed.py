"""Embeds a library again with another embedder, in place.

The old vectors are searched until the new ones are complete; then these take their place in one transaction.
Killed anywhere, it goes on where it was. What others add meanwhile is embedded as well. One is at work at a
time, as the next embedder's vectors would be mixed up with those of another.
"""

from __future__ import annotations

from collections.abc import Callable

from retrieval.chunks import embedded_text
from retrieval.embed import Embedder
from retrieval.lock import locked
from retrieval.store import Store

LOCK_FILE = "reembed.lock"
GROUP_CHUNKS = 64  # embedded and stored together: what a kill can cost


def reembed(
    store: Store,
    embedder: Embedder,
    progress: Callable[[int, int], None] | None = None,
    on_wait: Callable[[], None] | None = None,
) -> int:
    """Embed every chunk of a library that `embedder` has not seen, then switch; how many it embedded now.

    `progress`: told of the chunks done and of all there are. `on_wait`: called when another one is at work on
    the library. Raises `StoreError` and `EmbedderError`.
    """
    store.require_writable()
    with locked(store.file.with_name(LOCK_FILE), on_wait):
        if store.embedder() == (embedder.model_id, embedder.prompts):
            return 0  # the one that was waited for did it
        return _reembed(store, embedder, progress)


def _reembed(store: Store, embedder: Embedder, progress: Callable[[int, int], None] | None) -> int:
    store.begin_next(embedder.model_id, embedder.prompts)
    embedded = 0
    while True:
        if progress:
            progress(*store.next_count())
        rows = store.without_next(GROUP_CHUNKS)
        if rows:
            vectors = embedder.embed(
                [embedded_text(title, heading, text) for _, title, heading, text in rows]
            )
            found = zip(rows, vectors, strict=True)
            store.put_next([(row[0], vector.tobytes() if vector.any() else None) for row, vector in found])
            embedded += len(rows)
        elif store.switch(embedder.model_id, embedder.name, embedder.prompts):
            return embedded
        else:
            store.begin_next(embedder.model_id, embedder.prompts)
