"""Hybrid retrieval over one file-based library, with exact character spans.

Reads files (`load`), cuts them (`split`), turns text into lexical tokens and vectors (`tokens`, `embed`),
keeps everything in one SQLite file (`store`) with a derived FAISS index (`index`), and searches both
(`search`). `library.Library` ties them together. It knows nothing about questions, answers or chat models.
"""
